"""How a flow run that somebody cancels is stopped, wherever its code is.

Another process writes the state ``Cancelling``; the journal's thread notices and calls ``Stop.ask``. From there the ways meet again in the run's program
(``engine.flow_run``), which closes the run as it does after Ctrl-C: the thread or the coroutine that executes the flow's function gets a
``CancelRequested``, and what the program itself waits for is woken. Code that does not hear it is helped on, step by step:

    at once         the exception is raised in the flow's code
    the next look   its tasks are interrupted, so that code that waits for them goes on
    GRACE_SECONDS   tasks that did not end are closed
    twice that      the run is closed without its code, which goes on cut off from it

A run that somebody suspends is asked in the same way, and nothing is interrupted: its code gets a ``Pause`` at its next call of a task, or when it
is done. Code that suspends its own run raises that itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from caudal.clock import monotonic
from caudal.engine.commands import Call, Until
from caudal.exceptions import CancelRequested, Pause
from caudal.runners.interrupts import interrupt_thread, prepare_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.engine.dispatcher import Dispatcher

#: Seconds that interrupted tasks get to end before the flow run is closed without them.
GRACE_SECONDS = 5.0
#: Why no task starts in a run that is suspended.
SUSPENDED = "the flow run was suspended"


class Stoppable(Protocol):
    """A flow run of this process, as far as its end goes; see ``FlowScope``."""

    stop: Stop
    dispatcher: Dispatcher
    #: Why no further task may start; None while they may.
    stopping: str | None

    def above(self) -> Iterable[Stoppable]:
        """Yield the flow runs whose code led to this one, the nearest first."""
        ...

    def close_tasks(self, reason: str) -> None:
        """End the task runs that are still open, and let no further one start."""
        ...

    def move(self, kind: str, name: str, message: str | None = None) -> None:
        """Enter a state and record it."""
        ...


class Stop:
    """Somebody's wish that a flow run ends or is suspended, and the way to its code.

    Args:
        scope: The flow run.
    """

    __slots__ = ("_deliver", "_lock", "_scope", "_wake", "asked_at", "heard", "pause", "reason", "refused")  # fmt: skip

    def __init__(self, scope: Stoppable) -> None:
        self._scope = scope
        self._lock = threading.Lock()
        #: Raises the exception in the flow's code; None while none of it executes.
        self._deliver: Callable[[], None] | None = None
        self._wake: list[Callable[[], None]] = []
        #: Why the run is to end; None while it is not.
        self.reason: str | None = None
        #: Details and message for the row of a run that is to be suspended; None while it is not.
        self.pause: tuple[dict[str, Any], str | None] | None = None
        self.asked_at: float = 0.0
        #: Whether the run's program has taken notice.
        self.heard: bool = False
        #: Whether the ledger refused another end of the run, because it is being cancelled.
        self.refused: bool = False

    @property
    def is_outermost(self) -> bool:
        """Whether the run is to end, and no run that called it."""
        return self.reason is not None and not any(
            scope.stop.reason for scope in self._scope.above()
        )

    def ask(self, reason: str) -> None:
        """Have the run end; a second call does nothing."""
        if self.reason is None:
            self.asked_at = monotonic()
            self.reason = self._scope.stopping = reason

    def suspend(
        self, details: dict[str, Any] | None = None, message: str | None = None
    ) -> None:
        """Have the run suspended; a second call does nothing.

        Args:
            details: Facts for its row.
            message: A sentence for people.
        """
        if self.pause is None and self.reason is None:
            self.pause = (details or {}, message)
            self._scope.stopping = SUSPENDED

    def press(self) -> None:
        """Go the next step towards the end of a run that was asked to."""
        if self.reason is None:
            self._wake_up()
            return
        scope, waited = self._scope, monotonic() - self.asked_at
        with self._lock:
            deliver, self._deliver = self._deliver, None
            if deliver is not None and self.is_outermost:
                deliver()
        self._wake_up()
        if self.heard or deliver is not None:
            return
        scope.dispatcher.stop(interrupt=True)
        if waited > GRACE_SECONDS:
            scope.close_tasks(self.reason or "")
        if waited > 2 * GRACE_SECONDS:
            self.heard = True
            scope.move("CANCELLED", "Cancelled", "Its code did not end in time and goes on without it.")  # fmt: skip

    def check(self) -> None:
        """Do nothing unless the run is to end or to be suspended.

        Raises:
            CancelRequested: It is to end.
            Pause: It is to be suspended.
        """
        if self.reason is not None:
            raise CancelRequested
        if self.pause is not None:
            raise Pause

    def check_pause(self) -> None:
        """Do nothing unless the run is to be suspended.

        Raises:
            Pause: It is.
        """
        if self.reason is None:
            self.check()

    def until(self, subscribe: Callable[[Callable[[], None]], None]) -> Until:
        """Return the command to wait until something calls back or the run is to end."""

        def subscribe_both(wake: Callable[[], None]) -> None:
            subscribe(wake)
            with self._lock:
                if self.reason is None and self.pause is None:
                    self._wake.append(wake)
                    return
            wake()

        return Until(subscribe_both)

    def _wake_up(self) -> None:
        with self._lock:
            waiting, self._wake = self._wake, []
        for wake in waiting:
            wake()

    def enter(self, deliver: Callable[[], None]) -> None:
        """Learn that the flow's code executes, and how to reach it.

        Raises:
            CancelRequested: The run is to end.
        """
        with self._lock:
            self.check()
            self._deliver = deliver

    def leave(self) -> bool:
        """Learn that the flow's code executes no more, and say whether it was to end."""
        with self._lock:
            self._deliver = None
        return self.reason is not None


class FlowCall(Call):
    """Run the flow's function once, within reach of whoever cancels the run."""

    __slots__ = ()

    def perform(self) -> Any:
        """Call the function in this thread."""
        stop: Stop = self.run.stop
        thread, executes = prepare_thread(), True
        stop.enter(lambda: interrupt_thread(thread, CancelRequested, lambda: executes))
        try:
            return super().perform()
        finally:
            executes = False
            stop.leave()

    async def aperform(self) -> Any:
        """Await the coroutine function."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

        stop: Stop = self.run.stop
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "programs of coroutine functions run in tasks"
        cancelled = False

        def cancel() -> None:
            nonlocal cancelled
            if executes:
                cancelled = task.cancel()

        executes = True
        stop.enter(lambda: loop.call_soon_threadsafe(cancel) and None)
        try:
            return await super().aperform()
        except asyncio.CancelledError:
            if cancelled:
                task.uncancel()
                raise CancelRequested from None
            raise
        finally:
            executes = False
            stop.leave()
