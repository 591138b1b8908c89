"""One thread that calls functions later, so that a run that waits for its retry holds no thread."""

from __future__ import annotations

import heapq
import threading
from itertools import count
from typing import TYPE_CHECKING

from caudal.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable


class Timers:
    """Calls functions after a delay, on a thread of its own; they must return at once."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, object, Callable[[], None]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(
        self, seconds: float, function: Callable[[], None], owner: object = None
    ) -> None:
        """Have a function called once, ``seconds`` from now, or sooner when its owner is in a hurry."""
        with self._changed:
            heapq.heappush(
                self._heap, (monotonic() + seconds, next(self._order), owner, function)
            )
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="caudal-timers", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def hurry(self, owner: object) -> None:
        """Call everything of an owner that waits now: whoever stops a run wants its sleepers to notice."""
        with self._changed:
            self._heap = [
                (0.0 if of is owner else at, order, of, function)
                for at, order, of, function in self._heap
            ]
            heapq.heapify(self._heap)
            self._changed.notify()

    def close(self) -> None:
        """End the thread; functions that still wait are not called."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = monotonic()
                if not self._heap or self._heap[0][0] > now:
                    self._changed.wait(self._heap[0][0] - now if self._heap else None)
                    continue
                *_, function = heapq.heappop(self._heap)
            function()
