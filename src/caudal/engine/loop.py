"""An event loop on a thread of its own, for submitted tasks that are coroutine functions."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context


class LoopThread:
    """Runs coroutines; ten thousand of them wait on one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(
            target=self._run, name="caudal-loop", daemon=True
        )
        self._thread.start()

    def start(
        self, coroutine: Coroutine[Any, Any, None], context: Context
    ) -> Callable[[], None]:
        """Run a coroutine in a context and return a function that cancels it; it handles its own errors.

        Both are safe to call from any thread.
        """
        started: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = self._loop.create_task(coroutine, context=context)
            self._tasks.add(task)
            started.append(task)
            task.add_done_callback(self._tasks.discard)

        def cancel() -> None:
            for task in started:
                self._loop.call_soon_threadsafe(task.cancel)

        self._loop.call_soon_threadsafe(begin)
        return cancel

    def is_current(self) -> bool:
        """Say whether this is the loop's thread."""
        return threading.get_ident() == self._thread.ident

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(
                asyncio.gather(*self._tasks, return_exceptions=True)
            )
            self._loop.close()
