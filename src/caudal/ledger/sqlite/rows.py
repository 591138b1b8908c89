"""Rows of the ledger as SQLite keeps them: a struct's fields in order, JSON fields as text.

Ids are bound as ``bytearray`` and no JSON as the text ``null``: for ``bytes`` and None the driver first looks for an adapter, which
takes 0.3 microseconds each with the interpreter lock held, six times a text.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple

from caudal.ledger.encoding import decode, encode
from caudal.model.runs import Event, FlowRunRow, LogRow, TaskRunRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.ledger.plan import NewEvent

#: The columns of a stored result, from the value that the port knows.
result_values: attrgetter[tuple[Any, ...]] = attrgetter(
    "key",
    "serializer",
    "type_name",
    "sha256",
    "size_bytes",
    "inline",
    "location",
    "created_at",
    "expires_at",
)


def flow_run_values(row: FlowRunRow) -> tuple[Any, ...]:
    """Return the columns of a flow run."""
    *plain, parameters, tags, details = astuple(row)
    return (*plain, _json(parameters), _json(tags), _json(details))


def flow_run_row(values: Sequence[Any]) -> FlowRunRow:
    """Return the flow run of columns."""
    *plain, parameters, tags, details = values
    return FlowRunRow(*plain, *map(decode, (parameters, tags, details)))


def task_run_values(row: TaskRunRow) -> tuple[Any, ...]:
    """Return the columns of a task run."""
    # The hot path: no calls that can be written out.
    run_id, flow_run_id, *plain, details = astuple(row)
    return (
        bytearray(run_id),
        None if flow_run_id is None else bytearray(flow_run_id),
        *plain,
        "null" if details is None else encode(details).decode(),
    )


def task_run_row(values: Sequence[Any]) -> TaskRunRow:
    """Return the task run of columns."""
    *plain, details = values
    return TaskRunRow(*[*plain, decode(details)])


def event_values(event: NewEvent) -> tuple[Any, ...]:
    """Return the columns of an event that has no place yet."""
    at, kind, flow_run_id, task_run_id, payload = event
    return (
        at,
        kind,
        None if flow_run_id is None else bytearray(flow_run_id),
        None if task_run_id is None else bytearray(task_run_id),
        payload.decode(),
    )


def event_row(values: Sequence[Any]) -> Event:
    """Return the event of columns."""
    *plain, payload = values
    return Event(*[*plain, payload.encode()])


def log_values(row: LogRow) -> tuple[Any, ...]:
    """Return the columns of a log line."""
    at, level, logger, message, flow_run_id, task_run_id, extra = row
    ids = _id(flow_run_id), _id(task_run_id)
    return (at, level, logger, message, *ids, _json(extra))


def log_row(values: Sequence[Any]) -> LogRow:
    """Return the log line of columns."""
    *plain, extra = values
    return LogRow(*[*plain, decode(extra)])


def _id(value: bytes | None) -> bytearray | None:
    return None if value is None else bytearray(value)


def _json(value: Any) -> str:
    return "null" if value is None else encode(value).decode()
