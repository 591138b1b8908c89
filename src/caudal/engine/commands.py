"""What a run's program asks for: the few things that take time.

A program (``engine.task_run``, ``engine.flow_run``) is a generator. It decides, and yields a command whenever something has to be
called, waited for, read or written; it is sent the outcome, or has the exception thrown into it. Each command says
how it is carried out by a thread (``perform``) and on an event loop (``aperform``); nothing else differs between sync and async runs.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from caudal.engine.context import current, hooking
from caudal.engine.waiting import blocked
from caudal.twins import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import ContextVar

    from caudal.engine.journal import Journal
    from caudal.runners.port import Runner

T = TypeVar("T")


class Command(Protocol):
    """One thing that a program asks for."""

    def perform(self) -> Any:
        """Carry it out in this thread and return the outcome."""
        ...

    async def aperform(self) -> Any:
        """Carry it out on the running event loop and return the outcome."""
        ...


class Call:
    """Run the user's function once: one attempt.

    Args:
        runner: Where it executes.
        spec: The flow or task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        current: The context variable that names the run in charge.
        run: The run in charge while the function executes.
    """

    __slots__ = ("args", "current", "kwargs", "run", "runner", "spec")

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    runner: Runner
    spec: Any
    current: ContextVar[Any]
    run: Any

    def __init__(
        self,
        runner: Runner,
        spec: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        current: ContextVar[Any],
        run: Any,
    ) -> None:
        self.runner, self.spec, self.args, self.kwargs = runner, spec, args, kwargs
        self.current, self.run = current, run

    def perform(self) -> Any:
        """Call the function in this thread, or hand it to the runner's process."""
        token = self.current.set(self.run)
        try:
            return self.runner.call(self.spec, self.args, self.kwargs, self.run)
        finally:
            self.current.reset(token)

    async def aperform(self) -> Any:
        """Await the coroutine function; a plain function is called on the loop's thread."""
        token = self.current.set(self.run)
        try:
            return await self.runner.acall(self.spec, self.args, self.kwargs, self.run)
        finally:
            self.current.reset(token)


class Collect:
    """Exhaust a generator that the function of a submitted task returned; nobody else could.

    Args:
        items: The generator.
        current: The context variable that names the run in charge.
        run: The run in charge while the generator executes.
    """

    __slots__ = ("current", "items", "run")

    def __init__(
        self, items: Generator[Any], current: ContextVar[Any], run: Any
    ) -> None:
        self.items: Generator[Any] = items
        self.current: ContextVar[Any] = current
        self.run: Any = run

    def perform(self) -> list[Any]:
        """Return a list of its items."""
        token = self.current.set(self.run)
        try:
            return list(self.items)
        finally:
            self.current.reset(token)

    async def aperform(self) -> list[Any]:
        """Return a list of its items."""
        return self.perform()


class Sleep:
    """Wait for some seconds."""

    __slots__ = ("seconds",)

    seconds: float

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def perform(self) -> None:
        """Block this thread."""
        time.sleep(self.seconds)

    async def aperform(self) -> None:
        """Let the event loop go on meanwhile."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; only async programs need it

        await asyncio.sleep(self.seconds)


class Io:
    """Call one of caudal's own functions that reads or writes."""

    __slots__ = ("args", "function")

    args: tuple[Any, ...]
    function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def perform(self) -> Any:
        """Call it in this thread."""
        return self.function(*self.args)

    async def aperform(self) -> Any:
        """Call it in a thread, so that the event loop goes on meanwhile."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; only async programs need it

        return await asyncio.to_thread(self.function, *self.args)


class Hook:
    """Call a user's hook, which may be a coroutine function.

    Args:
        run: The run in charge while it executes; None leaves the one that is.
        function: The hook.
        args: What it is called with.
    """

    __slots__ = ("args", "function", "run")

    run: Any
    args: tuple[Any, ...]
    function: Callable[..., Any]

    def __init__(self, run: Any, function: Callable[..., Any], *args: Any) -> None:
        self.run, self.function, self.args = run, function, args

    def perform(self) -> None:
        """Call it; a coroutine is run to its end on a loop of its own."""
        with self._in_charge():
            outcome = self.function(*self.args)
            if hasattr(outcome, "__await__"):
                hooking.set((current.get(), True))
                finished(outcome)

    async def aperform(self) -> None:
        """Call it and await a coroutine."""
        with self._in_charge():
            outcome = self.function(*self.args)
            if hasattr(outcome, "__await__"):
                hooking.set((current.get(), True))
                await outcome

    @contextmanager
    def _in_charge(self) -> Generator[None]:
        run = current.get() if self.run is None else self.run
        token, hook = current.set(run), hooking.set((run, False))
        try:
            yield
        finally:
            hooking.reset(hook)
            current.reset(token)


class Until:
    """Wait until something calls back.

    Args:
        subscribe: Given a function to call, once, when the wait is over.
    """

    __slots__ = ("subscribe",)

    subscribe: Callable[[Callable[[], None]], None]

    def __init__(self, subscribe: Callable[[Callable[[], None]], None]) -> None:
        self.subscribe = subscribe

    def perform(self) -> None:
        """Block this thread; a waiting pool thread makes room for another one."""
        done = threading.Event()
        self.subscribe(done.set)
        if not done.is_set():
            with blocked():
                done.wait()

    async def aperform(self) -> None:
        """Let the event loop go on meanwhile."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; only async programs need it

        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        def call_back() -> None:
            loop.call_soon_threadsafe(wake)

        self.subscribe(call_back)
        await done


class Durable:
    """Wait until everything that was put into the journal so far is durable."""

    __slots__ = ("journal",)

    journal: Journal

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def perform(self) -> None:
        """Block this thread."""
        self.journal.barrier().wait()

    async def aperform(self) -> None:
        """Let the event loop go on meanwhile."""
        barrier: Any = None

        def subscribe(wake: Callable[[], None]) -> None:
            nonlocal barrier
            barrier = self.journal.barrier(lambda _: wake())

        await Until(subscribe).aperform()
        barrier.wait()


def run_sync(program: Generator[Command, Any, T], outcome: Any = None) -> T:
    """Carry out a program in this thread and return what it returns.

    Args:
        program: The program.
        outcome: Where it has started already: the outcome of the command that it yielded last.
    """
    try:
        command = program.send(outcome)
        while True:
            try:
                outcome = command.perform()
            except BaseException as error:  # noqa: BLE001 - the program decides about every outcome
                command = program.throw(error)
            else:
                command = program.send(outcome)
    except StopIteration as stop:
        return stop.value


async def run_async(program: Generator[Command, Any, T], outcome: Any = None) -> T:
    """Carry out a program on the running event loop and return what it returns; see `run_sync`."""
    try:
        command = program.send(outcome)
        while True:
            try:
                outcome = await command.aperform()
            except BaseException as error:  # noqa: BLE001 - the program decides about every outcome
                command = program.throw(error)
            else:
                command = program.send(outcome)
    except StopIteration as stop:
        return stop.value
