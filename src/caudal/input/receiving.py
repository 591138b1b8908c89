"""Reads the inputs that a flow run is sent, one after the other, waiting for the next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, Self, TypeVar
from uuid import UUID

from caudal.clock import monotonic
from caudal.engine.composition import current_engine
from caudal.engine.context import current
from caudal.engine.waiting import awaiting, blocked
from caudal.exceptions import MissingContextError
from caudal.model.ids import parse_id
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from caudal.model.inputs import RunInputRow

T_co = TypeVar("T_co", covariant=True)

#: Seconds between two looks at whether something has come.
POLL_SECONDS = 0.25


class GetInputHandler(Generic[T_co]):
    """The inputs that a flow run is sent, as an iterator, in ``for`` and in ``async for``.

    They stay on record: another iterator, and the run when it is taken up again, begins with the first one.

    Args:
        convert: Makes the value that the caller gets.
        key_prefix: What the keys of the inputs start with.
        timeout: Seconds to wait for the next one; None waits for ever.
        poll_interval: Seconds between two looks.
        raise_timeout_error: Whether the end of the wait is an error; else it is the end of the iteration.
        exclude_keys: Inputs to leave out.
        flow_run_id: Whose inputs; those of the flow run in charge by default.
    """

    def __init__(
        self,
        convert: Callable[[RunInputRow], T_co],
        *,
        key_prefix: str,
        timeout: float | None = 3600,
        poll_interval: float = POLL_SECONDS,
        raise_timeout_error: bool = False,
        exclude_keys: Collection[str] | None = None,
        flow_run_id: UUID | str | None = None,
    ) -> None:
        self._convert, self._prefix = convert, key_prefix
        self._timeout, self._poll_seconds = timeout, poll_interval
        self._raises = raise_timeout_error
        self._excluded = frozenset(exclude_keys or ())
        self._flow_run_id = receiver(flow_run_id)
        self._since = 0

    def __iter__(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        try:
            return self._wait()
        except TimeoutError:
            if self._raises:
                raise
            raise StopIteration from None

    async def __anext__(self) -> T_co:
        try:
            return await self.anext()
        except TimeoutError:
            if self._raises:
                raise
            raise StopAsyncIteration from None

    async def anext(self) -> T_co:
        """Return the next input; see `next`."""
        import asyncio  # noqa: PLC0415 - whoever awaits has it

        deadline = self._deadline()
        row = await in_thread(self._find)
        if row is None:
            async with awaiting():
                while row is None:
                    _check(deadline)
                    await asyncio.sleep(self._poll_seconds)
                    row = await in_thread(self._find)
        return self._take(row)

    @dispatched(anext)  # noqa: A003 - Prefect's name
    def next(self) -> T_co:
        """Return the next input, waiting for it; where the caller can await, return an awaitable of it.

        Raises:
            TimeoutError: None has come in time.
        """
        return self._wait()

    def _wait(self) -> T_co:
        deadline = self._deadline()
        row = self._find()
        if row is None:
            with blocked():
                while row is None:
                    _check(deadline)
                    time.sleep(self._poll_seconds)
                    row = self._find()
        return self._take(row)

    def _deadline(self) -> float | None:
        return None if self._timeout is None else monotonic() + self._timeout

    def _find(self) -> RunInputRow | None:
        inputs, since = current_engine().ledger.inputs, self._since
        while True:
            found = inputs.find(self._flow_run_id, self._prefix, since=since, limit=1)
            if not found:
                return None
            since = found[0].seq
            if found[0].key not in self._excluded:
                return found[0]

    def _take(self, row: RunInputRow) -> T_co:
        self._since = row.seq
        return self._convert(row)


def _check(deadline: float | None) -> None:
    if deadline is not None and monotonic() >= deadline:
        msg = "Timed out waiting for input"
        raise TimeoutError(msg)


def receiver(flow_run_id: UUID | str | None) -> bytes:
    """Return a flow run's id, that of the flow run in charge by default.

    Raises:
        ObjectNotFound: What is given is no id.
        MissingContextError: None is given, and none is in charge.
    """
    if flow_run_id is not None:
        return parse_id(flow_run_id, "flow run")
    run = current.get()
    if run is None or run.scope.id is None:
        raise MissingContextError("receiving inputs without a flow_run_id")
    return run.scope.id
