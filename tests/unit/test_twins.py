"""Plain names and their twins: which of them blocks where."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from caudal import flow, task
from caudal.context import tags
from caudal.engine.context import added_tags
from caudal.states import State
from caudal.twins import dispatched, in_own_thread, in_thread


async def aload(number: int) -> tuple[int, str]:
    """Return twice the number and the name of the thread that doubled it."""
    return await in_thread(load, number)


@dispatched(aload)
def load(number: int) -> tuple[int, str]:
    """Return twice the number and the name of this thread."""
    return 2 * number, threading.current_thread().name


class Shelf:
    """Something with twins as methods."""

    size = 3

    @classmethod
    async def aopen(cls, times: int) -> int:
        """Return the size some times."""
        return cls.size * times

    @classmethod
    @dispatched(aopen)
    def open(cls, times: int) -> int:
        """Return the size some times."""
        return cls.size * times

    async def aread(self) -> int:
        """Return the size."""
        return self.size

    @dispatched(aread)
    def read(self) -> int:
        """Return the size."""
        return self.size


def test_the_plain_name_blocks_where_no_loop_runs() -> None:
    """Plain code gets the value, from the thread it runs in."""
    assert load(2) == (4, threading.current_thread().name)
    assert Shelf.open(2) == 6
    assert Shelf().read() == 3


def test_both_names_are_awaited_where_a_loop_runs() -> None:
    """In a coroutine both names return awaitables, and the work is done in a thread beside the loop."""

    async def main() -> None:
        result: Any = load(2)
        number, thread = await result
        assert number == 4
        assert thread != threading.current_thread().name
        assert (await aload(3))[0] == 6
        opened: Any = Shelf.open(2)
        assert await opened == 6
        read: Any = Shelf().read()
        assert await read == 3

    asyncio.run(main())


def test_the_twin_sees_the_context_of_its_caller() -> None:
    """Tags and the run in charge reach the thread."""

    async def main() -> frozenset[str]:
        with tags("nightly"):
            return await in_thread(added_tags.get)

    assert asyncio.run(main()) == {"nightly"}


@pytest.mark.usefixtures("engine")
def test_a_plain_flow_called_on_a_loop_blocks() -> None:
    """The code of a plain flow or task cannot await, whatever runs in its thread."""

    @task
    def step() -> int:
        return load(1)[0]

    @flow
    def plain() -> tuple[int, int]:
        state: State[int] = step(return_state=True)
        return load(2)[0], state.result()

    @flow
    async def outer() -> tuple[int, int]:
        return plain()

    async def main() -> tuple[int, int]:
        return plain()

    assert asyncio.run(main()) == (4, 2)
    assert asyncio.run(outer()) == (4, 2)


@pytest.mark.usefixtures("engine")
def test_an_async_flow_awaits() -> None:
    """The code of a coroutine function's flow or task gets awaitables."""

    @task
    async def step() -> int:
        return 1

    @flow
    async def outer() -> tuple[int, int]:
        state: State[int] = await step(return_state=True)
        value: Any = state.result()
        loaded: Any = load(2)
        return (await loaded)[0], await value

    assert asyncio.run(outer()) == (4, 1)


def test_what_takes_long_has_a_thread_of_its_own() -> None:
    """More calls than the event loop has threads go on at a time, in this context, and their errors are raised where they are awaited."""
    everybody = threading.Barrier(50)

    def meet() -> frozenset[str]:
        everybody.wait(30)
        return added_tags.get()

    def fail() -> None:
        raise LookupError

    async def main() -> list[frozenset[str]]:
        with pytest.raises(LookupError):
            await in_own_thread(fail)
        with tags("met"):
            return await asyncio.gather(*(in_own_thread(meet) for _ in range(50)))

    assert asyncio.run(main()) == [frozenset({"met"})] * 50


def test_who_gives_up_on_what_takes_long_goes_on_at_once() -> None:
    """The event loop ends while the function goes on."""
    gate, ended = threading.Event(), threading.Event()

    def take_long() -> None:
        gate.wait(30)
        ended.set()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_own_thread(take_long), 0.01)

    asyncio.run(main())
    assert not ended.is_set()
    gate.set()
    assert ended.wait(30)
