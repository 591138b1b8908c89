"""Reads what earlier attempts at a flow run did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.recorded import Recorded, failed_tries
from caudal.ledger.port import FlowWrite, RunFilter, TaskWrite
from caudal.model.runs import FlowRunChange, TaskRunChange
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask
    from caudal.engine.parts import Parts
    from caudal.ledger.port import Batch
    from caudal.model.downstream import Again
    from caudal.model.runs import FlowRunRow, TaskRunRow

_PAGE = 5000


def load_recorded(scope: FlowScope) -> None:
    """Read what earlier attempts at a flow run left, so that it is not done again."""
    assert scope.id is not None, "only flow runs have attempts"
    scope.journal.barrier().wait()
    tasks, flows = recorded_runs(scope.parts, scope.id)
    strict = get_current_settings().resume_mismatch == "error"
    scope.recorded = Recorded(tasks, flows, strict=strict, goes_on=scope.goes_on)


def failed_before(run: LiveTask, recorded: Recorded) -> int:
    """Return how many tries of a run count that failed in an attempt at its flow run which was cut off."""
    failures = failed_tries(recorded.task(run.path), run.scope.failures)
    if not failures or recorded.goes_on:
        return failures
    run.know(failures=0)
    return 0


def recorded_runs(
    parts: Parts, flow_run_id: bytes
) -> tuple[list[TaskRunRow], list[FlowRunRow]]:
    """Return the task runs of a flow run, and the flow runs that it called, in the order in which they were made."""
    ledger, where = parts.ledger, RunFilter(flow_run_id=flow_run_id)
    tasks: list[TaskRunRow] = []
    after: bytes | None = None
    while True:
        page = ledger.task_runs(where, limit=_PAGE, after=after)
        tasks += page
        if len(page) < _PAGE:
            break
        after = page[-1].id
    flows: list[FlowRunRow] = []
    before: bytes | None = None
    while True:
        rows = ledger.flow_runs(where, limit=_PAGE, before=before)
        flows += rows
        if len(rows) < _PAGE:
            break
        before = rows[-1].id
    return tasks, flows[::-1]


def forget_results(scope: FlowScope, flow_run_id: bytes, again: Again) -> None:
    """Record that the results of runs are not to be used again, so that the runs are made again in any attempt.

    Args:
        scope: The flow run that is taken up again.
        flow_run_id: Itself, or a flow run below it.
        again: What is to be done again of it.
    """
    tasks, flows = recorded_runs(scope.parts, flow_run_id)
    by_path = [(str(flow.details.get("path")), flow) for flow in flows]
    forget = _Forget(
        scope,
        [task for task in tasks if task.path in again.paths],
        [flow for path, flow in by_path if path in again.paths],
        [flow for path, flow in by_path if path in again.within],
    )
    scope.journal.put(forget)
    for path, flow in by_path:
        if path in again.within:
            forget_results(scope, flow.id, again.within[path])


class _Forget:
    """Results that are to be forgotten, on their way into the ledger."""

    def __init__(
        self,
        scope: FlowScope,
        tasks: list[TaskRunRow],
        flows: list[FlowRunRow],
        parts: list[FlowRunRow],
    ) -> None:
        self._scope, self._tasks = scope, tasks
        #: With whether only a part of each is to be forgotten.
        self._flows = [
            *((flow, False) for flow in flows),
            *((flow, True) for flow in parts),
        ]

    def collect(self, batch: Batch) -> None:
        """Add the changes to a batch."""
        details: dict[str, Any] = {"result_key": None}
        assert self._scope.id is not None, "only flow runs have attempts"
        batch.fences[self._scope.id] = self._scope.fence
        for row in self._tasks:
            change = TaskRunChange(details=details)
            batch.writes.append(TaskWrite.of(row.id, row.flow_run_id, change, row))
        for flow, in_part in self._flows:
            facts = {**details, "forgotten_in_part": in_part}
            batch.writes.append(FlowWrite(flow.id, FlowRunChange(details=facts)))
