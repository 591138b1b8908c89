"""Rebuilds the rows of all runs from the ledger's events: the proof that the events are the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caudal.ledger.encoding import (
    decode_check,
    decode_flow_change,
    decode_task_change,
)
from caudal.ledger.port import CheckWrite
from caudal.model.runs import add_counts, count_change, fold_flow_run, fold_task_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.model.runs import Event, FlowRunRow, TaskRunRow


class Projections(NamedTuple):
    """What events add up to."""

    flow_rows: dict[bytes, FlowRunRow]
    task_rows: dict[bytes, TaskRunRow]
    checks: list[CheckWrite]


def rebuild(events: Iterable[Event]) -> Projections:
    """Return what events add up to.

    Args:
        events: All events of a ledger, or all of some flow runs, in order.
    """
    made = Projections({}, {}, [])
    for event in events:
        _apply(made, event)
    return made


def _apply(made: Projections, event: Event) -> None:
    flow_rows, task_rows, checks = made
    _, at, kind, flow_run_id, task_run_id, payload = event
    if kind == "check":
        result = decode_check(payload)
        checks.append(CheckWrite(at, result, flow_run_id, task_run_id))
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
