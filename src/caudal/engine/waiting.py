"""Lets the code of a submitted run wait for other runs without keeping its place from them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from caudal.engine.context import current

if TYPE_CHECKING:
    from collections.abc import Generator


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


def _place() -> Place | None:
    run: Any = current.get()
    while run is not None:
        place: Place | None = run.place
        if place is not None:
            return place
        run = run.parent
    return None
