"""The counts that a flow run's history adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.model.progress import Progress, RunGroup, Stage, stage_of
from caudal.model.runs import FlowRunChange, FlowRunRow, Move, TaskRunChange
from caudal.model.states import NAMES, StateType

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def test_a_run_is_counted_where_it_is_last() -> None:
    """Each task run is counted once, whatever it went through."""
    progress = Progress()

    progress.change_task_run(b"1", created("load", ("RUNNING", "Running", 1.0)))
    progress.change_task_run(b"2", created("load"))
    progress.change_task_run(b"3", created("clean"))

    assert counts(progress.tasks["load"]) == {"running": 1, "waiting": 1}
    progress.change_task_run(b"1", moved(("COMPLETED", "Completed", 3.0)))
    progress.change_task_run(
        b"2", moved(("RUNNING", "Running", 3.0), ("FAILED", "TimedOut", 4.0))
    )
    assert counts(progress.tasks["load"]) == {"completed": 1, "failed": 1}
    assert list(progress.tasks) == ["load", "clean"]
    assert (progress.tasks["load"].total, progress.tasks["load"].open) == (2, 0)


def test_run_time_leaves_out_what_a_run_waits_between_attempts() -> None:
    """The seconds of a task are those in which its runs were running."""
    progress = Progress()

    progress.change_task_run(b"1", created("load", ("RUNNING", "Running", 10.0)))
    progress.change_task_run(
        b"1", moved(("SCHEDULED", "AwaitingRetry", 12.0), ("RUNNING", "Retrying", 62.0))
    )
    progress.change_task_run(b"1", moved(("COMPLETED", "Completed", 63.0)))

    group = progress.tasks["load"]
    assert (group.seconds, group.started_at, group.ended_at) == (3.0, 10.0, 63.0)


def test_results_from_the_cache_count_as_completed() -> None:
    """A cached run completed, and is counted apart as well."""
    progress = Progress()

    progress.change_task_run(b"1", created("load", ("COMPLETED", "Cached", 1.0)))

    group = progress.tasks["load"]
    assert (group.completed, group.counts[Stage.CACHED], group.done) == (1, 1, 1)


def test_tasks_are_told_in_the_order_in_which_they_were_called() -> None:
    """A task that calls another comes first, though the other ends first."""
    progress = Progress()
    inner, outer, other = (
        TaskRunChange([Move("PENDING", "Pending", at)], task_name=name, created_at=at)
        for name, at in (("inner", 2.0), ("outer", 1.0), ("inner", 3.0))
    )

    for number, change in enumerate((inner, outer, other)):
        progress.change_task_run(bytes([number]), change)

    assert [group.name for group in progress.tasks_in_order] == ["outer", "inner"]


def test_a_run_whose_input_failed_is_done_without_having_started() -> None:
    """A run that will never start is not waited for."""
    progress = Progress()

    progress.change_task_run(b"1", created("load", ("PENDING", "NotReady", 1.0)))

    assert counts(progress.tasks["load"]) == {"blocked": 1}
    assert progress.tasks["load"].done == 1


def test_a_resumed_flow_counts_a_task_run_that_runs_again_once() -> None:
    """A new attempt at a task run moves it, though its event does not name the task."""
    progress = Progress()
    progress.change_task_run(
        b"1", created("load", ("RUNNING", "Running", 1.0), ("CRASHED", "Crashed", 2.0))
    )

    progress.change_task_run(b"1", moved(("RUNNING", "Running", 5.0)))
    progress.change_task_run(b"1", moved(("COMPLETED", "Completed", 6.0)))

    assert counts(progress.tasks["load"]) == {"completed": 1}
    assert progress.tasks["load"].seconds == 2.0


def test_peak_tells_a_mapped_task_from_one_that_is_called_again_and_again() -> None:
    """The peak is the most runs that were open at a time."""
    progress = Progress()

    for number in range(3):
        run = created("one by one", ("COMPLETED", "Completed", 1.0))
        progress.change_task_run(b"a%d" % number, run)
        progress.change_task_run(b"b%d" % number, created("mapped"))

    assert (progress.tasks["one by one"].peak, progress.tasks["mapped"].peak) == (0, 3)


def test_changes_without_moves_change_nothing() -> None:
    """Facts that become known about a run do not count it again."""
    progress = Progress()
    progress.change_task_run(b"1", created("load"))

    progress.change_task_run(b"1", TaskRunChange(details={"rows": 7}))

    assert counts(progress.tasks["load"]) == {"waiting": 1}


def test_the_flow_runs_own_events_tell_its_name_and_history() -> None:
    """Names come with the first event, states with each, restored task runs with the last."""
    progress = Progress()

    progress.change_flow_run(
        FlowRunChange(
            [Move("PENDING", "Pending", 0.0)], name="calm-bay", flow_name="etl"
        )
    )
    progress.change_flow_run(FlowRunChange([Move("RUNNING", "Running", 1.0)]))
    progress.change_flow_run(
        FlowRunChange(
            [Move("FAILED", "Failed", 2.0)], details={"restored_task_runs": 4}
        )
    )

    assert (progress.name, progress.flow_name) == ("calm-bay", "etl")
    assert (progress.state_type, progress.state_name) == ("FAILED", "Failed")
    assert [move.name for move in progress.history] == ["Pending", "Running", "Failed"]
    assert progress.restored == 4


def test_child_flow_runs_are_counted_anew_each_time() -> None:
    """Rows of child flow runs replace the counts of the rows before."""
    progress = Progress()
    running = FlowRunRow(b"1", "a", "child", "RUNNING", "Running", 1.0, 0.0, 1.0)
    ended = FlowRunRow(b"1", "a", "child", "COMPLETED", "Completed", 3.0, 0.0, 1.0, 3.5)

    progress.count_children([running])
    assert counts(progress.children["child"]) == {"running": 1}
    progress.count_children([ended, running])

    child = progress.children["child"]
    assert counts(child) == {"completed": 1, "running": 1}
    assert (child.seconds, child.started_at, child.ended_at) == (2.5, 1.0, 3.5)


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
    """Whatever the runs go through, each is counted once, in the stage of its last state."""
    progress = Progress()
    last: dict[int, tuple[str, str]] = {}
    at = 0.0
    for number, moves in news:
        at += 1.0
        change = moved(*((kind, name, at) for kind, name in moves))
        change.task_name = f"task {number % 2}" if number not in last else None
        last[number] = moves[-1]
        progress.change_task_run(bytes([number]), change)

    for name, group in progress.tasks.items():
        mine = [last[number] for number in last if f"task {number % 2}" == name]
        expected = count_stages(stage_of(*state) for state in mine)
        assert {
            stage: count for stage, count in group.counts.items() if count
        } == expected
        assert group.total == len(mine)
        assert group.done + group.open == group.total
        assert group.seconds >= 0


def count_stages(stages: Iterable[Stage]) -> dict[Stage, int]:
    """Return how often each stage occurs."""
    counted: dict[Stage, int] = {}
    for stage in stages:
        counted[stage] = counted.get(stage, 0) + 1
    return counted


def test_a_group_lasts_from_its_first_start_to_its_last_end() -> None:
    """The order in which runs are heard of does not matter."""
    progress = Progress()
    waiting = FlowRunRow(b"1", "a", "child", "PENDING", "Pending", 1.0, 0.0)
    late = FlowRunRow(b"2", "a", "child", "COMPLETED", "Completed", 9.0, 0.0, 5.0, 9.0)
    early = FlowRunRow(b"3", "a", "child", "COMPLETED", "Completed", 3.0, 0.0, 1.0, 3.0)

    progress.count_children([waiting, late, early])

    child = progress.children["child"]
    assert (child.started_at, child.ended_at, child.seconds) == (1.0, 9.0, 6.0)


def test_an_event_may_tell_of_an_attempt_alone() -> None:
    """Facts about the flow run that are no move leave its state as it is."""
    progress = Progress()

    progress.change_flow_run(FlowRunChange(attempt=2))

    assert (progress.state_name, progress.history) == ("Pending", [])
