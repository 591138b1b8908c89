"""What a function returns decides the state its run ends in; the table is that of Prefect 3.8.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.exceptions import CancelledRun, FailedRun, UpstreamTaskError
from caudal.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def ok(value: int = 1) -> int:
    """Return the value."""
    return value


@task
def bad() -> None:
    """Fail."""
    raise ValueError("boom")


@task
def gives(value: Any) -> Any:
    """Return the value."""
    return value


@dataclass
class Box:
    """Holds something."""

    content: Any


ALL = "All states completed."
#: What a flow returns, and the type, name and message of the state it ends in.
TABLE: list[tuple[str, Callable[[], Any], tuple[str, str, str | None]]] = [
    ("nothing", lambda: None, ("COMPLETED", "Completed", None)),
    ("a value", lambda: 5, ("COMPLETED", "Completed", None)),
    ("an exception", lambda: ValueError("r"), ("COMPLETED", "Completed", None)),
    ("an empty list", list, ("COMPLETED", "Completed", None)),
    ("a future", lambda: ok.submit(), ("COMPLETED", "Completed", ALL)),
    ("futures", lambda: [ok.submit(), ok.submit()], ("COMPLETED", "Completed", ALL)),
    ("a map", lambda: ok.map([1, 2]), ("COMPLETED", "Completed", ALL)),
    ("futures and values", lambda: [ok.submit(), 3], ("COMPLETED", "Completed", None)),
    ("a dict of futures", lambda: {"a": bad.submit()}, ("COMPLETED", "Completed", None)),
    ("a box of futures", lambda: Box(bad.submit()), ("COMPLETED", "Completed", None)),
    ("a failed future", lambda: bad.submit(), ("FAILED", "Failed", "1/1 states failed.")),
    ("one failed future", lambda: [ok.submit(), bad.submit()], ("FAILED", "Failed", "1/2 states failed.")),
    ("a task's state", lambda: ok(return_state=True), ("COMPLETED", "Completed", ALL)),
    ("a failed task's state", lambda: bad(return_state=True), ("FAILED", "Failed", "1/1 states failed.")),
    ("a tuple of states", lambda: (ok(return_state=True), bad(return_state=True)), ("FAILED", "Failed", "1/2 states failed.")),
    ("a state", lambda: Completed(message="hi", data=5), ("COMPLETED", "Completed", "hi")),
    ("a named state", lambda: Completed(name="Skipped"), ("COMPLETED", "Skipped", None)),
    ("a failed state", lambda: Failed(message="hi"), ("FAILED", "Failed", "hi")),
    ("a crashed state", lambda: Crashed(message="hi"), ("CRASHED", "Crashed", "hi")),
    ("a cancelled state", lambda: Cancelled(message="hi"), ("CANCELLED", "Cancelled", "hi")),
    ("states", lambda: [Completed(data=1), Failed(message="x")], ("FAILED", "Failed", "1/2 states failed.")),
    ("a cancelled one of states", lambda: [Failed(), Cancelled()], ("CANCELLED", "Cancelled", "1/2 states cancelled.")),
    ("a task that did not start", lambda: ok.submit(bad.submit()), ("FAILED", "Failed", "1/1 states are not final.")),
    ("a failed task nobody asks for", lambda: (bad.submit(), None)[1], ("COMPLETED", "Completed", None)),
    ("what a task returns: futures", lambda: gives([ok.submit()]), ("COMPLETED", "Completed", None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("returns", "expected"),
    [entry[1:] for entry in TABLE],
    ids=[entry[0] for entry in TABLE],
)
def test_the_state_follows_from_what_is_returned(
    returns: Callable[[], Any], expected: tuple[str, str, str | None], record: Record
) -> None:
    """Type, name and message of the state are those of the table, in the call and on record."""
    state = flow(returns, name="around")(return_state=True)
    assert (state.type.value, state.name, state.message) == expected
    run = record.flow("around")
    assert (run.state_type, run.state_name, run.state.message) == expected


def test_a_completed_call_returns_what_the_function_returned() -> None:
    """Futures come back as states, everything else as it is."""
    around = flow(lambda: {"one": ok.submit(7), "two": [8]}, name="around")
    value = around()
    assert isinstance(value["one"], State)
    assert (value["one"].result(), value["two"]) == (7, [8])
    assert flow(lambda: ok.map([1, 2]), name="around")()[1].result() == 2


@pytest.mark.parametrize(
    ("returns", "error"),
    [
        (lambda: [ok.submit(), bad.submit()], ValueError),
        (lambda: bad(return_state=True), ValueError),
        (lambda: Failed(message="hi"), FailedRun),
        (lambda: Failed(data=KeyError("own")), KeyError),
        (lambda: Cancelled(message="hi"), CancelledRun),
        (lambda: ok.submit(bad.submit()), UpstreamTaskError),
        (Paused, FailedRun),
    ],
)
def test_a_call_that_ends_badly_raises(
    returns: Callable[[], Any], error: type[Exception]
) -> None:
    """The cause is raised as itself where there is one."""
    with pytest.raises(error):
        flow(returns, name="around")()


@pytest.mark.parametrize("make", [Running, Pending, Paused, Scheduled, Cancelling])
def test_a_returned_state_that_is_no_end_is_a_failure(
    make: Callable[[], State[Any]], record: Record
) -> None:
    """The run is over, and does not stay open on record; its message says what to do instead."""
    step = task(name="step")(make)
    for state in (flow(make, name="around")(return_state=True), step(return_state=True)):  # fmt: skip
        assert state.is_failed()
        assert f"It returned {make()}, which is no end of a run." in (state.message or "")  # fmt: skip
        with pytest.raises(FailedRun, match="no end of a run"):
            state.result()
    assert record.flow("around").state_name == "Failed"
    assert record.task("step").state_name == "Failed"


def test_a_flow_that_returns_the_state_of_a_paused_run_fails() -> None:
    """Nobody would take it up again."""
    paused: State[Any] = Paused().of_run(None, b"x" * 16)
    state = flow(lambda: paused, name="around")(return_state=True)
    assert (state.type.value, state.message) == ("FAILED", "1/1 states paused.")


def test_a_flow_returned_by_a_flow_counts_like_a_task() -> None:
    """The state of a nested flow decides about the outer one."""

    @flow
    def inner() -> None:
        raise ValueError

    state = flow(lambda: inner(return_state=True), name="around")(return_state=True)
    assert (state.type.value, state.message) == ("FAILED", "1/1 states failed.")
