"""States as users make and read them."""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from caudal import states
from caudal.exceptions import (
    CancelledRun,
    CrashedRun,
    FailedRun,
    MissingResult,
    PausedRun,
    RemoteError,
)
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


def test_paused_states_say_when_they_end() -> None:
    """A number of seconds and a time are two ways to say it; both at once are refused."""
    paused = states.Paused(timeout_seconds=60, pause_key="approve")
    details = paused.state_details
    assert details.pause_timeout > datetime.now(UTC)  # noqa: TID251
    assert (details.pause_key, details.pause_reschedule) == ("approve", False)
    assert states.Suspended().state_details.pause_reschedule is True
    with pytest.raises(ValueError, match="give one of"):
        states.Paused(1, datetime(2026, 1, 1, tzinfo=UTC))


def test_states_that_code_makes_have_a_time_and_take_any_field() -> None:
    """The time is now unless it is given; details may be given by name, the identity too."""
    before = datetime.now(UTC)  # noqa: TID251
    made = states.Completed()
    assert made.timestamp is not None
    assert before <= made.timestamp
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert states.Failed(timestamp=at, id=UUID(int=3)).timestamp == at
    assert states.Failed(id=UUID(int=3)).id == UUID(int=3)
    late = states.Late(at, state_details={"cache_key": "k"})
    assert late.state_details.scheduled_time == at
    assert late.state_details.cache_key == "k"
    assert states.Completed().state_details.pause_reschedule is False


def test_a_scheduled_time_is_given_once() -> None:
    """Two times contradict each other."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    details = states.StateDetails(scheduled_time=at)
    with pytest.raises(ValueError, match="given twice"):
        states.Scheduled(at, state_details=details)


@pytest.mark.parametrize(
    "state",
    [
        states.Completed(data={"rows": [1, 2.5, None]}, message="fine"),
        states.Completed(data={"value": 3}),
        states.Scheduled(datetime(2026, 1, 2, tzinfo=UTC)),
        states.Paused(pause_expiration_time=datetime(2026, 1, 2, tzinfo=UTC)),
        states.Pending(timestamp=datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)),
        states.AwaitingRetry(
            state_details=states.StateDetails(flow_run_id=UUID(int=7))
        ),
    ],
)
def test_a_state_comes_back_from_json(state: State[Any]) -> None:
    """Kind, name, message, data, time, details and identity are those that were written."""
    copy = State.model_validate_json(state.model_dump_json())
    assert copy == state
    assert (copy.id, copy.timestamp) == (state.id, state.timestamp)
    assert copy.state_details == state.state_details
    assert State.model_validate(state.model_dump()) == state


def test_what_json_cannot_hold_is_told_apart() -> None:
    """An exception keeps type and text, another value is a result that was not kept."""
    failed = states.Failed(data=ValueError("no water"))
    copy = State.model_validate_json(failed.model_dump_json())
    with pytest.raises(RemoteError, match="ValueError: no water"):
        copy.result()
    done = states.Completed(data=object())
    with pytest.raises(MissingResult):
        State.model_validate_json(done.model_dump_json()).result()


def test_a_pickled_state_keeps_its_details() -> None:
    """States travel to worker processes."""
    state = states.Paused(pause_key="approve")
    copy = pickle.loads(pickle.dumps(state))  # noqa: S301 - our own bytes
    assert copy.state_details == state.state_details


def test_groups_count_states() -> None:
    """Kinds are counted, and asked for by what they mean."""
    group = states.StateGroup([states.Completed(), states.Failed(), states.Running()])
    assert (group.total_count, group.final_count, group.fail_count) == (3, 2, 1)
    assert group.any_failed()
    assert not group.any_paused()
    assert not group.any_cancelled()
    assert not group.all_completed()
    assert not group.all_final()
    assert "not_final=1" in repr(group)


def test_the_exception_of_a_state_is_had_in_both_worlds() -> None:
    """Plain code gets it, a coroutine awaits it; a state without one is refused."""
    failed = states.Failed(data=ValueError("no"))
    assert isinstance(states.get_state_exception(failed), ValueError)
    with pytest.raises(ValueError, match="only failed"):
        states.get_state_exception(states.Completed())

    async def main() -> None:
        assert isinstance(await states.aget_state_exception(failed), ValueError)
        waited: Any = states.raise_state_exception(failed)
        with pytest.raises(ValueError, match="no"):
            await waited
        with pytest.raises(ValueError, match="no"):
            await states.araise_state_exception(failed)

    asyncio.run(main())


def test_states_are_made_of_exceptions_and_values() -> None:
    """The functions that Prefect's engine makes states with give the same."""

    async def main() -> None:
        try:
            raise ValueError("no")  # noqa: TRY301 - it has to be under way
        except ValueError:
            failed = await states.exception_to_failed_state(message="Load:")
        assert (failed.message, failed.name) == ("Load: ValueError: no", "Failed")
        with pytest.raises(ValueError, match="needs an exception"):
            await states.exception_to_failed_state()
        crashed = await states.exception_to_crashed_state(KeyboardInterrupt())
        assert crashed.message == "Execution was aborted by an interrupt signal."
        combined = await states.return_value_to_state([failed, crashed])
        assert combined.is_failed()

    asyncio.run(main())
    assert states.is_state_iterable([states.Completed()])
    assert not states.is_state_iterable([states.Completed(), 1])
    assert not states.is_state_iterable([])
    error = ValueError("no")
    assert states.format_exception(error) == "ValueError: no"
