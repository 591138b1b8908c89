"""The states a run can be in, the moves between them, and the value that describes one.

``TRANSITIONS`` is the only place that says which moves are legal. The engine, the ledger's guard, the
``CHECK`` in the SQL schema and the lifecycle page are all tested against it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast
from uuid import UUID, uuid4

from caudal.exceptions import (
    CancelledRun,
    CrashedRun,
    FailedRun,
    MissingResult,
    PausedRun,
    UnfinishedRun,
)
from caudal.model.state_details import StateDetails
from caudal.model.state_json import MISSING, JsonState
from caudal.twins import can_await, in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

R_co = TypeVar("R_co", covariant=True)


class StateType(StrEnum):
    """The nine kinds of state; a state's name says more within its kind."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    CRASHED = "CRASHED"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"


_S = StateType

#: States in which a run has ended.
TERMINAL: frozenset[StateType] = frozenset(
    {_S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.CRASHED}
)

#: The moves a run makes by itself: from each kind of state, the kinds it may go to.
TRANSITIONS: Mapping[StateType, frozenset[StateType]] = {
    _S.SCHEDULED: frozenset(
        {_S.SCHEDULED, _S.PENDING, _S.RUNNING, _S.PAUSED, _S.CANCELLING, *TERMINAL}
    ),
    _S.PENDING: frozenset(
        {_S.PENDING, _S.SCHEDULED, _S.RUNNING, _S.PAUSED, _S.CANCELLING, *TERMINAL}
    ),
    _S.RUNNING: frozenset(
        {_S.RUNNING, _S.SCHEDULED, _S.PENDING, _S.PAUSED, _S.CANCELLING, *TERMINAL}
    ),
    _S.PAUSED: frozenset(
        {_S.PAUSED, _S.SCHEDULED, _S.RUNNING, _S.CANCELLING, *TERMINAL}
    ),
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.CRASHED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.CRASHED: frozenset(),
}

#: The moves out of an ended state that only another attempt at the flow run may make. A completed task run begins anew when its
#: result was not kept or does not fit any more, a completed flow run when somebody asks for it to be run again.
REOPENINGS: Mapping[StateType, frozenset[StateType]] = {
    _S.COMPLETED: frozenset({_S.PENDING, _S.RUNNING}),
    _S.FAILED: frozenset({_S.SCHEDULED, _S.PENDING, _S.RUNNING}),
    _S.CANCELLED: frozenset({_S.SCHEDULED, _S.PENDING, _S.RUNNING}),
    _S.CRASHED: frozenset({_S.SCHEDULED, _S.PENDING, _S.RUNNING}),
}

#: Names that caudal gives to states, by kind. The first of each kind is its plain name.
NAMES: Mapping[StateType, tuple[str, ...]] = {
    _S.SCHEDULED: (
        "Scheduled",
        "Late",
        "AwaitingRetry",
        "AwaitingConcurrencySlot",
        "Resuming",
    ),
    _S.PENDING: ("Pending", "NotReady", "Submitting", "InfrastructurePending"),
    _S.RUNNING: ("Running", "Retrying"),
    _S.COMPLETED: ("Completed", "Cached", "RolledBack"),
    _S.FAILED: ("Failed", "TimedOut"),
    _S.CANCELLED: ("Cancelled",),
    _S.CRASHED: ("Crashed",),
    _S.PAUSED: ("Paused", "Suspended"),
    _S.CANCELLING: ("Cancelling",),
}


def can_move(
    source: StateType | str, target: StateType | str, *, reopen: bool = False
) -> bool:
    """Say whether a run may go from one kind of state to another.

    Args:
        source: The kind of state it is in.
        target: The kind of state it is to go to.
        reopen: Whether an explicit resume or retry asks.
    """
    source, target = StateType(source), StateType(target)
    if target in TRANSITIONS[source]:
        return True
    return reopen and target in REOPENINGS.get(source, frozenset())


def is_terminal(kind: StateType | str) -> bool:
    """Say whether a run in this kind of state has ended."""
    return kind in TERMINAL


class Stored(Protocol):
    """A value kept elsewhere, read when it is asked for."""

    def get(self) -> Any:
        """Return the value; raises ``MissingResult`` when it is gone."""
        ...


class State(JsonState, Generic[R_co]):
    """Where a run is: a kind, a name, a message, and for an ended run its result or exception.

    Args:
        type: The kind of state.
        name: Its name; by default the kind's plain name.
        message: A sentence for people.
        data: The result of a completed run, the exception of a failed one, or a stored value.
        timestamp: When the run entered the state; aware UTC.
        state_details: Ids and times that belong to it; by name, too.
        id: Its identity; a new one by default.
    """

    __slots__ = ("_details", "_id", "_ids", "at", "data", "message", "name", "type")

    def __init__(
        self,
        type: StateType | str,  # noqa: A002 - the field's public name
        name: str | None = None,
        message: str | None = None,
        data: Any = None,
        timestamp: datetime | float | None = None,
        state_details: StateDetails | Mapping[str, Any] | None = None,
        id: UUID | str | None = None,  # noqa: A002 - the field's public name
    ) -> None:
        self.type: StateType = StateType(type)
        self.name: str = name or NAMES[self.type][0]
        self.message: str | None = message
        self.data: Any = data
        #: Seconds since the epoch, UTC; None until the state is recorded.
        self.at: float | None = (
            timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp
        )
        self._details: StateDetails | None = (
            state_details
            if state_details is None or isinstance(state_details, StateDetails)
            else StateDetails(**state_details)
        )
        self._ids: tuple[bytes | None, bytes | None] = (None, None)
        self._id: UUID | None = None if id is None else UUID(str(id))

    def of_run(
        self, task_run_id: bytes | None, flow_run_id: bytes | None
    ) -> State[R_co]:
        """Say which run the state is one of, and return the state."""
        self._ids = task_run_id, flow_run_id
        return self

    @property
    def run_ids(self) -> tuple[bytes | None, bytes | None]:
        """Ids of the task run and of the flow run that the state is one of."""
        return self._ids

    @property
    def belongs_to_run(self) -> bool:
        """Whether it is a run's own state, not one that the user's code made."""
        return self._ids != (None, None)

    @property
    def timestamp(self) -> datetime | None:
        """When the run entered the state, aware UTC; None until it is recorded."""
        return None if self.at is None else datetime.fromtimestamp(self.at, UTC)

    @property
    def state_details(self) -> StateDetails:
        """Ids and times that belong to the state."""
        if self._details is None:
            task_run_id, flow_run_id = (
                value and UUID(bytes=value) for value in self._ids
            )
            self._details = StateDetails(
                task_run_id=task_run_id, flow_run_id=flow_run_id
            )
        return self._details

    @property
    def id(self) -> UUID:
        """Identity of this state."""
        if self._id is None:
            self._id = uuid4()
        return self._id

    def is_scheduled(self) -> bool:
        """Say whether the run waits for a time."""
        return self.type is _S.SCHEDULED

    def is_pending(self) -> bool:
        """Say whether the run waits to start."""
        return self.type is _S.PENDING

    def is_running(self) -> bool:
        """Say whether the run executes now."""
        return self.type is _S.RUNNING

    def is_completed(self) -> bool:
        """Say whether the run succeeded."""
        return self.type is _S.COMPLETED

    def is_failed(self) -> bool:
        """Say whether the run failed."""
        return self.type is _S.FAILED

    def is_crashed(self) -> bool:
        """Say whether the run was ended by something other than its code."""
        return self.type is _S.CRASHED

    def is_cancelled(self) -> bool:
        """Say whether the run was cancelled."""
        return self.type is _S.CANCELLED

    def is_cancelling(self) -> bool:
        """Say whether the run is being cancelled."""
        return self.type is _S.CANCELLING

    def is_paused(self) -> bool:
        """Say whether the run is paused."""
        return self.type is _S.PAUSED

    def is_final(self) -> bool:
        """Say whether the run has ended."""
        return self.type in TERMINAL

    def result(
        self,
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
        retry_result_failure: bool = True,  # noqa: FBT001, FBT002
    ) -> R_co:
        """Return the run's result, or raise what made it fail.

        Called from code that can await, it returns an awaitable of the same.

        Args:
            raise_on_failure: Raise the exception of a failed, crashed or cancelled run; else return it.
            retry_result_failure: Accepted for compatibility; reads are always retried.

        Raises:
            UnfinishedRun: The run has not ended.
            MissingResult: The result was not kept.
        """
        if can_await():
            return cast("R_co", self.aresult(raise_on_failure, retry_result_failure))
        return self.get(raise_on_failure=raise_on_failure)

    async def aresult(
        self,
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
        retry_result_failure: bool = True,  # noqa: FBT001, FBT002, ARG002
    ) -> R_co:
        """Return the run's result, or raise what made it fail; see `result`."""
        if getattr(self.data, "is_stored", False):
            return await in_thread(self.get, raise_on_failure=raise_on_failure)
        return self.get(raise_on_failure=raise_on_failure)

    def get(self, *, raise_on_failure: bool = True) -> Any:
        """Return the run's result, or raise what made it fail; the same in and out of an event loop."""
        data: Any = self._value()
        if self.type is _S.COMPLETED:
            if data is MISSING:
                raise MissingResult(self._whose())
            return data
        if self.type in TERMINAL:
            error = self.exception(data)
            if raise_on_failure:
                raise error
            return error
        if self.name == "NotReady" and isinstance(data, BaseException):
            if raise_on_failure:
                raise data
            return data
        raise self._unfinished()

    def exception(self, data: Any = None) -> BaseException:
        """Return what made an ended run end without a result."""
        cause = data if data is not None else self._value()
        if isinstance(cause, BaseException):
            return cause
        if isinstance(cause, State):
            return cast("State[Any]", cause).exception()
        if isinstance(cause, (list, tuple)):
            for item in cast("list[Any]", cause):
                if isinstance(item, State) and not item.is_completed():
                    return cast("State[Any]", item).exception()
        kinds = {_S.CRASHED: CrashedRun, _S.CANCELLED: CancelledRun}
        text = cause if isinstance(cause, str) else self.message
        return kinds.get(self.type, FailedRun)(text or f"The run is {self.name}.")

    def _value(self) -> Any:
        """Return the data, read from where it is stored."""
        data: Any = self.data
        return cast("Stored", data).get() if getattr(data, "is_stored", False) else data

    def _whose(self) -> str:
        """Return which run the state is one of."""
        for kind, run_id in zip(("task run", "flow run"), self._ids, strict=True):
            if run_id is not None:
                return f"{kind} {UUID(bytes=run_id)}"
        return "this run"

    def _unfinished(self) -> Exception:
        kind = PausedRun if self.type is _S.PAUSED else UnfinishedRun
        text = f"The run is {self.name} and has no result yet."
        return kind(f"{text} {self.message}" if self.message else text)

    def fresh_copy(self) -> State[R_co]:
        """Return the same state with a new identity and no timestamp."""
        return State(self.type, self.name, self.message, self.data)

    def __eq__(self, other: object) -> bool:
        """Say whether both are one state: that of the same run since the same time, else one with the same identity."""
        if not isinstance(other, State):
            return NotImplemented
        theirs = cast("State[Any]", other)
        if self is theirs:
            return True
        if (self.type, self.name) != (theirs.type, theirs.name):
            return False
        if self.belongs_to_run and theirs.belongs_to_run:
            return (self._ids, self.at) == (theirs._ids, theirs.at)
        return self.id == theirs.id

    def __hash__(self) -> int:
        """Return a hash that equal states share."""
        return hash((self.type, self.name))

    def __str__(self) -> str:
        return f"{self.name}({self.message!r})" if self.message else f"{self.name}()"

    def __repr__(self) -> str:
        return f"{self.name}(message={self.message!r}, type={self.type.value})"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.type, self.name, self.message, self.data, self.at)
        return _restored, (*fields, self.state_details, self.id, self._ids)


def _restored(*fields: Any) -> State[Any]:
    *given, ids = fields
    return State[Any](*given).of_run(*ids)
