"""What changes add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from caudal.model.runs import (
    FlowRunChange,
    FlowRunRow,
    Move,
    TaskCounts,
    TaskRunChange,
    TaskRunRow,
    add_counts,
    count_change,
    fold_flow_run,
    fold_task_run,
)
from caudal.model.states import StateType, is_terminal

RUN, PARENT, OWNER = (bytes([number]) * 16 for number in (1, 2, 3))

moves = st.lists(
    st.builds(
        Move,
        st.sampled_from([kind.value for kind in StateType]),
        st.just("Name"),
        st.floats(1, 100),
        st.none() | st.text(max_size=3),
    ),
    max_size=6,
)


def created_flow_run() -> FlowRunRow:
    """Return the row of a flow run that was just created."""
    change = FlowRunChange(
        name="brave-otter",
        flow_name="ingest",
        created_at=10.0,
        parent_flow_run_id=PARENT.hex(),
        parameters={"day": 1},
        tags=["daily"],
        owner=OWNER.hex(),
        attempt=1,
        details={"version": "2"},
    )
    return fold_flow_run(None, RUN, change)


def test_the_first_change_makes_a_flow_run() -> None:
    """A flow run starts PENDING, at the time it was created, with what its creation says."""
    expected = FlowRunRow(
        RUN,
        "brave-otter",
        "ingest",
        "PENDING",
        "Pending",
        10.0,
        10.0,
        parent_flow_run_id=PARENT,
        owner=OWNER,
        parameters={"day": 1},
        tags=["daily"],
        details={"version": "2"},
    )
    assert expected == created_flow_run()


def test_moves_set_the_state_and_times_of_a_flow_run() -> None:
    """The first start stays, the end goes when the run goes on, and starts are counted."""
    row = created_flow_run()
    row = fold_flow_run(row, RUN, FlowRunChange([Move("RUNNING", "Running", 11.0)]))
    assert (row.started_at, row.ended_at, row.run_count) == (11.0, None, 1)
    failed = Move("FAILED", "TimedOut", 12.0, "too slow")
    row = fold_flow_run(row, RUN, FlowRunChange([failed]))
    assert (row.state_type, row.state_name, row.state_at) == (
        "FAILED",
        "TimedOut",
        12.0,
    )
    assert (row.ended_at, row.details["message"]) == (12.0, "too slow")
    again = [
        Move("SCHEDULED", "AwaitingRetry", 13.0),
        Move("RUNNING", "Retrying", 14.0),
    ]
    row = fold_flow_run(row, RUN, FlowRunChange(again))
    assert (row.started_at, row.ended_at, row.run_count) == (11.0, None, 2)
    assert row.details == {"version": "2", "message": None}


def test_an_owner_stays_until_a_change_names_one() -> None:
    """No word about the owner keeps it, None takes it away."""
    row = created_flow_run()
    assert fold_flow_run(row, RUN, FlowRunChange()).owner == OWNER
    change = FlowRunChange(owner=PARENT.hex(), attempt=2)
    taken = fold_flow_run(row, RUN, change)
    assert (taken.owner, taken.attempt) == (PARENT, 2)
    assert fold_flow_run(taken, RUN, FlowRunChange(owner=None)).owner is None


def test_a_run_takes_as_long_as_its_last_attempt() -> None:
    """The time between two attempts is nobody's."""
    ran = [Move("RUNNING", "Running", 11.0), Move("CRASHED", "Crashed", 60.0)]
    row = fold_flow_run(created_flow_run(), RUN, FlowRunChange(ran))
    again = FlowRunChange([Move("RUNNING", "Running", 70.0)], attempt=2)
    row = fold_flow_run(row, RUN, again)
    row = fold_flow_run(row, RUN, FlowRunChange([Move("COMPLETED", "Completed", 71.0)]))
    assert (row.created_at, row.started_at, row.ended_at) == (10.0, 70.0, 71.0)


def test_a_run_can_be_renamed() -> None:
    """A name that becomes known later replaces the first one."""
    row = fold_flow_run(created_flow_run(), RUN, FlowRunChange(name="calm-heron"))
    assert row.name == "calm-heron"
    task = fold_task_run(None, RUN, PARENT, TaskRunChange(name="load-0"))
    assert fold_task_run(task, RUN, PARENT, TaskRunChange(name="x")).name == "x"


def test_a_task_run_that_ended_before_it_was_written_is_one_change() -> None:
    """Start, end and facts of a task run fit into the change that creates it."""
    change = TaskRunChange(
        [Move("RUNNING", "Running", 2.0), Move("COMPLETED", "Completed", 3.0)],
        name="load-0",
        task_name="load",
        path="load-0",
        created_at=1.0,
    )
    expected = TaskRunRow(
        RUN,
        PARENT,
        "load-0",
        "load",
        "load-0",
        "COMPLETED",
        "Completed",
        1.0,
        2.0,
        3.0,
        1,
    )
    assert expected == fold_task_run(None, RUN, PARENT, change)


def test_facts_about_a_task_run_are_merged() -> None:
    """A message and later facts join the earlier ones."""
    row = fold_task_run(None, RUN, None, TaskRunChange(details={"rows": 1, "a": 1}))
    failed = Move("FAILED", "Failed", 1.0, "why")
    row = fold_task_run(row, RUN, None, TaskRunChange([failed], details={"rows": 2}))
    assert row.details == {"rows": 2, "a": 1, "message": "why"}


@given(moves, moves)
def test_a_fold_leaves_the_row_it_was_given(
    first: list[Move], second: list[Move]
) -> None:
    """Rows are values: each change makes a new one."""
    task = fold_task_run(None, RUN, None, TaskRunChange(first, details={"a": 1}))
    flow = fold_flow_run(None, RUN, FlowRunChange(first, details={"a": 1}))
    copies = structs.replace(task), structs.replace(flow)
    fold_task_run(task, RUN, None, TaskRunChange(second, details={"a": 2}))
    fold_flow_run(flow, RUN, FlowRunChange(second, details={"a": 2}))
    assert copies == (task, flow)


@given(moves, moves)
def test_one_change_or_several_make_the_same_row(
    first: list[Move], second: list[Move]
) -> None:
    """How moves are cut into changes does not matter, so a journal may join them."""
    one = fold_task_run(None, RUN, None, TaskRunChange([*first, *second]))
    two = fold_task_run(None, RUN, None, TaskRunChange(first))
    assert one == fold_task_run(two, RUN, None, TaskRunChange(second))
    whole = fold_flow_run(None, RUN, FlowRunChange([*first, *second]))
    part = fold_flow_run(None, RUN, FlowRunChange(first))
    assert whole == fold_flow_run(part, RUN, FlowRunChange(second))


@given(moves)
def test_a_run_has_an_end_when_its_state_is_terminal(taken: list[Move]) -> None:
    """The time of the end and the kind of the state agree."""
    row = fold_flow_run(None, RUN, FlowRunChange(taken))
    assert is_terminal(row.state_type) == (row.ended_at is not None)
    task = fold_task_run(None, RUN, None, TaskRunChange(taken))
    assert is_terminal(task.state_type) == (task.ended_at is not None)


def test_bare_tuples_are_moves() -> None:
    """The hot path makes tuples of a move's shape."""
    change = TaskRunChange([("RUNNING", "Running", 2.0, None)])  # type: ignore[list-item]
    assert fold_task_run(None, RUN, None, change).started_at == 2.0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "PENDING", (1, 0, 0, 0)),
        (None, "COMPLETED", (1, 1, 0, 0)),
        ("PENDING", "RUNNING", (0, 0, 0, 1)),
        ("RUNNING", "COMPLETED", (0, 1, 0, -1)),
        ("RUNNING", "CRASHED", (0, 0, 1, -1)),
        ("FAILED", "RUNNING", (0, 0, -1, 1)),
        ("FAILED", "CRASHED", (0, 0, 0, 0)),
        ("RUNNING", "CANCELLED", (0, 0, 0, -1)),
    ],
)
def test_counts_change_with_the_state_of_a_task_run(
    before: str | None, after: str, expected: tuple[int, int, int, int]
) -> None:
    """A task run counts once in all, and under its state."""
    rows = [
        fold_task_run(None, RUN, PARENT, TaskRunChange([Move(kind, kind, 1.0)]))
        for kind in (before, after)
        if kind is not None
    ]
    first = rows[0] if before is not None else None
    assert TaskCounts(*expected) == count_change(first, rows[-1])


def test_counts_are_added_to_the_flow_run() -> None:
    """Differences go up and down."""
    row = add_counts(created_flow_run(), TaskCounts(3, 1, 1, 1))
    row = add_counts(row, TaskCounts(0, 1, 0, -1))
    counts = (row.task_count, row.task_completed, row.task_failed, row.task_running)
    assert counts == (3, 2, 1, 0)
