"""Lets a pool thread say that it waits, so that the pool can put another thread in its place."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator


class Yielding(Protocol):
    """A pool whose threads can wait without using up its capacity."""

    def begin_wait(self) -> None:
        """Count the calling thread as waiting."""
        ...

    def end_wait(self) -> None:
        """Count the calling thread as working again."""
        ...


class _Here(threading.local):
    pool: Yielding | None = None


here = _Here()


@contextmanager
def blocked() -> Generator[None]:
    """Mark this thread as waiting for other runs within a ``with`` block; outside a pool it does nothing."""
    pool = here.pool
    if pool is None:
        yield
        return
    pool.begin_wait()
    try:
        yield
    finally:
        pool.end_wait()
