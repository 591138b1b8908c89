"""What plain code and coroutines have in common: slots for a block of code, from the call's arguments to the release."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from caudal.clock import monotonic, timestamp
from caudal.engine.composition import current_engine
from caudal.engine.context import current
from caudal.engine.logs import run_logger
from caudal.engine.names import label_of
from caudal.engine.waiting import alarm, awaiting, blocked
from caudal.exceptions import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
    ConcurrencySlotsLostError,
)
from caudal.twins import running_loop

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

#: Seconds after which a waiting thread looks whether an exception was raised in it from outside: its deadline, a stop.
_LOOK_SECONDS = 0.25

#: How many blocks hold slots of a limit, by the event loop whose code they are.
_held_in: WeakKeyDictionary[Any, Counter[str]] = WeakKeyDictionary()

#: For what the code of each run waits: it may do so at several places at once.
_waits: dict[bytes, list[dict[str, Any]]] = {}
_waits_lock = threading.Lock()


class Acquisition:
    """Slots for a block of code.

    Args:
        names: The limits.
        occupy: Slots of each of them.
        timeout_seconds: How long to wait; None is no limit.
        max_retries: How many further tries there are after the first one; None is any number.
        strict: Fail when a limit is not defined.
        holder: Who holds the slots, for people; by default the run in charge.
        is_rate: Whether the slots are used up, instead of held.

    Raises:
        ValueError: No such number of slots can be occupied.
    """

    def __init__(
        self,
        names: Iterable[str],
        occupy: int,
        *,
        timeout_seconds: float | None,
        strict: bool,
        max_retries: int | None = None,
        holder: object = None,
        is_rate: bool = False,
    ) -> None:
        if occupy < 1:
            msg = f"occupy={occupy!r}: at least one slot has to be occupied"
            raise ValueError(msg)
        self._started_at = monotonic()
        self._slots, self._run = current_engine().slots, current.get()
        #: The event loop whose code asks.
        self._loop = running_loop()
        self._strict, self._timeout = strict, timeout_seconds
        self._ticket = self._slots.ticket(
            names,
            holder=label_of(self._run) if holder is None else str(holder),
            run=self._run,
            slots=occupy,
            is_rate=is_rate,
            max_retries=max_retries,
        )

    def acquire(self) -> None:
        """Wait in this thread until the slots are acquired.

        Raises:
            AcquireConcurrencySlotTimeoutError: They did not come free in time.
            ConcurrencySlotAcquisitionError: They cannot be had.
        """
        ticket = self._ticket
        try:
            self._slots.ask(ticket)
            if not ticket.is_settled:
                with self._on_record():
                    self._wait()
            self._conclude()
        except BaseException:
            self._slots.give_up(ticket)
            raise

    async def aacquire(self) -> None:
        """Let the event loop go on until the slots are acquired; see ``acquire``."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; whoever awaits has it

        ticket = self._ticket
        try:
            await asyncio.to_thread(self._slots.ask, ticket)
            if not ticket.is_settled:
                settled, wake = alarm()
                ticket.subscribe(wake)
                async with awaiting():
                    with self._on_record(), suppress(TimeoutError):
                        async with asyncio.timeout(self._left()):
                            await settled.wait()
            self._conclude()
        except BaseException:
            self._slots.give_up(ticket)
            raise

    def release(self, *, insist: bool) -> None:
        """Release the slots.

        Args:
            insist: Fail when they were taken away before; else that is a warning.

        Raises:
            ConcurrencySlotsLostError: They were.
        """
        grant = self._ticket.grant
        assert grant is not None, "only what was acquired is released"
        if self._loop is not None:
            _held_in[self._loop].subtract(grant.names)
        if not grant.names or self._slots.release(self._ticket):
            return
        lost = ConcurrencySlotsLostError(grant.names)
        if insist:
            raise lost
        self._logger().warning("%s", lost)

    async def arelease(self, *, insist: bool) -> None:
        """Release the slots, also when the coroutine is cancelled meanwhile; see ``release``."""
        import asyncio  # noqa: PLC0415

        await asyncio.shield(asyncio.to_thread(self.release, insist=insist))

    def _wait(self) -> None:
        self._refuse_to_wait_for_itself()
        settled = threading.Event()
        self._ticket.subscribe(settled.set)
        with blocked():
            while not settled.is_set():
                left = self._left()
                if left is not None and left <= 0:
                    return
                settled.wait(
                    _LOOK_SECONDS if left is None else min(left, _LOOK_SECONDS)
                )

    def _refuse_to_wait_for_itself(self) -> None:
        """Do nothing unless code of the event loop that would be blocked holds slots: it could never release them.

        Raises:
            ConcurrencySlotAcquisitionError: It does.
        """
        held = _held_in.get(self._loop) if self._loop is not None else None
        names = tuple(name for name in self._ticket.request.names if held and held[name] > 0)  # fmt: skip
        if names:
            reason = "other code of the same event loop holds them, and could not go on while this one blocks the loop"
            advice = "Use `async with` and caudal.concurrency.asyncio in coroutines."
            raise ConcurrencySlotAcquisitionError(names, reason, advice)

    def _left(self) -> float | None:
        if self._timeout is None:
            return None
        return self._started_at + self._timeout - monotonic()

    def _conclude(self) -> None:
        """Do nothing if the slots were acquired."""
        ticket = self._ticket
        if ticket.error is not None:
            raise ticket.error
        if ticket.grant is None:
            assert self._timeout is not None, (
                "without a timeout the wait ends with the ticket"
            )
            names = ticket.request.names
            raise AcquireConcurrencySlotTimeoutError(names, self._timeout, ticket.why())
        if self._loop is not None and not ticket.request.is_rate:
            _held_in.setdefault(self._loop, Counter()).update(ticket.grant.names)
        missing = ticket.grant.missing
        if not missing:
            return
        shown = ", ".join(map(repr, missing))
        advice = f"`caudal global-concurrency-limit create {missing[0]} --limit 1` makes one."
        if self._strict:
            reason = f"there is no concurrency limit {shown}"
            raise ConcurrencySlotAcquisitionError(missing, reason, advice)
        self._logger().warning(
            "There is no concurrency limit %s, so it limits nothing. %s", shown, advice
        )

    @contextmanager
    def _on_record(self) -> Generator[None]:
        """Have it on record within the block that the run in charge waits, and for what."""
        self._log_wait()
        run = self._run
        if run is None or run.id is None:
            yield
            return
        request = self._ticket.request
        wait = {"limits": list(request.names), "slots": request.slots, "since": timestamp()}  # fmt: skip
        with _waits_lock:
            waits = _waits.setdefault(run.id, [])
            waits.append(wait)
            run.note_waits(list(waits))
        try:
            yield
        finally:
            with _waits_lock:
                waits.remove(wait)
                run.note_waits(list(waits))
                if not waits:
                    del _waits[run.id]

    def _log_wait(self) -> None:
        level = logging.DEBUG if self._ticket.request.is_rate else logging.INFO
        self._logger().log(level, "Waits for slots. %s", self._ticket.why())

    def _logger(self) -> Any:
        if self._run is not None:
            return run_logger(self._run)
        return logging.getLogger("caudal.concurrency")


def listed(names: str | Iterable[str]) -> list[str]:
    """Return the names of limits as they were given: one, or several."""
    return [names] if isinstance(names, str) else list(names)
