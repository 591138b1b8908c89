"""States of runs, and functions that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.model.states import State, StateDetails, StateType

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "AwaitingConcurrencySlot",
    "AwaitingRetry",
    "Cancelled",
    "Cancelling",
    "Completed",
    "Crashed",
    "Failed",
    "InfrastructurePending",
    "Late",
    "Paused",
    "Pending",
    "Retrying",
    "Running",
    "Scheduled",
    "State",
    "StateDetails",
    "StateType",
    "Submitting",
    "Suspended",
    "raise_state_exception",
]


def Scheduled(scheduled_time: datetime | None = None, **fields: Any) -> State[Any]:  # noqa: N802 - Prefect's name, as all below
    """Return a state of a run that waits for a time."""
    fields.setdefault("state_details", StateDetails(scheduled_time=scheduled_time))
    return State(StateType.SCHEDULED, **fields)


def Completed(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that succeeded."""
    return State(StateType.COMPLETED, **fields)


def Running(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that executes."""
    return State(StateType.RUNNING, **fields)


def Failed(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that failed."""
    return State(StateType.FAILED, **fields)


def Crashed(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that was ended by something other than its code."""
    return State(StateType.CRASHED, **fields)


def Cancelling(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that is being cancelled."""
    return State(StateType.CANCELLING, **fields)


def Cancelled(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that was cancelled."""
    return State(StateType.CANCELLED, **fields)


def Pending(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that waits to start."""
    return State(StateType.PENDING, **fields)


def Paused(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that is paused."""
    return State(StateType.PAUSED, **fields)


def Suspended(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that is paused and has no process."""
    return State(StateType.PAUSED, name="Suspended", **fields)


def AwaitingRetry(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that waits for its next try."""
    return State(StateType.SCHEDULED, name="AwaitingRetry", **fields)


def AwaitingConcurrencySlot(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that waits for a limit."""
    return State(StateType.SCHEDULED, name="AwaitingConcurrencySlot", **fields)


def Retrying(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that is tried again."""
    return State(StateType.RUNNING, name="Retrying", **fields)


def Submitting(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that is handed to a worker."""
    return State(StateType.PENDING, name="Submitting", **fields)


def InfrastructurePending(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run whose machine is being prepared."""
    return State(StateType.PENDING, name="InfrastructurePending", **fields)


def Late(**fields: Any) -> State[Any]:  # noqa: N802
    """Return a state of a run that should have started."""
    return State(StateType.SCHEDULED, name="Late", **fields)


def raise_state_exception(state: State[Any]) -> None:
    """Raise what made a run fail, crash or be cancelled; do nothing for any other state."""
    if state.is_failed() or state.is_crashed() or state.is_cancelled():
        raise state.exception()
