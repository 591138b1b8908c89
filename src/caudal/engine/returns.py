"""Turns what a function returned into the final state of its run, as Prefect 3 does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.inputs import Pending, find, rebuild
from caudal.engine.masking import masked
from caudal.exceptions import CancelRequested, DeadlineReached
from caudal.model.states import State, StateType

if TYPE_CHECKING:
    from caudal.engine.parts import InputRun

_ITERABLES = (list, tuple, set, frozenset)


def awaited_runs(value: Any) -> list[InputRun]:
    """Return the task runs behind the futures in a returned value."""
    return [item.run for item in find((value,), {}) if isinstance(item, Pending)]


def final_state(value: Any) -> State[Any]:
    """Return the state that a returned value stands for.

    A state that the function made itself is taken as it is. A future, a state of another run, or a collection of nothing but those stands for
    what became of these runs. Anything else is the result of a completed run. Futures in it, whose runs have to be done, are replaced by states.

    Args:
        value: What the function returned.
    """
    value = _with_states(value)
    if isinstance(value, State):
        state = cast("State[Any]", value)
        if not state.belongs_to_run:
            return state if state.is_final() else _unfinished(state)
        return _combine([state], value)
    if isinstance(value, _ITERABLES):
        items = list(cast("list[Any]", value))
        if items and all(isinstance(item, State) for item in items):
            return _combine(items, value)
    return State(StateType.COMPLETED, data=value)


def _unfinished(state: State[Any]) -> State[Any]:
    """Return the state of a run that returned a state which is no end."""
    advice = "Return a value or an ended state such as Completed(), or raise."
    if state.is_paused():
        advice = "To wait for somebody, call pause_flow_run() or suspend_flow_run()."
    message = f"It returned {state}, which is no end of a run. {advice}"
    return State(StateType.FAILED, message=message)


def _with_states(value: Any) -> Any:
    if isinstance(value, Pending):
        return value.run.state()
    return rebuild(value, _with_states)


def _combine(states: list[State[Any]], value: Any) -> State[Any]:
    """Return the state of a run that returned states of other runs."""
    counts = Counter(state.type for state in states)
    total = len(states)
    failed = counts[StateType.FAILED] + counts[StateType.CRASHED]
    if counts[StateType.COMPLETED] == total:
        kind, message = StateType.COMPLETED, "All states completed."
    elif counts[StateType.CANCELLED]:
        kind, message = (
            StateType.CANCELLED,
            f"{counts[StateType.CANCELLED]}/{total} states cancelled.",
        )
    elif counts[StateType.PAUSED]:
        kind, message = (
            StateType.FAILED,
            f"{counts[StateType.PAUSED]}/{total} states paused.",
        )
    elif failed:
        kind, message = StateType.FAILED, f"{failed}/{total} states failed."
    else:
        open_ = sum(not state.is_final() for state in states)
        kind, message = StateType.FAILED, f"{open_}/{total} states are not final."
    return State(kind, message=message, data=value)


def describe(error: BaseException) -> str:
    """Return an exception as one line: its type and what it says."""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """Return what an exception says, whatever its class does."""
    try:
        return masked(str(error))
    except Exception as problem:  # noqa: BLE001 - the user's class; its failure must not hide the exception
        return f"<its text cannot be made: {type(problem).__name__}>"


def is_interrupt(error: BaseException) -> bool:
    """Say whether an exception means that somebody wants the run to stop: an interrupt, a request, a cancelled coroutine, a deadline of the flow."""
    return isinstance(error, (KeyboardInterrupt, CancelRequested, DeadlineReached)) or (
        type(error).__name__ == "CancelledError" and not isinstance(error, Exception)
    )
