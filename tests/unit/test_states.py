"""States as users make and read them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from caudal import states
from caudal.exceptions import CancelledRun, CrashedRun, FailedRun, PausedRun
from caudal.states import State, StateType, raise_state_exception


@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        (states.Scheduled, "SCHEDULED", "Scheduled"),
        (states.Late, "SCHEDULED", "Late"),
        (states.AwaitingRetry, "SCHEDULED", "AwaitingRetry"),
        (states.AwaitingConcurrencySlot, "SCHEDULED", "AwaitingConcurrencySlot"),
        (states.Pending, "PENDING", "Pending"),
        (states.Submitting, "PENDING", "Submitting"),
        (states.InfrastructurePending, "PENDING", "InfrastructurePending"),
        (states.Running, "RUNNING", "Running"),
        (states.Retrying, "RUNNING", "Retrying"),
        (states.Completed, "COMPLETED", "Completed"),
        (states.Failed, "FAILED", "Failed"),
        (states.Crashed, "CRASHED", "Crashed"),
        (states.Cancelling, "CANCELLING", "Cancelling"),
        (states.Cancelled, "CANCELLED", "Cancelled"),
        (states.Paused, "PAUSED", "Paused"),
        (states.Suspended, "PAUSED", "Suspended"),
    ],
)
def test_each_function_makes_its_state(make: Any, kind: str, name: str) -> None:
    """Type and name are those of Prefect 3; a message can be given."""
    state: State[Any] = make(message="why")
    assert (state.type, state.name, state.message) == (StateType(kind), name, "why")
    assert states.__all__


def test_scheduled_states_carry_their_time() -> None:
    """When the run is due is a detail of the state."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert states.Scheduled(scheduled_time=at).state_details.scheduled_time == at
    assert states.Pending().state_details.scheduled_time is None


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (states.Failed(data=ValueError("x")), ValueError),
        (states.Failed(message="x"), FailedRun),
        (states.Crashed(message="x"), CrashedRun),
        (states.Cancelled(message="x"), CancelledRun),
    ],
)
def test_bad_ends_are_raised(state: State[Any], error: type[Exception]) -> None:
    """`raise_state_exception` raises what `result` would."""
    for ask in (raise_state_exception, State.result):
        with pytest.raises(error, match="x"):
            ask(state)


def test_other_states_raise_nothing() -> None:
    """A state that is no bad end has no exception."""
    for state in (states.Completed(), states.Running(), states.Paused()):
        raise_state_exception(state)


def test_results_can_be_awaited() -> None:
    """Where an event loop runs, `result` is awaited, as in Prefect."""

    async def main() -> tuple[Any, Any]:
        done = states.Completed(data=5)
        return await done.result(), await done.aresult()

    assert asyncio.run(main()) == (5, 5)
    with pytest.raises(PausedRun):
        states.Paused().result()
