"""Lets the code of a submitted run wait for other runs without keeping its place from them."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from caudal.engine.context import current

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Callable, Generator


class Place(Protocol):
    """What a submitted run holds while it executes: a thread, and one of its runner's places."""

    def give_away(self) -> None:
        """Let another run have the place while this one waits."""
        ...

    def take_back(self) -> None:
        """Wait until there is a place again."""
        ...


@contextmanager
def blocked() -> Generator[None]:
    """Give the place of the run in charge away within a ``with`` block; a run that was not submitted has none.

    The run is found by context, so that it is known in the helper thread of a deadline too.
    """
    place = _place()
    if place is None:
        yield
        return
    place.give_away()
    try:
        yield
    finally:
        place.take_back()


@asynccontextmanager
async def awaiting() -> AsyncGenerator[None]:
    """Do what `blocked` does for code that awaits what it waits for: the event loop goes on meanwhile."""
    place = _place()
    if place is None:
        yield
        return
    await _beside_loop(place.give_away)
    try:
        yield
    finally:
        await _beside_loop(place.take_back)


async def _beside_loop(call: Callable[[], None]) -> None:
    """Call a function in a thread of its own: those of the loop's executor are few, and for what is brief.

    Who is cancelled meanwhile waits for its end too, so that no place is taken back for a run that has ended.
    """
    import asyncio  # noqa: PLC0415 - whoever awaits has it

    done, wake = alarm()

    def called() -> None:
        call()
        wake()

    threading.Thread(target=called, daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not done.is_set():
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def alarm() -> tuple[asyncio.Event, Callable[[], None]]:
    """Return an event of the running event loop, and a function that sets it from any thread."""
    import asyncio  # noqa: PLC0415 - see above

    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(event.set)

    return event, wake


def _place() -> Place | None:
    run: Any = current.get()
    while run is not None:
        place: Place | None = run.place
        if place is not None:
            return place
        run = run.parent
    return None
