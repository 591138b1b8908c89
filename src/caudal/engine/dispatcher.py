"""Hands submitted task runs to threads as soon as their inputs are there.

A submitted run holds no thread until it can start: the dispatcher counts the inputs that are missing, and each input
that completes lowers the count. So a bounded runner cannot deadlock on runs that wait for each other. Ready runs beyond the runner's
``max_workers`` wait in a queue here.
"""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol

from caudal.clock import monotonic
from caudal.engine.commands import Sleep, Until, run_async
from caudal.engine.returns import describe, is_interrupt
from caudal.engine.waiting import blocked

#: Submitted runs of one flow run that may be open before a further submission waits.
WINDOW = 20_000
#: Seconds between two looks at whether there is room.
ROOM_SECONDS = 0.02
#: Seconds without an end after which open runs are taken to wait for what the caller does next.
STUCK_SECONDS = 1.0

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context

    from caudal.engine.commands import Command
    from caudal.engine.parts import InputRun, Parts
    from caudal.engine.waiting import Place
    from caudal.runners.port import Runner


class Submitted(Protocol):
    """A task run that was handed over to be started."""

    #: None once the run is done, which it is before its start when its flow run was stopped and did not wait for it.
    context: Context | None
    program: Generator[Command, Any, Any] | None
    done: bool
    #: Inputs that are not there yet.
    unmet: int
    #: Whether the run executes on the event loop. One that code on the loop submits, at any depth, does not: that code may
    #: block the loop to wait for it.
    on_loop: bool
    #: The run whose code made the call.
    parent: Any
    #: Where the run gives its place away while its code waits for others; None when it holds none.
    place: Place | None

    @property
    def spec(self) -> Any:
        """The task."""
        ...

    def finish(
        self, kind: str, name: str, data: Any = None, message: str | None = None
    ) -> None:
        """Enter the last state."""
        ...

    def __call__(self) -> None:
        """Have the run's dispatcher drive it: runs are themselves the jobs of the pool."""
        ...


class Dispatcher:
    """Starts the submitted task runs of one flow run.

    Args:
        parts: Threads, timers and event loop.
        runner: Where attempts execute; its ``max_workers`` bounds the runs that are started at a time.
    """

    def __init__(self, parts: Parts, runner: Runner) -> None:
        self._parts, self._runner = parts, runner
        #: Whether runs that sleep are to wake up at once.
        self._stopping = False
        #: Whether those that execute were interrupted: once, as a second time could hit the record of the first.
        self._interrupted = False
        self._lock = threading.Lock()
        self._limit = runner.max_workers
        #: Runs handed to threads and not finished, kept only where there is a limit.
        self._started = 0
        self._ready: deque[Submitted] = deque()
        #: How many runs block the event loop while they wait for others: meanwhile none goes on there.
        self._loop_blocks = 0
        #: Locks of runs that waited for others and want their place back; they come before those that are ready.
        self._returning: deque[threading.Lock] = deque()
        #: Runs submitted and not finished.
        self._open = 0
        #: How many of them there may be before a further submission waits.
        self.window: int = WINDOW
        self._on_drained: list[Callable[[], None]] = []
        #: Runs that execute now, and their threads.
        self._executing: dict[Submitted, int] = {}
        #: Coroutine functions that execute now, and what cancels them.
        self._coroutines: dict[Submitted, Callable[[], None]] = {}

    def submit(self, run: Submitted, upstream: list[InputRun]) -> None:
        """Start a run when the runs it takes results from are done."""
        run.on_loop = (
            run.spec.is_async
            and not self._runner.is_remote
            and not self._parts.is_loop_thread()
            and not _is_below_loop(run)
        )
        with self._lock:
            self._open += 1
        waiting = upstream and [other for other in upstream if not other.done]
        if not waiting:
            self._start(run)
            return
        run.unmet = len(waiting)

        def met() -> None:
            with self._lock:
                run.unmet -= 1
                ready = run.unmet == 0
            if ready:
                self._start(run)

        for other in waiting:
            other.subscribe(met)

    @property
    def open(self) -> int:
        """Number of runs submitted and not finished."""
        return self._open

    def make_room(self) -> None:
        """Wait in this thread until fewer runs are open, so that a huge map keeps to a bounded memory.

        When none of them ends for a while, they may wait for what the caller does next: then there is nothing to wait for.
        """
        with blocked():
            while self._open >= self.window:
                before, deadline = self._open, monotonic() + STUCK_SECONDS
                while self._open >= before:
                    if monotonic() >= deadline:
                        self.window += WINDOW
                        return
                    sleep(ROOM_SECONDS)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Have a function called once when no submitted run is left, at once if so."""
        with self._lock:
            if self._open:
                self._on_drained.append(callback)
                return
        callback()

    def wait(self) -> None:
        """Wait in this thread until no submitted run is left."""
        if self._open:
            drained = threading.Event()
            self.when_drained(drained.set)
            drained.wait()

    def stop(self, *, interrupt: bool) -> None:
        """Have the runs end that can: those not started and those that sleep see the scope's reason and end themselves.

        Args:
            interrupt: Interrupt those that execute, too.
        """
        self._stopping = True
        self._parts.hurry(self)
        if not interrupt or self._interrupted:
            return
        self._interrupted = True
        for run, thread in list(self._executing.items()):
            self._runner.interrupt(run, thread)
        for cancel in list(self._coroutines.values()):
            cancel()

    def restart(self) -> None:
        """Start runs as before a stop."""
        self._stopping = self._interrupted = False

    def _start(self, run: Submitted) -> None:
        if self._limit is not None:
            with self._lock:
                if self._started >= self._limit or (run.on_loop and self._loop_blocks):
                    self._ready.append(run)
                    return
                self._started += 1
        self._hand_over(run)

    def _hand_over(self, run: Submitted) -> None:
        if run.on_loop:
            context = run.context or copy_context()
            self._coroutines[run] = self._parts.loop.start(
                self._drive_async(run), context.copy()
            )
        else:
            self._parts.pool.submit(run)

    def drive(self, run: Submitted) -> None:
        """Carry out a run's program on this thread until it ends or sleeps."""
        context = run.context
        if context is None:
            self._finished()
            return
        if run.program is None:
            run.context = context = context.copy()  # the one given is shared by a map
            run.program = self._parts.task_program(run, self._runner)
        self._executing[run] = threading.get_ident()
        run.place = self
        command: Sleep | Until | None = None
        try:
            command = context.run(_advance, run)
        except BaseException as error:  # noqa: BLE001 - an interrupt, an exit or a defect
            _crash(run, error)
        run.place = None
        self._executing.pop(run, None)
        if command is None:
            self._finished()
            return
        self._release()
        if isinstance(command, Until):
            command.subscribe(lambda: self._start(run))
        else:
            pause = 0 if self._stopping else command.seconds
            self._parts.timers.after(pause, lambda: self._start(run), self)

    def give_away(self) -> None:
        """Let another run have the place of one that waits for others, and its thread of the pool."""
        self._parts.pool.give_away()
        self._release()

    def take_back(self) -> None:
        """Wait until the runner has a place again."""
        self._parts.pool.take_back()
        self._take_back()

    def give_away_on_loop(self) -> None:
        """Let a run that needs no event loop have the place of one whose code blocks it to wait for others."""
        if self._parts.is_loop_thread():
            self._loop_blocks += 1
        self._release()

    def take_back_on_loop(self) -> None:
        """Wait until the runner has a place again; then runs start on the event loop again."""
        self._take_back()
        if not self._parts.is_loop_thread():
            return
        self._loop_blocks -= 1
        while self._limit is not None:
            with self._lock:
                following = self._following() if self._started < self._limit else None
                if following is None:
                    return
                self._started += 1
            self._hand_over(following)

    def _take_back(self) -> None:
        if self._limit is None:
            return
        with self._lock:
            if self._started < self._limit:
                self._started += 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._returning.append(mine)
        mine.acquire()

    async def _drive_async(self, run: Submitted) -> None:
        run.place = _LoopPlace(self)
        try:
            if not run.done:
                await run_async(self._parts.task_program(run, self._runner))
        except BaseException as error:  # noqa: BLE001 - see drive
            _crash(run, error)
        run.place = None
        self._coroutines.pop(run, None)
        self._finished()

    def _release(self) -> None:
        """Give the runner's place to the next run that is ready."""
        if self._limit is None:
            return
        with self._lock:
            if self._returning:
                self._returning.popleft().release()
                return
            following = self._following()
            if following is None:
                self._started -= 1
                return
        self._hand_over(following)

    def _following(self) -> Submitted | None:
        """Take the next run that can start off those that are ready."""
        if not self._loop_blocks:
            return self._ready.popleft() if self._ready else None
        for place, run in enumerate(self._ready):
            if not run.on_loop:
                del self._ready[place]
                return run
        return None

    def _finished(self) -> None:
        self._release()
        with self._lock:
            self._open -= 1
            if self._open:
                return
            callbacks, self._on_drained = self._on_drained, []
        for callback in callbacks:
            callback()


class _LoopPlace:
    """What a run on the event loop holds: a place of its runner, and no thread.

    Args:
        dispatcher: The run's.
    """

    __slots__ = ("_dispatcher",)

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def give_away(self) -> None:
        """Let another run have the place."""
        self._dispatcher.give_away_on_loop()

    def take_back(self) -> None:
        """Wait until there is a place again."""
        self._dispatcher.take_back_on_loop()


def _is_below_loop(run: Submitted) -> bool:
    """Say whether code on the event loop made the call, or made the call that led to it."""
    above: Any = run.parent
    while above is not None:
        if getattr(above, "on_loop", False):
            return True
        above = above.parent
    return False


def _crash(run: Submitted, error: BaseException) -> None:
    """End a run whose program left it open: an interrupt hit the code around it, or caudal has a defect."""
    if run.done:
        return
    kind, name = "CRASHED", "Crashed"
    if is_interrupt(error):
        kind, name = "CANCELLED", "Cancelled"
    run.finish(kind, name, error, f"Execution was ended by {describe(error)}")


def _advance(run: Submitted) -> Sleep | Until | None:
    """Carry out a run's program; return the wait that it asked for, or None at its end.

    A wait holds no thread: the program goes on, on some thread, when it is over.
    """
    program: Any = run.program
    assert program is not None, "submitted runs carry their program"
    try:
        command = next(program)
        while command.__class__ is not Sleep and command.__class__ is not Until:
            try:
                outcome = command.perform()
            except BaseException as error:  # noqa: BLE001 - the program decides about every outcome
                command = program.throw(error)
            else:
                command = program.send(outcome)
    except StopIteration:
        return None
    return command
