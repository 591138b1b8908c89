"""Executes attempts in the thread that asks for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from caudal.exceptions import RunTimeoutError
from caudal.runners.deadline import call_with_deadline, raise_in_thread

if TYPE_CHECKING:
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
        if spec.is_async:
            import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

            return asyncio.run(self.acall(spec, args, kwargs, run))
        if spec.timeout is None:
            return spec.body(*args, **kwargs)
        return call_with_deadline(spec.body, args, kwargs, spec.timeout)

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
