"""Rebuilds the rows of all runs, and of limits, from the ledger's events: the proof that the events are the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec.json import Decoder

from caudal.ledger.encoding import (
    decode_check,
    decode_flow_change,
    decode_input,
    decode_task_change,
)
from caudal.ledger.granting import decode_limit_change, decode_slots_change
from caudal.ledger.port import CheckWrite
from caudal.model.documents import KINDS, DocumentChange, DocumentWrite, fold_document
from caudal.model.inputs import put_input
from caudal.model.limits import fold_limit, holders_of, use_up
from caudal.model.runs import add_counts, count_change, fold_flow_run, fold_task_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.model.documents import Document, DocumentKind
    from caudal.model.inputs import RunInputRow
    from caudal.model.limits import Holder, Limit
    from caudal.model.runs import Event, FlowRunRow, TaskRunRow


#: Reads the payload of an event of a document.
decode_document_change: Callable[[bytes], DocumentChange] = Decoder(
    DocumentChange
).decode


class Projections(NamedTuple):
    """What events add up to."""

    flow_rows: dict[bytes, FlowRunRow]
    task_rows: dict[bytes, TaskRunRow]
    checks: list[CheckWrite]
    limits: dict[str, Limit]
    holders: list[Holder]
    documents: dict[bytes, Document]
    inputs: dict[tuple[bytes, str], RunInputRow]


def rebuild(events: Iterable[Event]) -> Projections:
    """Return what events add up to.

    Args:
        events: All events of a ledger, or all of some flow runs, in order.
    """
    made = Projections({}, {}, [], {}, [], {}, {})
    for event in events:
        _apply(made, event)
    return made


def _apply(made: Projections, event: Event) -> None:
    flow_rows, task_rows, checks, *_ = made
    seq, at, kind, flow_run_id, task_run_id, payload = event
    if kind == "check":
        result = decode_check(payload)
        checks.append(CheckWrite(at, result, flow_run_id, task_run_id))
    elif kind == "limit":
        _apply_limit(made, at, payload)
    elif kind == "slots":
        _apply_slots(made, at, payload)
    elif kind in KINDS:
        _apply_document(made.documents, event)
    elif kind == "run_input" and flow_run_id is not None:
        put_input(made.inputs, flow_run_id, decode_input(payload), seq, at)
    elif task_run_id is not None:
        before = task_rows.get(task_run_id)
        change = decode_task_change(payload)
        after = fold_task_run(before, task_run_id, flow_run_id, change)
        task_rows[task_run_id] = after
        if flow_run_id is not None:
            counts = count_change(before, after)
            flow_rows[flow_run_id] = add_counts(flow_rows[flow_run_id], counts)
    elif flow_run_id is not None:
        change = decode_flow_change(payload)
        row = fold_flow_run(flow_rows.get(flow_run_id), flow_run_id, change)
        flow_rows[flow_run_id] = row


def _apply_limit(made: Projections, at: float, payload: bytes) -> None:
    change = decode_limit_change(payload)
    if change.frees:
        made.holders[:] = [each for each in made.holders if each.name != change.name]
    limit = fold_limit(made.limits.pop(change.name, None), change, at)
    if limit is not None:
        made.limits[change.name] = limit


def _apply_slots(made: Projections, at: float, payload: bytes) -> None:
    change = decode_slots_change(payload)
    if not change.names:
        own_id = bytes.fromhex(change.id)
        made.holders[:] = [each for each in made.holders if each.id != own_id]
    elif change.is_rate:
        for name in change.names:
            made.limits[name] = use_up(made.limits[name], change.slots, at)
    else:
        made.holders.extend(holders_of(change, at))


def _apply_document(documents: dict[bytes, Document], event: Event) -> None:
    _, at, kind, flow_run_id, task_run_id, payload = event
    change = decode_document_change(payload)
    document_id = bytes.fromhex(change.id)
    ids = flow_run_id, task_run_id
    write = DocumentWrite(at, cast("DocumentKind", kind), change, *ids)
    after = fold_document(documents.get(document_id), write)
    if after is None:
        documents.pop(document_id, None)
    else:
        documents[document_id] = after
