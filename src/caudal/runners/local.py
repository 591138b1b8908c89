"""Executes attempts in the thread that asks for them."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from caudal.clock import thread_time
from caudal.exceptions import RunTimeoutError
from caudal.model.specs import BRIEF_RUNS
from caudal.runners.deadline import call_with_deadline, raise_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.model.specs import Spec


class LocalRunner:
    """Executes attempts in this process.

    Args:
        max_workers: Attempts at a time, per flow run; None is as many as the pool of threads takes.
    """

    is_remote = False

    def __init__(self, max_workers: int | None = None) -> None:
        self.max_workers = max_workers

    def call(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
    ) -> Any:
        """Run the function once in this thread; see the port."""
        body = spec.body
        if spec.is_async:
            body = partial(self._run_coroutine, spec, run)
        if spec.brief < BRIEF_RUNS:
            body = partial(_measured, body, run)
        if spec.timeout is None or spec.is_async:
            return body(*args, **kwargs)
        return call_with_deadline(body, args, kwargs, spec.timeout)

    def _run_coroutine(self, spec: Spec, run: Any, /, *args: Any, **kwargs: Any) -> Any:
        import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

        return asyncio.run(self.acall(spec, args, kwargs, run))

    async def acall(
        self,
        spec: Spec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: Any,  # noqa: ARG002 - the port
    ) -> Any:
        """Run a coroutine function once on the running loop; see the port."""
        if spec.timeout is None:
            return await spec.body(*args, **kwargs)
        asyncio = sys.modules["asyncio"]
        limit = asyncio.timeout(spec.timeout)
        try:
            async with limit:
                return await spec.body(*args, **kwargs)
        except TimeoutError:
            if limit.expired():
                raise RunTimeoutError(spec.timeout) from None
            raise

    def interrupt(self, run: Any, thread: int) -> None:  # noqa: ARG002 - the port
        """Raise ``KeyboardInterrupt`` in the thread at its next Python instruction."""
        raise_in_thread(thread, KeyboardInterrupt)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _measured(body: Callable[..., Any], run: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function and tell the run how much processor time this thread spent in it."""
    start = thread_time()
    try:
        return body(*args, **kwargs)
    finally:
        run.used = (thread_time() - start, None)
