"""Decides what a batch writes: which changes are accepted, the events and rows they become, and what is refused.

The rules live here once, without input or output, and every ledger stores what they decide. A ledger calls ``plan`` inside its
transaction with what it holds about the flow runs the batch names; nothing can change between the decision and the write.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

from caudal.ledger.documents import changed
from caudal.ledger.encoding import encode
from caudal.ledger.port import FlowWrite
from caudal.model.runs import (
    TaskCounts,
    TaskRunRow,
    add_counts,
    count_change,
    fold_flow_run,
)
from caudal.model.states import can_move

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caudal.ledger.port import Batch, CheckWrite
    from caudal.model.documents import Document
    from caudal.model.results import StoredResult
    from caudal.model.runs import FlowRunRow, LogRow

#: Why all that a batch holds for a flow run is refused.
STALE_FENCE = "another process took it over, or it was closed from outside"
UNKNOWN_RUN = "there is no such flow run"
#: Why a creating change is refused.
EXISTS = "it exists already"

_flow_run_id = attrgetter("flow_run_id")
_flow_run_and_state = attrgetter("flow_run_id", "state_type")


#: An event before it has its place in the sequence: at, kind, flow run, task run, payload.
NewEvent = tuple[float, str, "bytes | None", "bytes | None", bytes]


class Plan:
    """What a ledger is to store for a batch, in one transaction."""

    __slots__ = (
        "checks",
        "counts",
        "documents",
        "events",
        "flow_rows",
        "logs",
        "refused",
        "results",
        "task_rows",
    )

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        #: Rows to write whole, task counts included.
        self.flow_rows: dict[bytes, FlowRunRow] = {}
        self.task_rows: dict[bytes, TaskRunRow] = {}
        #: Numbers to add to the stored row of flow runs that are not in ``flow_rows``.
        self.counts: dict[bytes, TaskCounts] = {}
        self.logs: list[LogRow] = []
        self.results: list[StoredResult] = []
        #: Their events are the last ones, in the same order.
        self.checks: list[CheckWrite] = []
        #: Documents to write whole; None for those to delete.
        self.documents: dict[bytes, Document | None] = {}
        #: Flow runs of which something was refused, and why.
        self.refused: dict[bytes, str] = {}


def flow_runs_named(batch: Batch) -> set[bytes]:
    """Return the flow runs that ``plan`` has to know about."""
    named: set[bytes | None] = {*batch.fences, *map(_flow_run_id, batch.writes)}
    return {run_id for run_id in named if run_id is not None}


def flow_runs_changed(batch: Batch) -> set[bytes]:
    """Return the flow runs of which ``plan`` needs the row."""
    return {write.flow_run_id for write in batch.writes if isinstance(write, FlowWrite)}


def plan(
    batch: Batch,
    fences: Mapping[bytes, tuple[bytes | None, int]],
    rows: Mapping[bytes, FlowRunRow],
    documents: Mapping[bytes, Document] | None = None,
) -> Plan:
    """Return what to store for a batch.

    Args:
        batch: What a writer wants to write.
        fences: Owner and attempt of the stored flow runs among ``flow_runs_named``.
        rows: The stored flow runs among ``flow_runs_changed``.
        documents: The stored documents that the batch changes.
    """
    made = Plan()
    blocked = _blocked(batch, fences)
    events, task_rows = made.events, made.task_rows
    first_rows: dict[bytes, TaskRunRow] = {}
    for write in batch.writes:
        if isinstance(write, FlowWrite):
            _plan_flow_write(made, write, rows, blocked)
            continue
        # A task run that starts and ends between two commits is the hot path: microseconds matter here.
        task_run_id, flow_run_id = write.task_run_id, write.flow_run_id
        if flow_run_id in blocked:
            made.refused.setdefault(flow_run_id, blocked[flow_run_id])
            continue
        if write.before is not None and task_run_id not in task_rows:
            first_rows[task_run_id] = write.before
        task_rows[task_run_id] = write.after
        events.append((write.at, "task_run", flow_run_id, task_run_id, write.payload))
    made.refused = blocked | made.refused
    _plan_counts(made, _count(task_rows.values(), first_rows.values()))
    if batch.documents:
        _plan_documents(made, batch, documents or {}, blocked)
    _plan_the_rest(made, batch, blocked)
    return made


def _blocked(
    batch: Batch, fences: Mapping[bytes, tuple[bytes | None, int]]
) -> dict[bytes, str]:
    """Return the flow runs for which nothing may be written, and why.

    Creating an unknown one ends that, unless something was refused for it before.
    """
    blocked: dict[bytes, str] = {}
    for flow_run_id in flow_runs_named(batch):
        stored, given = fences.get(flow_run_id), batch.fences.get(flow_run_id)
        if stored is None:
            blocked[flow_run_id] = UNKNOWN_RUN
        elif given is not None and stored != given:
            blocked[flow_run_id] = STALE_FENCE
    return blocked


def _plan_flow_write(
    made: Plan,
    write: FlowWrite,
    rows: Mapping[bytes, FlowRunRow],
    blocked: dict[bytes, str],
) -> None:
    flow_run_id, change, _ = write
    row = made.flow_rows.get(flow_run_id) or rows.get(flow_run_id)
    reason = blocked.get(flow_run_id)
    creates = row is None and change.created_at is not None
    if reason is None or (creates and flow_run_id not in made.refused):
        reason = _refusal(row, write)
    if reason is not None:
        made.refused.setdefault(flow_run_id, reason)
        return
    blocked.pop(flow_run_id, None)
    row = made.flow_rows[flow_run_id] = fold_flow_run(row, flow_run_id, change)
    at = change.moves[-1][2] if change.moves else row.state_at
    made.events.append((at, "flow_run", flow_run_id, None, encode(change)))


def _refusal(row: FlowRunRow | None, write: FlowWrite) -> str | None:
    """Return why a flow run's change may not be written, or None."""
    change = write.change
    if row is not None and change.created_at is not None:
        return EXISTS
    state = row.state_type if row is not None else "PENDING"
    for kind, *_ in change.moves:
        if not can_move(state, kind, reopen=write.reopen):
            return f"it cannot go from {state} to {kind}"
        state = kind
    return None


def _plan_counts(made: Plan, counts: dict[bytes, TaskCounts]) -> None:
    for flow_run_id, change in counts.items():
        row = made.flow_rows.get(flow_run_id)
        if row is None:
            made.counts[flow_run_id] = change
        else:
            made.flow_rows[flow_run_id] = add_counts(row, change)


def _plan_documents(
    made: Plan,
    batch: Batch,
    stored: Mapping[bytes, Document],
    blocked: dict[bytes, str],
) -> None:
    """Add documents, those of refused flow runs left out."""
    writes = [write for write in batch.documents if write.flow_run_id not in blocked]
    made.documents, effective = changed(writes, stored)
    made.events += [
        (
            write.at,
            write.kind,
            write.flow_run_id,
            write.task_run_id,
            encode(write.change),
        )
        for write in effective
    ]


def _plan_the_rest(made: Plan, batch: Batch, blocked: dict[bytes, str]) -> None:
    """Add results, logs and checks, those of refused flow runs left out."""
    made.logs, made.checks, made.results = batch.logs, batch.checks, batch.results
    if blocked:
        owners = batch.result_owners
        made.results = [
            each for each in batch.results if owners.get(each.key) not in blocked
        ]
        made.logs = [log for log in batch.logs if log.flow_run_id not in blocked]
        made.checks = [each for each in batch.checks if each.flow_run_id not in blocked]
    for at, result, flow_run_id, task_run_id in made.checks:
        made.events.append((at, "check", flow_run_id, task_run_id, encode(result)))


def _count(
    after: Iterable[TaskRunRow], before: Iterable[TaskRunRow]
) -> dict[bytes, TaskCounts]:
    """Return the sum of all count changes by flow run.

    Rows are counted by state first, so that a thousand task runs cost no thousand additions.
    """
    numbers = Counter(map(_flow_run_and_state, after))
    numbers.subtract(Counter(map(_flow_run_and_state, before)))
    counts: dict[bytes, TaskCounts] = {}
    for (flow_run_id, state), number in numbers.items():
        if flow_run_id is None or number == 0:
            continue
        sums = counts.get(flow_run_id, TaskCounts())
        counts[flow_run_id] = TaskCounts(
            *(old + number * one for old, one in zip(sums, _one(state), strict=True))
        )
    return counts


@cache
def _one(state: str) -> TaskCounts:
    """Return what one task run in a state counts for."""
    return count_change(None, TaskRunRow(b"", None, "", "", "", state, "", 0.0))
