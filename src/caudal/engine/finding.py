"""Finds the run that somebody means by an id, the start of an id, or a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.exceptions import AmbiguousNameError, ObjectNotFound
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow, TaskRunRow


def find_flow_run(parts: Parts, given: UUID | str) -> FlowRunRow:
    """Return a flow run's row; what this process recorded so far is seen.

    Raises:
        ObjectNotFound: There is none.
        AmbiguousNameError: There are several.
    """
    _check(given)
    parts.journal.barrier().wait()
    if isinstance(given, UUID):
        row = parts.ledger.flow_run(given.bytes)
        return _one([] if row is None else [row], "flow run", str(given))
    return _one(parts.ledger.find_flow_runs(given), "flow run", given)


def find_task_run(parts: Parts, given: UUID | str) -> TaskRunRow:
    """Return a task run's row; see `find_flow_run`."""
    _check(given)
    parts.journal.barrier().wait()
    if isinstance(given, UUID):
        row = parts.ledger.task_run(given.bytes)
        return _one([] if row is None else [row], "task run", str(given))
    return _one(parts.ledger.find_task_runs(given), "task run", given)


def _check(given: object) -> None:
    if not isinstance(given, (UUID, str)):
        msg = f"a run is meant by its id, the start of its id, or its name, not by {given!r}"
        raise TypeError(msg)


def _one(rows: Sequence[Any], kind: str, given: str) -> Any:
    if not rows:
        raise ObjectNotFound(kind, given)
    if len(rows) > 1:
        exact = [row for row in rows if format_id(row.id) == given]
        if len(exact) == 1:
            return exact[0]
        raise AmbiguousNameError(kind, given, tuple(format_id(row.id) for row in rows))
    return rows[0]
