"""The counts that a flow run's history adds up to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.model.progress import MANY, Progress, RunGroup, Stage, outline, stage_of
from caudal.model.runs import FlowRunChange, Move, TaskRunChange
from caudal.model.states import NAMES, StateType

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOW = b"f"
MOVES = [(kind.value, name) for kind, names in NAMES.items() for name in names]


def created(task_name: str, *moves: tuple[str, str, float]) -> TaskRunChange:
    """Return the change that creates a task run and moves it on."""
    change = moved(("PENDING", "Pending", 0.0), *moves)
    change.task_name = task_name
    return change


def moved(*moves: tuple[str, str, float]) -> TaskRunChange:
    """Return a change of a task run that exists."""
    return TaskRunChange(moves=[Move(*move) for move in moves])


def counts(group: RunGroup) -> dict[str, int]:
    """Return the counts of a group that are not zero."""
    return {stage.value: count for stage, count in group.counts.items() if count}


class Story:
    """Tells a progress what happened.

    Attributes:
        progress: What it adds up to.
    """

    def __init__(self) -> None:
        self.progress = Progress(FLOW)

    def task(self, run_id: bytes, change: TaskRunChange, within: bytes = FLOW) -> None:
        """Tell an event of a task run."""
        self.progress.change_task_run(run_id, within, change)

    def group(self, *names: str) -> RunGroup:
        """Return the group of a task, or of one that others call."""
        group = self.progress.root
        for name in names:
            group = group.members[False, name]
        return group


def test_a_run_is_counted_where_it_is_last() -> None:
    """Each task run is counted once, whatever it went through."""
    story = Story()

    story.task(b"1", created("load", ("RUNNING", "Running", 1.0)))
    story.task(b"2", created("load"))
    story.task(b"3", created("clean"))

    assert counts(story.group("load")) == {"running": 1, "waiting": 1}
    story.task(b"1", moved(("COMPLETED", "Completed", 3.0)))
    story.task(b"2", moved(("RUNNING", "Running", 3.0), ("FAILED", "TimedOut", 4.0)))
    assert counts(story.group("load")) == {"completed": 1, "failed": 1}
    assert (story.group("load").total, story.group("load").open) == (2, 0)


def test_run_time_leaves_out_what_a_run_waits_between_attempts() -> None:
    """The seconds of a task are those in which its runs were running."""
    story = Story()

    story.task(b"1", created("load", ("RUNNING", "Running", 10.0)))
    story.task(
        b"1", moved(("SCHEDULED", "AwaitingRetry", 12.0), ("RUNNING", "Retrying", 62.0))
    )
    story.task(b"1", moved(("COMPLETED", "Completed", 63.0)))

    group = story.group("load")
    assert (group.seconds, group.started_at, group.ended_at) == (3.0, 10.0, 63.0)


def test_a_group_lasts_from_its_first_start_to_its_last_end() -> None:
    """The order in which runs are heard of does not matter."""
    story = Story()

    story.task(
        b"1",
        created("load", ("RUNNING", "Running", 5.0), ("COMPLETED", "Completed", 9.0)),
    )
    story.task(
        b"2",
        created("load", ("RUNNING", "Running", 1.0), ("COMPLETED", "Completed", 3.0)),
    )

    group = story.group("load")
    assert (group.started_at, group.ended_at, group.seconds) == (1.0, 9.0, 6.0)


def test_results_from_the_cache_count_as_completed() -> None:
    """A cached run completed, and is counted apart as well."""
    story = Story()

    story.task(b"1", created("load", ("COMPLETED", "Cached", 1.0)))

    group = story.group("load")
    assert (group.completed, group.counts[Stage.CACHED], group.done) == (1, 1, 1)


def test_a_run_whose_input_failed_is_done_without_having_started() -> None:
    """A run that will never start is not waited for."""
    story = Story()

    story.task(b"1", created("load", ("PENDING", "NotReady", 1.0)))

    assert counts(story.group("load")) == {"blocked": 1}
    assert story.group("load").done == 1


def test_a_resumed_flow_counts_a_task_run_that_runs_again_once() -> None:
    """A new attempt at a task run moves it, though its event does not name the task."""
    story = Story()
    story.task(
        b"1", created("load", ("RUNNING", "Running", 1.0), ("CRASHED", "Crashed", 2.0))
    )

    story.task(b"1", moved(("RUNNING", "Running", 5.0)))
    story.task(b"1", moved(("COMPLETED", "Completed", 6.0)))

    assert counts(story.group("load")) == {"completed": 1}
    assert story.group("load").seconds == 2.0


def test_peak_tells_a_mapped_task_from_one_that_is_called_again_and_again() -> None:
    """The peak is the most runs that were open at a time."""
    story = Story()

    for number in range(3):
        run = created("one by one", ("COMPLETED", "Completed", 1.0))
        story.task(b"a%d" % number, run)
        story.task(b"b%d" % number, created("mapped"))

    assert (story.group("one by one").peak, story.group("mapped").peak) == (0, 3)


def test_changes_without_moves_change_nothing() -> None:
    """Facts that become known about a run do not count it again."""
    story = Story()
    story.task(b"1", created("load"))

    story.task(b"1", TaskRunChange(details={"rows": 7}))

    assert counts(story.group("load")) == {"waiting": 1}


def test_groups_are_told_in_the_order_in_which_they_were_called() -> None:
    """A task that calls another comes first, though the other ends first."""
    story = Story()
    calls = [("inner", "outer-0/inner-0", 2.0), ("outer", "outer-0", 1.0)]
    calls += [("first", "first-0", 0.5), ("outer", "outer-1", 0.7)]
    for number, (name, path, at) in enumerate(calls):
        pending = [Move("PENDING", "Pending", at)]
        change = TaskRunChange(pending, task_name=name, path=path, created_at=at)
        story.task(bytes([number]), change)

    told = [(depth, group.name) for depth, group in outline(story.progress.root)]

    assert told == [(0, "first"), (0, "outer"), (1, "inner")]


def test_a_caller_that_nothing_is_known_of_is_left_out() -> None:
    """A name with a slash looks like a caller; its runs are counted all the same."""
    story = Story()
    change = created("a/b")
    change.path = "a/b-0"

    story.task(b"1", change)

    assert [(depth, group.name) for depth, group in outline(story.progress.root)] == [
        (0, "a/b")
    ]


def test_the_flow_runs_own_events_tell_its_name_and_history() -> None:
    """Names come with the first event, states with each, restored task runs with the last."""
    progress = Progress(FLOW)

    for change in (
        FlowRunChange(
            [Move("PENDING", "Pending", 0.0)], name="calm-bay", flow_name="etl"
        ),
        FlowRunChange([Move("RUNNING", "Running", 1.0)]),
        FlowRunChange(attempt=2),
        FlowRunChange(
            [Move("FAILED", "Failed", 2.0)], details={"restored_task_runs": 4}
        ),
    ):
        progress.change_flow_run(FLOW, change)

    assert (progress.name, progress.flow_name) == ("calm-bay", "etl")
    assert (progress.state_type, progress.state_name) == ("FAILED", "Failed")
    assert [move.name for move in progress.history] == ["Pending", "Running", "Failed"]
    assert progress.restored == 4


def test_child_flows_are_counted_with_what_they_call() -> None:
    """Runs of a flow are one group below their caller, whichever run made the call."""
    story = Story()
    progress = story.progress
    for child, path in ((b"c", "child-0"), (b"d", "child-1"), (b"e", "work-0/child-0")):
        progress.change_flow_run(
            child,
            FlowRunChange(
                [Move("PENDING", "Pending", 1.0)],
                flow_name="child",
                created_at=1.0,
                parent_flow_run_id=FLOW.hex(),
                details={"path": path},
            ),
        )
        story.task(child + b"1", created("load"), within=child)
    ended = FlowRunChange(
        [Move("RUNNING", "Running", 2.0), Move("COMPLETED", "Completed", 4.0)]
    )
    progress.change_flow_run(b"c", ended)

    child = progress.root.members[True, "child"]
    assert counts(child) == {"completed": 1, "waiting": 1}
    assert child.seconds == 2.0
    assert child.members[False, "load"].total == 2
    assert progress.root.members[False, "work"].members[True, "child"].total == 1
    assert progress.has_ended(b"c")
    assert not progress.has_ended(b"d")
    assert not progress.has_ended(FLOW)


def test_completed_tasks_of_a_task_that_calls_many_are_put_together() -> None:
    """Those that did not complete keep a line of their own; a flow's tasks always do."""
    story = Story()
    story.task(b"t", created("dbt"))
    for number in range(MANY + 1):
        end = ("FAILED", "Failed", 3.0) if number == 2 else ("COMPLETED", "Cached", 4.0)
        change = created(f"model{number}", ("RUNNING", "Running", 1.0), end)
        change.path = f"dbt-0/model{number}-0"
        story.task(b"%d" % number, change)
        story.task(b"own%d" % number, created(f"own{number}"))

    told = list(outline(story.progress.root))

    own = [(0, f"own{number}") for number in range(MANY + 1)]
    nested = [(1, "model2"), (1, f"{MANY} tasks")]
    assert [(depth, group.name) for depth, group in told] == [(0, "dbt"), *nested, *own]
    together = told[2][1]
    assert (together.total, together.completed, together.seconds) == (
        MANY,
        MANY,
        3.0 * MANY,
    )
    assert (together.started_at, together.ended_at) == (1.0, 4.0)


@pytest.mark.parametrize("kind", StateType)
def test_every_kind_of_state_has_a_stage(kind: StateType) -> None:
    """Kinds that are no end of a run count as open."""
    is_open = stage_of(kind.value, NAMES[kind][0]) in {Stage.WAITING, Stage.RUNNING}

    assert is_open == (kind.name not in {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.sampled_from(MOVES), min_size=1)),
        max_size=30,
    )
)
def test_counts_are_those_of_the_last_states(
    news: list[tuple[int, list[tuple[str, str]]]],
) -> None:
    """Whatever the runs go through, each is counted once, in the stage of its last state, with the time it was running."""
    story = Story()
    last: dict[int, tuple[str, str]] = {}
    running_since: dict[int, float] = {}
    seconds = Counter[str]()
    at = 0.0
    for number, moves in news:
        at += 1.0
        change = moved(*((kind, name, at) for kind, name in moves))
        change.task_name = f"task {number % 2}" if number not in last else None
        last[number] = moves[-1]
        if number in running_since:
            seconds[f"task {number % 2}"] += at - running_since.pop(number)
        if moves[-1][0] == "RUNNING":
            running_since[number] = at
        story.task(bytes([number]), change)

    for (_, name), group in story.progress.root.members.items():
        mine = [last[number] for number in last if f"task {number % 2}" == name]
        expected = count_stages(stage_of(*state) for state in mine)
        counted = {stage: count for stage, count in group.counts.items() if count}
        assert counted == expected
        assert group.total == len(mine)
        assert group.done + group.open == group.total
        assert group.seconds == seconds[name]


def count_stages(stages: Iterable[Stage]) -> dict[Stage, int]:
    """Return how often each stage occurs."""
    counted: dict[Stage, int] = {}
    for stage in stages:
        counted[stage] = counted.get(stage, 0) + 1
    return counted
