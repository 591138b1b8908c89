"""How far a flow run is: its task runs counted by task and by what became of them, folded from its history.

The live display, the summary at a run's end and ``caudal flow-run inspect`` show the same counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from caudal.model.states import StateType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.model.runs import (
        FlowRunChange,
        FlowRunRow,
        Move,
        TaskRunChange,
    )


class Stage(StrEnum):
    """What became of a run, as far as counts tell runs apart."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    #: It completed with a result that was there already.
    CACHED = "cached"
    #: It failed or crashed.
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: It will not start, because one of its inputs did not complete.
    BLOCKED = "blocked"


_RUNNING = StateType.RUNNING.value
_OPEN = frozenset({Stage.WAITING, Stage.RUNNING})
_STAGES: dict[str, Stage] = {
    StateType.RUNNING: Stage.RUNNING,
    StateType.COMPLETED: Stage.COMPLETED,
    StateType.FAILED: Stage.FAILED,
    StateType.CRASHED: Stage.FAILED,
    StateType.CANCELLED: Stage.CANCELLED,
}


def stage_of(state_type: str, state_name: str) -> Stage:
    """Return the stage of a run in a state.

    Args:
        state_type: Kind of the state.
        state_name: Name of the state.
    """
    if state_name == "Cached":
        return Stage.CACHED
    if state_name == "NotReady":
        return Stage.BLOCKED
    return _STAGES.get(state_type, Stage.WAITING)


class RunGroup:
    """The runs of one task, or of one child flow, counted by stage.

    Args:
        name: The task or flow.
    """

    __slots__ = ("counts", "ended_at", "name", "peak", "seconds", "started_at", "total")

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts = dict.fromkeys(Stage, 0)
        self.total = 0
        #: The most runs that were open at the same time.
        self.peak = 0
        #: Run time of all ended runs together.
        self.seconds = 0.0
        #: When the first run started, and when the last one that has ended did; seconds since the epoch, UTC.
        self.started_at: float | None = None
        self.ended_at: float | None = None

    @property
    def open(self) -> int:
        """Number of runs that have not ended."""
        return self.counts[Stage.WAITING] + self.counts[Stage.RUNNING]

    @property
    def done(self) -> int:
        """Number of runs that have ended or will not start."""
        return self.total - self.open

    @property
    def completed(self) -> int:
        """Number of runs that completed, those from the cache included."""
        return self.counts[Stage.COMPLETED] + self.counts[Stage.CACHED]

    def change(self, before: Stage | None, after: Stage) -> None:
        """Move a run from one stage to another; one that is new has no stage before."""
        counts = self.counts
        if before is None:
            self.total += 1
        else:
            counts[before] -= 1
        counts[after] += 1
        if after in _OPEN and self.open > self.peak:
            self.peak = self.open

    def begin(self, at: float) -> None:
        """Learn that a run started."""
        if self.started_at is None or at < self.started_at:
            self.started_at = at

    def end(self, at: float) -> None:
        """Learn that a run ended."""
        if self.ended_at is None or at > self.ended_at:
            self.ended_at = at


class Progress:
    """How far one flow run is; every method takes the next piece of news about it."""

    def __init__(self) -> None:
        self.name = ""
        self.flow_name = ""
        self.state_type, self.state_name = StateType.PENDING.value, "Pending"
        #: The moves of the flow run, in order.
        self.history: list[Move] = []
        #: Task runs that a resumed run took over from an earlier attempt.
        self.restored = 0
        #: The tasks in the order in which they were first called.
        self.tasks: dict[str, RunGroup] = {}
        #: The child flows in the order in which they were first called.
        self.children: dict[str, RunGroup] = {}
        self._stages: dict[bytes, tuple[RunGroup, Stage]] = {}
        self._running_since: dict[bytes, float] = {}

    def change_flow_run(self, change: FlowRunChange) -> None:
        """Take in an event of the flow run."""
        self.name = change.name or self.name
        self.flow_name = change.flow_name or self.flow_name
        self.history.extend(change.moves)
        if change.moves:
            self.state_type, self.state_name, _, _ = change.moves[-1]
        if change.details:
            self.restored = change.details.get("restored_task_runs", self.restored)

    def change_task_run(self, run_id: bytes, change: TaskRunChange) -> None:
        """Take in an event of a task run.

        Args:
            run_id: The task run.
            change: What happened to it.
        """
        if not change.moves:
            return
        known = self._stages.get(run_id)
        group, before = (
            known if known is not None else (self._group(change.task_name), None)
        )
        since = self._running_since.pop(run_id, None)
        state_type = state_name = ""
        at = 0.0
        for state_type, state_name, at, _ in change.moves:  # noqa: B007 - the last one is used below
            if since is not None:
                group.seconds += at - since
                since = None
            if state_type == _RUNNING:
                group.begin(at)
                since = at
        if since is not None:
            self._running_since[run_id] = since
        after = stage_of(state_type, state_name)
        if after not in _OPEN:
            group.end(at)
        group.change(before, after)
        self._stages[run_id] = group, after

    def count_children(self, rows: Iterable[FlowRunRow]) -> None:
        """Count the child flow runs anew.

        Args:
            rows: All of them, oldest first.
        """
        self.children = {}
        for row in rows:
            group = self.children.setdefault(row.flow_name, RunGroup(row.flow_name))
            if row.started_at is not None:
                group.begin(row.started_at)
            if row.ended_at is not None:
                group.end(row.ended_at)
                group.seconds += row.ended_at - (row.started_at or row.ended_at)
            group.change(None, stage_of(row.state_type, row.state_name))

    def _group(self, task_name: str | None) -> RunGroup:
        name = task_name or ""
        group = self.tasks.get(name)
        if group is None:
            group = self.tasks[name] = RunGroup(name)
        return group
