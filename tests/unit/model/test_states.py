"""The states of runs, the moves between them, and the value that describes one."""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from caudal.exceptions import (
    CancelledRun,
    CrashedRun,
    FailedRun,
    MissingResult,
    PausedRun,
    UnfinishedRun,
)
from caudal.model.states import (
    MISSING,
    NAMES,
    REOPENINGS,
    TERMINAL,
    TRANSITIONS,
    State,
    StateDetails,
    StateType,
    can_move,
    is_terminal,
)

OPEN = frozenset(StateType) - TERMINAL


class Box:
    """A value kept elsewhere."""

    is_stored = True

    def get(self) -> str:
        """Return the value."""
        return "kept"


def test_every_kind_has_its_transitions_and_names() -> None:
    """No kind of state is forgotten, and each begins with its plain name."""
    assert set(StateType) == set(TRANSITIONS) == set(NAMES)
    for kind, (plain, *_) in NAMES.items():
        assert plain.upper() == kind.value
    names = [name for several in NAMES.values() for name in several]
    assert len(names) == len(set(names))


def test_an_ended_run_goes_nowhere_by_itself() -> None:
    """Terminal kinds have no way out, and every open kind has a way to an end."""
    assert all(not TRANSITIONS[kind] for kind in TERMINAL)
    assert all(TRANSITIONS[kind] & TERMINAL for kind in OPEN)
    assert {kind for kind in StateType if is_terminal(kind)} == TERMINAL


@pytest.mark.parametrize("source", list(StateType))
@pytest.mark.parametrize("target", list(StateType))
def test_moves_follow_the_table(source: StateType, target: StateType) -> None:
    """A move is legal when the table has it, and reopening adds only its own moves."""
    allowed = target in TRANSITIONS[source]
    assert allowed == can_move(source, target)
    assert allowed == can_move(source.value, target.value)
    reopened = allowed or target in REOPENINGS.get(source, ())
    assert reopened == can_move(source, target, reopen=True)


def test_every_ended_run_can_be_reopened() -> None:
    """What has ended may start again, and nothing ends by being reopened."""
    assert set(REOPENINGS) == TERMINAL
    assert all(targets <= OPEN for targets in REOPENINGS.values())


def test_a_cancelling_run_only_ends() -> None:
    """Cancelling cannot be taken back."""
    ends = {StateType.CANCELLED, StateType.CRASHED}
    assert TRANSITIONS[StateType.CANCELLING] == ends


def test_an_unknown_kind_is_an_error() -> None:
    """A word that is no state is not taken for one."""
    with pytest.raises(ValueError, match="NOWHERE"):
        can_move("RUNNING", "NOWHERE")


def test_a_state_has_its_plain_name_unless_it_is_given_one() -> None:
    """Name and kind print as a person would say them."""
    assert State("RUNNING").name == "Running"
    state = State(StateType.RUNNING, "Retrying", "second try")
    assert (str(state), str(State("RUNNING"))) == (
        "Retrying('second try')",
        "Running()",
    )
    assert repr(state) == "Retrying(message='second try', type=RUNNING)"


def test_a_state_says_which_kind_it_is() -> None:
    """Each kind answers yes to its own question and no to the others."""
    questions = {
        "SCHEDULED": State.is_scheduled,
        "PENDING": State.is_pending,
        "RUNNING": State.is_running,
        "COMPLETED": State.is_completed,
        "FAILED": State.is_failed,
        "CRASHED": State.is_crashed,
        "CANCELLED": State.is_cancelled,
        "CANCELLING": State.is_cancelling,
        "PAUSED": State.is_paused,
    }
    for kind in StateType:
        state = State[None](kind)
        assert [kind.value] == [k for k, asks in questions.items() if asks(state)]
        assert state.is_final() == is_terminal(kind)


def test_a_timestamp_is_aware_utc() -> None:
    """Seconds and datetimes mean the same moment."""
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    assert State("RUNNING").timestamp is None
    assert State("RUNNING", timestamp=moment).timestamp == moment
    assert State("RUNNING", timestamp=moment.timestamp()).timestamp == moment


def test_details_are_named_fields() -> None:
    """Unknown fields are an error that lists the known ones."""
    details = StateDetails(cache_key="k", retriable=False)
    assert (details.cache_key, details.retriable) == ("k", False)
    assert details.task_run_id is None
    assert repr(details) == "StateDetails(cache_key='k', retriable=False)"
    with pytest.raises(TypeError, match=r"no field 'color'; it has cache_expiration"):
        StateDetails(color=1)


def test_details_are_given_as_fields() -> None:
    """As JSON they are texts; answers that nobody gave are no."""
    run_id = UUID(int=5)
    details = StateDetails(flow_run_id=run_id, pause_reschedule=True)
    fields = details.model_dump()
    assert (fields["flow_run_id"], fields["cache_key"]) == (run_id, None)
    assert (fields["pause_reschedule"], fields["deferred"]) == (True, False)
    assert details.model_dump(mode="json", exclude_none=True) == {
        "flow_run_id": str(run_id), "pause_reschedule": True, "deferred": False, "untrackable_result": False,
    }  # fmt: skip


def test_a_state_knows_its_run() -> None:
    """A run's own state names the run, a state that code made does not."""
    task, flow = bytes(15) + b"\x01", bytes(15) + b"\x02"
    state = State[None]("COMPLETED").of_run(task, flow)
    assert state.belongs_to_run
    assert state.state_details.task_run_id.bytes == task
    assert state.state_details.flow_run_id.bytes == flow
    assert not State[None]("COMPLETED").belongs_to_run
    assert State[None]("COMPLETED").state_details.task_run_id is None


def test_a_state_has_one_identity() -> None:
    """Asking twice gives the same id; a copy has its own and no time."""
    state = State[int]("COMPLETED", message="m", data=1, timestamp=5.0)
    copy = state.fresh_copy()
    assert state.id == state.id
    assert (copy.type, copy.message, copy.data) == (state.type, "m", 1)
    assert copy.timestamp is None
    assert copy.id != state.id
    own = UUID(int=7)
    assert State("COMPLETED", id=own).id == State("COMPLETED", id=str(own)).id == own


def test_states_compare_by_which_they_are() -> None:
    """Two that say the same are two, unless they are the state of one run since one time."""
    assert State("FAILED", message="a") != State("FAILED", message="a")
    assert State("FAILED") != "FAILED"
    assert len({State("FAILED"), State("FAILED")}) == 2
    state = State[None]("FAILED")
    assert state == State("FAILED", id=state.id)
    run, other = b"r" * 16, b"o" * 16

    def of(run_id: bytes, at: float) -> State[None]:
        return State[None]("FAILED", data=None, timestamp=at).of_run(run_id, None)

    assert of(run, 1.0) == of(run, 1.0)
    assert len({of(run, 1.0), of(run, 1.0), of(run, 2.0), of(other, 1.0)}) == 3


def test_a_copy_has_what_is_given_and_keeps_the_rest() -> None:
    """Data and details of the copy can be changed without the original."""
    state = State[Any]("COMPLETED", message="m", data=[1], state_details={"cache_key": "k"})  # fmt: skip
    copy = state.model_copy(update={"name": "Skipped"}, deep=True)
    copy.data.append(2)
    copy.state_details.cache_key = "other"
    assert (copy.name, copy.message, copy.id) == ("Skipped", "m", state.id)
    assert (state.name, state.data, state.state_details.cache_key) == ("Completed", [1], "k")  # fmt: skip
    assert state.model_copy().data is state.data


def test_a_state_travels_by_pickle() -> None:
    """Kind, name, message, data and time arrive, and so does the sign of a result that was not kept."""
    state = State("COMPLETED", "Cached", "m", {"a": 1}, 5.0)
    copy = pickle.loads(pickle.dumps(state))  # noqa: S301 - its own
    assert (copy, copy.at, copy.data) == (state, 5.0, {"a": 1})
    own = pickle.loads(pickle.dumps(State("FAILED", timestamp=1.0).of_run(b"r" * 16, None)))  # noqa: S301 # fmt: skip
    assert own.belongs_to_run
    missing = State("COMPLETED", data=MISSING)
    assert pickle.loads(pickle.dumps(missing)).data is MISSING  # noqa: S301 - its own
    assert repr(MISSING) == "<result not kept>"


def test_a_completed_run_gives_its_result() -> None:
    """The value itself, or the one it was stored as."""
    assert State("COMPLETED", data=3).result() == 3
    assert State("COMPLETED", data=Box()).result() == "kept"


def test_a_result_that_was_not_kept_is_an_error() -> None:
    """The error says how to keep results."""
    with pytest.raises(MissingResult, match="persist_result=True"):
        State("COMPLETED", data=MISSING).result()


def test_a_result_is_awaited_inside_an_event_loop() -> None:
    """In a coroutine the same call gives an awaitable; aresult is one everywhere."""

    async def read() -> tuple[int, int]:
        state = State[int]("COMPLETED", data=3)
        return await state.result(), await state.aresult()  # type: ignore[misc]

    assert asyncio.run(read()) == (3, 3)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("FAILED", FailedRun), ("CRASHED", CrashedRun), ("CANCELLED", CancelledRun)],
)
def test_a_run_that_ended_badly_raises(kind: str, error: type[Exception]) -> None:
    """Without an exception the message is raised as the error of that kind."""
    with pytest.raises(error, match="why"):
        State(kind, message="why").result()
    with pytest.raises(error, match="The run is"):
        State(kind).result()
    returned = State(kind, data="in text").result(raise_on_failure=False)
    assert (type(returned), str(returned)) == (error, "in text")


def test_a_failed_run_raises_its_exception() -> None:
    """The exception itself, that of a state inside, or that of the first state in a list that did not complete."""
    cause = KeyError("k")
    inner = State("FAILED", data=cause)
    states = [State("COMPLETED", data=1), inner, State("FAILED", data=ValueError())]
    for data in (cause, inner, states, tuple(states)):
        with pytest.raises(KeyError) as caught:
            State("FAILED", data=data).result()
        assert caught.value is cause
    with pytest.raises(FailedRun):
        State("FAILED", data=[State("COMPLETED", data=1)]).result()


@pytest.mark.parametrize(
    ("kind", "error"),
    [("RUNNING", UnfinishedRun), ("PENDING", UnfinishedRun), ("PAUSED", PausedRun)],
)
def test_a_run_that_has_not_ended_has_no_result(
    kind: str, error: type[Exception]
) -> None:
    """Asking is an error, whoever asks to have failures returned: it has not failed."""
    for raises in (True, False):
        with pytest.raises(error, match="no result yet"):
            State(kind).result(raise_on_failure=raises)


def test_a_run_that_could_not_start_raises_the_reason() -> None:
    """NotReady carries what kept the run from starting."""
    state = State("PENDING", "NotReady", data=LookupError("upstream"))
    with pytest.raises(LookupError, match="upstream"):
        state.result()
    assert state.result(raise_on_failure=False) is state.data
