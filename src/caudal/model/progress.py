"""How far a flow run is: its task runs and child flow runs, counted by what became of them, folded from their history.

Runs are counted in groups. The groups form a tree as the calls do: a flow's tasks, what these call, its child flows, what those call.

The live display, the summary at a run's end and ``caudal flow-run inspect`` show the same counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from caudal.model.states import StateType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caudal.model.runs import FlowRunChange, Move, TaskRunChange


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


#: Tasks that a task calls, above which an outline puts those together that completed.
MANY = 6

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
    """The runs of one task, or of one child flow, made from one place, counted by stage.

    Args:
        name: The task or flow.
        is_flow: Whether it is a flow.
    """

    __slots__ = (
        "counts",
        "created_at",
        "ended_at",
        "is_flow",
        "members",
        "name",
        "peak",
        "seconds",
        "started_at",
        "total",
    )

    is_flow: bool
    name: str
    counts: dict[Stage, int]
    seconds: float
    created_at: float
    total: int
    peak: int

    def __init__(self, name: str, *, is_flow: bool = False) -> None:
        self.name, self.is_flow = name, is_flow
        #: What the code of these runs calls: tasks and flows by kind and name.
        self.members: dict[tuple[bool, str], RunGroup] = {}
        self.counts = dict.fromkeys(Stage, 0)
        self.total = 0
        #: The most runs that were open at the same time.
        self.peak = 0
        #: Run time of all ended runs together.
        self.seconds = 0.0
        #: When the first run was made; infinite while that is not known. This and all times are seconds since the epoch, UTC.
        self.created_at = float("inf")
        #: When the first run started, and when the last one that has ended did.
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

    def in_order(self) -> list[RunGroup]:
        """Return the members in the order in which they were first called."""
        return sorted(self.members.values(), key=lambda group: group.created_at)

    def member(self, name: str, *, is_flow: bool = False) -> RunGroup:
        """Return what these runs call by a name, new when it is heard of for the first time."""
        group = self.members.get((is_flow, name))
        if group is None:
            group = self.members[is_flow, name] = RunGroup(name, is_flow=is_flow)
        return group

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


class Progress:
    """How far one flow run is; its methods take the next piece of news about it.

    Args:
        flow_run_id: The flow run.
    """

    root: RunGroup
    name: str
    flow_name: str
    state_type: str
    state_name: str
    restored: int

    def __init__(self, flow_run_id: bytes) -> None:
        self.name = ""
        self.flow_name = ""
        self.state_type, self.state_name = StateType.PENDING.value, "Pending"
        #: The moves of the flow run, in order.
        self.history: list[Move] = []
        #: Task runs that a resumed run took over from an earlier attempt.
        self.restored = 0
        #: What the flow's code calls, as its members.
        self.root = RunGroup("", is_flow=True)
        self._flow_run_id = flow_run_id
        self._flows = {flow_run_id: self.root}
        self._stages: dict[bytes, tuple[RunGroup, Stage]] = {}
        self._running_since: dict[bytes, float] = {}

    def has_ended(self, flow_run_id: bytes) -> bool:
        """Say whether a child flow run has ended, as far as is known."""
        known = self._stages.get(flow_run_id)
        return known is not None and known[1] not in _OPEN

    def change_flow_run(self, run_id: bytes, change: FlowRunChange) -> None:
        """Take in an event of the flow run, or of one that descends from it.

        Args:
            run_id: The flow run; a child's parent has to be known by now.
            change: What happened to it.
        """
        if run_id != self._flow_run_id:
            self._change_child(run_id, change)
            return
        self.name = change.name or self.name
        self.flow_name = change.flow_name or self.flow_name
        self.history.extend(change.moves)
        if change.moves:
            self.state_type, self.state_name, _, _ = change.moves[-1]
        if change.details:
            self.restored = change.details.get("restored_task_runs", self.restored)

    def _change_child(self, run_id: bytes, change: FlowRunChange) -> None:
        group = self._flows.get(run_id)
        if group is None:
            caller = self._flows[bytes.fromhex(change.parent_flow_run_id or "")]
            path = (change.details or {}).get("path", "")
            group = _called_from(caller, path).member(
                change.flow_name or "", is_flow=True
            )
            self._flows[run_id] = group
        self._change(group, run_id, change)

    def change_task_run(
        self, run_id: bytes, flow_run_id: bytes, change: TaskRunChange
    ) -> None:
        """Take in an event of a task run.

        Args:
            run_id: The task run.
            flow_run_id: The flow run it belongs to, known by now.
            change: What happened to it.
        """
        known = self._stages.get(run_id)
        if known is not None:
            self._change(known[0], run_id, change)
            return
        group = self._flows[flow_run_id]
        if change.path is not None and "/" in change.path:
            group = _called_from(group, change.path)
        self._change(group.member(change.task_name or ""), run_id, change)

    def _change(
        self, group: RunGroup, run_id: bytes, change: FlowRunChange | TaskRunChange
    ) -> None:
        if not change.moves:
            return
        if change.created_at is not None and change.created_at < group.created_at:
            group.created_at = change.created_at
        since = self._running_since.pop(run_id, None)
        state_type = state_name = ""
        at = 0.0
        for state_type, state_name, at, _ in change.moves:  # noqa: B007 - the last one is used below
            if since is not None:
                group.seconds += at - since
                since = None
            if state_type == _RUNNING:
                since = at
                if group.started_at is None or at < group.started_at:
                    group.started_at = at
        if since is not None:
            self._running_since[run_id] = since
        after = stage_of(state_type, state_name)
        if after not in _OPEN and (group.ended_at is None or at > group.ended_at):
            group.ended_at = at
        known = self._stages.get(run_id)
        group.change(None if known is None else known[1], after)
        self._stages[run_id] = group, after


def _called_from(group: RunGroup, path: str) -> RunGroup:
    """Return the group of the runs whose code made a call.

    Args:
        group: The group of its flow run.
        path: The call's place in the flow's program: a task's name and number for each caller, then its own.
    """
    *callers, _ = path.split("/")
    for caller in callers:
        group = group.member(caller.rpartition("-")[0])
    return group


def outline(group: RunGroup, depth: int = 0) -> Iterator[tuple[int, RunGroup]]:
    """Yield what the runs of a group call, and what those call, each with its depth, in the order of the calls.

    Where a task calls many others, such as the nodes of a dbt project, those that completed are put together.
    """
    members = group.in_order()
    rest: list[RunGroup] = []
    if not group.is_flow and len(members) > MANY:
        rest = [member for member in members if member.completed == member.total]
        members = [member for member in members if member.completed < member.total]
    for member in members:
        if member.total:
            yield depth, member
        yield from outline(member, depth + (member.total > 0))
    if rest:
        yield depth, _together(rest)


def _together(groups: list[RunGroup]) -> RunGroup:
    """Return one group with the runs of many."""
    sum_of = RunGroup(f"{len(groups)} tasks")
    for group in groups:
        sum_of.total += group.total
        sum_of.seconds += group.seconds
        for stage, count in group.counts.items():
            sum_of.counts[stage] += count
    starts = [group.started_at for group in groups if group.started_at is not None]
    ends = [group.ended_at for group in groups if group.ended_at is not None]
    sum_of.started_at, sum_of.ended_at = (
        min(starts, default=None),
        max(ends, default=None),
    )
    return sum_of
