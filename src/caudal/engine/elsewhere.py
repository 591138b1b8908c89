"""Runs that other processes carry out, as far as the ledger tells: it is read again and again while somebody waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.engine.recorded_states import recorded_flow_run, recorded_task_run
from caudal.exceptions import CaudalError, ObjectNotFound
from caudal.ledger.takeover import is_unfinished
from caudal.model.ids import format_id
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow, TaskRunRow

#: Seconds between two looks: at first, and at most.
FIRST_SECONDS, LAST_SECONDS = 0.01, 0.5


class RecordedRun:
    """A flow or task run of any process, for those who wait for it.

    Args:
        parts: Of the engine whose ledger is read.
        run_id: The run.
        is_flow: Whether it is a flow run.
    """

    def __init__(self, parts: Parts, run_id: bytes, *, is_flow: bool = False) -> None:
        self._parts, self._is_flow = parts, is_flow
        self.id: bytes = run_id
        self._lock = threading.Lock()
        self._final: State[Any] | None = None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def uuid(self) -> UUID:
        """The run's id."""
        return UUID(bytes=self.id)

    @property
    def name(self) -> str:
        """Name of the run; its id as long as it is not on record."""
        try:
            return self._row().name
        except ObjectNotFound:
            return format_id(self.id)

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return _is_over(self.state())

    @property
    def state_name(self) -> str:
        """Name of the state that the run is in."""
        return self.state().name

    @property
    def is_completed(self) -> bool:
        """Whether the run ended well."""
        return self.state().is_completed()

    def state(self) -> State[Any]:
        """Return the state the run is in.

        Raises:
            ObjectNotFound: The ledger knows no such flow run.
        """
        if self._final is None:
            try:
                row = self._row()
            except ObjectNotFound:
                if self._is_flow:
                    raise
                return State(
                    "PENDING"
                )  # task runs may come into the ledger a little late
            is_task = not self._is_flow
            view: Any = recorded_task_run if is_task else recorded_flow_run
            state: State[Any] = view(self._parts, row).state
            if state.is_crashed() and self._goes_on(row):
                return State("SCHEDULED", "AwaitingRetry", state.message)
            if not _is_over(state):
                return state
            self._final = state
        return self._final

    def _goes_on(self, row: FlowRunRow | TaskRunRow) -> bool:
        """Say whether a run whose process died is one that another process takes up."""
        owner: bytes | None = (
            row.id if self._is_flow else getattr(row, "flow_run_id", None)
        )
        around = None if owner is None else self._parts.ledger.flow_run(owner)
        return around is not None and is_unfinished(around, None)

    def outcome(self, *, raise_on_failure: bool = True) -> Any:
        """Return the run's result, or raise what made it fail; the run is done."""
        return self.state().get(raise_on_failure=raise_on_failure)

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called once when the run is done, at once if it is."""
        if self.done:
            callback()
            return
        with self._lock:
            self._callbacks.append(callback)
            is_first = len(self._callbacks) == 1
        if is_first:
            self._look_again(FIRST_SECONDS)

    def _look_again(self, seconds: float) -> None:
        self._parts.timers.after(seconds, lambda: self._look(seconds))

    def _look(self, seconds: float) -> None:
        try:
            done = self.done
        except CaudalError:  # the ledger cannot be read now, or the run was deleted
            done = False
        if not done:
            self._look_again(min(2 * seconds, LAST_SECONDS))
            return
        with self._lock:
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def _row(self) -> FlowRunRow | TaskRunRow:
        ledger = self._parts.ledger
        row = ledger.flow_run(self.id) if self._is_flow else ledger.task_run(self.id)
        if row is None:
            kind = "flow run" if self._is_flow else "task run"
            raise ObjectNotFound(kind, format_id(self.id))
        return row


def _is_over(state: State[Any]) -> bool:
    """Say whether nothing follows a state; a run that never started, because an input failed, stays what it is."""
    return state.is_final() or state.name == "NotReady"
