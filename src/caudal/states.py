"""States of runs, functions that make them, and what can be asked of them."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta
from traceback import format_exception as format_lines
from typing import TYPE_CHECKING, Any, TypedDict, TypeGuard, Unpack, cast

from caudal.clock import now, timestamp
from caudal.engine.returns import describe, final_state, is_interrupt
from caudal.model.state_details import StateDetails
from caudal.model.states import State, StateType
from caudal.twins import dispatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from uuid import UUID

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
    "StateFields",
    "StateGroup",
    "StateType",
    "Submitting",
    "Suspended",
    "aget_state_exception",
    "araise_state_exception",
    "exception_to_crashed_state",
    "exception_to_failed_state",
    "format_exception",
    "get_state_exception",
    "is_state_iterable",
    "raise_state_exception",
    "return_value_to_state",
]


class StateFields(TypedDict, total=False):
    """What every state can be given."""

    name: str | None
    message: str | None
    data: Any
    timestamp: datetime | float | None
    state_details: StateDetails | Mapping[str, Any] | None
    id: UUID | str | None


def _made(kind: StateType, fields: StateFields) -> State[Any]:
    fields.setdefault("timestamp", timestamp())
    return State(kind, **fields)


def _details(fields: StateFields) -> StateDetails:
    given = fields.get("state_details")
    if isinstance(given, StateDetails):
        return given
    return StateDetails(**(given or {}))


def Scheduled(  # noqa: N802 - Prefect's name, as all below
    scheduled_time: datetime | None = None, **fields: Unpack[StateFields]
) -> State[Any]:
    """Return a state of a run that waits for a time.

    Args:
        scheduled_time: The time; now by default.
        fields: Name, message, data and so on.

    Raises:
        ValueError: The details give another time.
    """
    details = _details(fields)
    if scheduled_time is not None and details.scheduled_time is not None:
        msg = f"scheduled_time was given twice: {scheduled_time!r}, and {details.scheduled_time!r} in state_details"
        raise ValueError(msg)
    details.scheduled_time = scheduled_time or details.scheduled_time or now()
    fields["state_details"] = details
    return _made(StateType.SCHEDULED, fields)


def Completed(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that succeeded."""
    return _made(StateType.COMPLETED, fields)


def Running(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that executes."""
    return _made(StateType.RUNNING, fields)


def Retrying(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that is tried again."""
    fields.setdefault("name", "Retrying")
    return _made(StateType.RUNNING, fields)


def Failed(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that failed."""
    return _made(StateType.FAILED, fields)


def Crashed(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that was ended by something other than its code."""
    return _made(StateType.CRASHED, fields)


def Cancelling(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that is being cancelled."""
    return _made(StateType.CANCELLING, fields)


def Cancelled(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that was cancelled."""
    return _made(StateType.CANCELLED, fields)


def Pending(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that waits to start."""
    return _made(StateType.PENDING, fields)


def Submitting(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run that is handed to a worker."""
    fields.setdefault("name", "Submitting")
    return _made(StateType.PENDING, fields)


def InfrastructurePending(**fields: Unpack[StateFields]) -> State[Any]:  # noqa: N802
    """Return a state of a run whose machine is being prepared."""
    fields.setdefault("name", "InfrastructurePending")
    return _made(StateType.PENDING, fields)


def Paused(  # noqa: N802
    timeout_seconds: float | None = None,
    pause_expiration_time: datetime | None = None,
    reschedule: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    pause_key: str | None = None,
    **fields: Unpack[StateFields],
) -> State[Any]:
    """Return a state of a run that is paused.

    Args:
        timeout_seconds: Seconds after which the pause ends badly; None is no limit.
        pause_expiration_time: The same as a time.
        reschedule: Whether the run is started anew when it goes on.
        pause_key: Identity of the pause within the run.
        fields: Name, message, data and so on.

    Raises:
        ValueError: The end of the pause is given in more than one way.
    """
    details = _details(fields)
    ends = (timeout_seconds, pause_expiration_time, details.pause_timeout)
    if sum(end is not None for end in ends) > 1:
        msg = "give one of timeout_seconds, pause_expiration_time and state_details.pause_timeout"
        raise ValueError(msg)
    if timeout_seconds is not None:
        pause_expiration_time = now() + timedelta(seconds=timeout_seconds)
    details.pause_timeout = pause_expiration_time or details.pause_timeout
    details.pause_reschedule, details.pause_key = reschedule, pause_key
    fields["state_details"] = details
    return _made(StateType.PAUSED, fields)


def Suspended(  # noqa: N802
    timeout_seconds: float | None = None,
    pause_expiration_time: datetime | None = None,
    pause_key: str | None = None,
    **fields: Unpack[StateFields],
) -> State[Any]:
    """Return a state of a run that is paused and has no process; see `Paused`."""
    fields.setdefault("name", "Suspended")
    return Paused(
        timeout_seconds,
        pause_expiration_time,
        reschedule=True,
        pause_key=pause_key,
        **fields,
    )


def AwaitingRetry(  # noqa: N802
    scheduled_time: datetime | None = None, **fields: Unpack[StateFields]
) -> State[Any]:
    """Return a state of a run that waits for its next try; see `Scheduled`."""
    fields.setdefault("name", "AwaitingRetry")
    return Scheduled(scheduled_time, **fields)


def AwaitingConcurrencySlot(  # noqa: N802
    scheduled_time: datetime | None = None, **fields: Unpack[StateFields]
) -> State[Any]:
    """Return a state of a run that waits for a limit; see `Scheduled`."""
    fields.setdefault("name", "AwaitingConcurrencySlot")
    return Scheduled(scheduled_time, **fields)


def Late(  # noqa: N802
    scheduled_time: datetime | None = None, **fields: Unpack[StateFields]
) -> State[Any]:
    """Return a state of a run that should have started; see `Scheduled`."""
    fields.setdefault("name", "Late")
    return Scheduled(scheduled_time, **fields)


class StateGroup:
    """Counts of several states.

    Args:
        states: The states.
    """

    def __init__(self, states: list[State[Any]]) -> None:
        self.states: list[State[Any]] = states
        self.type_counts: Counter[StateType] = Counter(state.type for state in states)
        self.total_count: int = len(states)
        self.cancelled_count: int = self.type_counts[StateType.CANCELLED]
        self.paused_count: int = self.type_counts[StateType.PAUSED]
        self.final_count: int = sum(state.is_final() for state in states)
        self.not_final_count: int = self.total_count - self.final_count

    @property
    def fail_count(self) -> int:
        """Number of failed and crashed states."""
        return self.type_counts[StateType.FAILED] + self.type_counts[StateType.CRASHED]

    def all_completed(self) -> bool:
        """Say whether all states are completed."""
        return self.type_counts[StateType.COMPLETED] == self.total_count

    def any_cancelled(self) -> bool:
        """Say whether a state is cancelled."""
        return self.cancelled_count > 0

    def any_failed(self) -> bool:
        """Say whether a state is failed or crashed."""
        return self.fail_count > 0

    def any_paused(self) -> bool:
        """Say whether a state is paused."""
        return self.paused_count > 0

    def all_final(self) -> bool:
        """Say whether all states are ones in which a run has ended."""
        return self.final_count == self.total_count

    def counts_message(self) -> str:
        """Return the counts as text."""
        parts = [f"total={self.total_count}"]
        if self.not_final_count:
            parts.append(f"not_final={self.not_final_count}")
        counts = self.type_counts.items()
        return ", ".join([*parts, *(f"{kind.value!r}={n}" for kind, n in counts)])

    def __repr__(self) -> str:
        return f"StateGroup<{self.counts_message()}>"


async def aget_state_exception(state: State[Any]) -> BaseException:
    """Return what made a run fail; see `get_state_exception`."""
    return _exception_of(state)


@dispatched(aget_state_exception)
def get_state_exception(state: State[Any]) -> BaseException:
    """Return what made a run fail, crash or be cancelled.

    Raises:
        ValueError: The state is another one.
    """
    return _exception_of(state)


def _exception_of(state: State[Any]) -> BaseException:
    if not _is_bad(state):
        msg = f"only failed, crashed and cancelled states have an exception, not {state!r}"
        raise ValueError(msg)
    return state.exception()


def _is_bad(state: State[Any]) -> bool:
    return state.is_failed() or state.is_crashed() or state.is_cancelled()


async def araise_state_exception(state: State[Any]) -> None:
    """Raise what made a run fail; see `raise_state_exception`."""
    if _is_bad(state):
        raise state.exception()


@dispatched(araise_state_exception)
def raise_state_exception(state: State[Any]) -> None:
    """Raise what made a run fail, crash or be cancelled; do nothing for any other state."""
    if _is_bad(state):
        raise state.exception()


def is_state_iterable(obj: Any) -> TypeGuard[Iterable[State[Any]]]:
    """Say whether something is a list, tuple or set of nothing but states, and not empty."""
    if not isinstance(obj, (list, tuple, set)) or not obj:
        return False
    return all(isinstance(item, State) for item in cast("list[Any]", obj))


async def return_value_to_state(retval: Any) -> State[Any]:
    """Return the state that a run ends in whose function returns a value.

    Args:
        retval: The value. Futures in it have to be done.
    """
    return final_state(retval)


async def exception_to_failed_state(
    exc: BaseException | None = None, **fields: Unpack[StateFields]
) -> State[Any]:
    """Return the failed state of a run whose function raised.

    Args:
        exc: The exception; by default the one that is being handled.
        fields: Name, message and so on; the exception's text is added to the message.

    Raises:
        ValueError: There is no exception.
    """
    exc = exc or sys.exc_info()[1]
    if exc is None:
        msg = "exception_to_failed_state() needs an exception: give it one, or call it where one is handled"
        raise ValueError(msg)
    given = fields.pop("message", None)
    message = f"{given} {describe(exc)}" if given else describe(exc)
    return Failed(**{**fields, "message": message, "data": exc})


async def exception_to_crashed_state(exc: BaseException) -> State[Any]:
    """Return the crashed state of a run that was ended by something outside of its code.

    Args:
        exc: What ended it.
    """
    if isinstance(exc, SystemExit):
        message = "Execution was aborted by Python system exit call."
    elif isinstance(exc, KeyboardInterrupt):
        message = "Execution was aborted by an interrupt signal."
    elif is_interrupt(exc):
        message = "Execution was cancelled by the runtime environment."
    else:
        message = f"Execution was interrupted by an unexpected exception: {describe(exc)}"  # fmt: skip
    return Crashed(message=message, data=exc)


def format_exception(exc: BaseException, tb: TracebackType | None = None) -> str:
    """Return an exception as one line, or with a traceback as its whole text.

    Args:
        exc: The exception.
        tb: Its traceback.
    """
    if tb is None:
        return describe(exc)
    return "".join(format_lines(type(exc), exc, tb=tb))
