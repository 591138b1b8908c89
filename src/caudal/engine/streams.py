"""Carries out the runs of generator functions that are called directly: what they yield goes to the caller, one item at a time.

The run's program is the same as any other's; only its attempts are carried out here, a step for each item that the caller asks for. The run is in
charge while its generator executes, and not while the caller has the item. A caller that stops early ends the run well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from caudal.clock import monotonic
from caudal.engine.commands import Call, run_async, run_sync
from caudal.exceptions import RunTimeoutError
from caudal.runners.deadline import call_with_deadline

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from caudal.engine.commands import Command

T = TypeVar("T")


def stream_sync(program: Generator[Command, Any, T]) -> Generator[Any, None, T]:
    """Carry out a program in this thread, yielding what its attempts yield; return what it returns."""
    try:
        command = next(program)
        while True:
            try:
                if isinstance(command, Call):
                    outcome = yield from _items(command)
                else:
                    outcome = command.perform()
            except GeneratorExit:
                run_sync(program)
                raise
            except BaseException as error:  # noqa: BLE001 - the program decides about every outcome
                command = program.throw(error)
            else:
                command = program.send(outcome)
    except StopIteration as stop:
        return stop.value


def _items(call: Call) -> Generator[Any]:
    """Yield what an attempt yields, and return what its generator returns."""
    steps = _Steps(call)
    items: Generator[Any, Any, Any] = call.spec.fn(*call.args, **call.kwargs)

    def advance() -> Any:
        try:
            return next(items)
        except StopIteration as stop:
            return _End(stop.value)

    while True:
        with steps:
            left = steps.left
            item = (
                advance() if left is None else call_with_deadline(advance, (), {}, left)
            )
        if item.__class__ is _End:
            return item.value
        steps.note(item)
        try:
            yield item
        except GeneratorExit:
            with steps:
                items.close()
            raise


async def stream_async(
    program: Generator[Command, Any, Any], ended: list[Any]
) -> AsyncGenerator[Any]:
    """Carry out a program on the running event loop, yielding what its attempts yield.

    Args:
        program: The program.
        ended: What the program returned is put here, because an async generator returns nothing.
    """
    try:
        command = next(program)
        while True:
            try:
                outcome = None
                if isinstance(command, Call):
                    async for item in _aitems(command):
                        yield item
                else:
                    outcome = await command.aperform()
            except GeneratorExit:
                await run_async(program)
                raise
            except BaseException as error:  # noqa: BLE001 - the program decides about every outcome
                command = program.throw(error)
            else:
                command = program.send(outcome)
    except StopIteration as stop:
        ended.append(stop.value)


async def _aitems(call: Call) -> AsyncGenerator[Any]:
    import asyncio  # noqa: PLC0415 - costs 40 ms; whoever runs a coroutine has it

    steps = _Steps(call)
    items: AsyncGenerator[Any] = call.spec.fn(*call.args, **call.kwargs)
    while True:
        limit = asyncio.timeout(steps.left)
        try:
            with steps:
                async with limit:
                    item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if limit.expired():
                raise RunTimeoutError(call.spec.timeout) from None
            raise
        steps.note(item)
        try:
            yield item
        except GeneratorExit:
            with steps:
                await items.aclose()
            raise


class _End:
    """What a generator returned."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Steps:
    """Puts the run in charge for the steps of an attempt, and measures them.

    Args:
        call: The attempt.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._token: Any = None
        self._started = 0.0
        #: Seconds that are left of the attempt's time, which the caller's own time does not count for; None is no limit.
        self.left: float | None = call.spec.timeout

    def __enter__(self) -> None:
        self._token = self._call.current.set(self._call.run)
        self._started = monotonic()

    def __exit__(self, *_: object) -> None:
        self._call.current.reset(self._token)
        if self.left is not None:
            self.left = max(0.0, self.left - (monotonic() - self._started))

    def note(self, item: Any) -> None:
        """Remember that the run yielded an item, so that passing it on makes an edge."""
        run = self._call.run
        if run is not run.scope:
            run.scope.origins.note(item, run)
