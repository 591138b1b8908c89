"""Slots of named limits as this process uses them: who waits for which, in what order, and who is woken.

Who holds slots stands in the ledger alone. Whoever wants some makes a ``Ticket`` and asks. Where nobody waits for the same limits the
ledger is asked at once, in the caller's thread. When it refuses, or when others wait already, the ticket goes into a queue:

    ask ---- granted ---------------------> settled ---- release, give_up ----> free in the ledger
     |                                         ^
     +------ refused ---> queue, first in, first out: one for each set of limits

One thread, started with the first question, serves the queues. It asks the ledger for the first ticket of a queue
as soon as slots were released in this process, when those of a rate limit come back, and otherwise, because other processes release
slots too, at growing intervals. So a waiting ticket costs no thread, and a thousand of them no more looks than one.

``give_up`` may be called at any moment and from anywhere, garbage collection included: it never waits and takes no lock.
What it gives back is released before this process asks for anything else.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from caudal.clock import monotonic, timestamp
from caudal.engine.liveness import is_alive
from caudal.engine.tickets import (
    LAST_PAUSE,
    Queue,
    Ticket,
    hopeless,
    too_often,
)
from caudal.exceptions import LeaseLostError, LedgerError
from caudal.ledger.encoding import clean_text
from caudal.ledger.limits import Grant, SlotRequest
from caudal.model.limits import TAG_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.ledger.limits import Refusal
    from caudal.ledger.port import Ledger

#: Seconds for which this process believes what it read about limits on tags.
TAGS_KNOWN_SECONDS = 1.0


class _Hurry:
    """Tells the thread to look for runs that are being stopped."""


class Slots:
    """Acquires and releases slots for the code of this process.

    Args:
        ledger: Where limits and their holders stand.
        owner: Lease of this process.
        hold_lease: Makes sure that this process holds it.
    """

    def __init__(
        self, ledger: Ledger, owner: bytes, hold_lease: Callable[[], None]
    ) -> None:
        self._ledger, self._owner, self._hold_lease = ledger, owner, hold_lease
        #: By the limits that their tickets want.
        self._queues: dict[tuple[str, ...], Queue] = {}
        #: What happened to tickets, for the thread: they are to wait, or were given up. None ends it.
        self._inbox: SimpleQueue[Ticket | _Hurry | None] = SimpleQueue()
        #: Granted requests that nobody wants any more.
        self._freed: deque[bytes] = deque()
        self._asking = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tags: frozenset[str] = frozenset()
        self._tags_read_at: float | None = None

    def ticket(
        self,
        names: Iterable[str],
        *,
        holder: str,
        run: Any = None,
        slots: int = 1,
        is_rate: bool = False,
        max_retries: int | None = None,
        is_stopped: Callable[[], bool] | None = None,
    ) -> Ticket:
        """Return a new wish for slots.

        Args:
            names: The limits.
            holder: Who uses them, for people.
            run: The run whose code that is, None outside of runs.
            slots: How many of each.
            is_rate: Whether they are used up, instead of held.
            max_retries: See ``Ticket``.
            is_stopped: See ``Ticket``.
        """
        scope = None if run is None else run.scope
        request = SlotRequest(
            os.urandom(16),
            tuple(sorted(set(names))),
            slots,
            self._owner,
            None if run is None else run.id,
            clean_text(holder),
            is_rate,
            None if scope is None else scope.id,
            None if scope is None else scope.proof,
        )
        return Ticket(request, max_retries=max_retries, is_stopped=is_stopped)

    def ask(self, ticket: Ticket) -> None:
        """Ask for slots: afterwards the ticket is settled, or it waits, with the refusal that it waits for.

        Raises:
            LedgerError: The ledger cannot be asked.
            LeaseLostError: Another process owns the flow run whose code asks.
        """
        self._start()
        self._hold_lease()
        queue = self._queues.get(ticket.request.names)
        if queue is not None:
            ticket.refusal = queue.refusal
        else:
            outcome = self._acquire(ticket)
            if isinstance(outcome, Grant):
                self._settle(ticket, outcome)
                return
            ticket.refusal = outcome
            error = hopeless(ticket, outcome)
            if error is None and ticket.max_retries == 0:
                error = too_often(ticket, outcome)
            if error is not None:
                ticket.settle(error=error)
                return
        self._inbox.put(ticket)

    def give_up(self, ticket: Ticket) -> None:
        """Take a wish back, and give back what was granted, or will be; without waiting."""
        ticket.is_unwanted = True
        if ticket.error is None:
            # Also where no grant is known: whoever asks may have been interrupted between the ledger's answer and its note.
            self._freed.append(ticket.request.id)
            self._inbox.put(ticket)

    def release(self, ticket: Ticket) -> bool:
        """Give back what was granted and return whether it was still held; what cannot be released now is released later."""
        try:
            with self._asking:
                held = self._ledger.limits.release([ticket.request.id], timestamp())
        except LedgerError:
            self.give_up(ticket)
            return True
        ticket.is_unwanted = True
        if self._queues:
            self._inbox.put(ticket)
        return bool(held)

    def limits_on(self, tags: Iterable[str]) -> tuple[str, ...] | None:
        """Return the limits that are defined on some of these tags; None when that has to be read first."""
        if self._tags_read_at is None:
            return None
        if monotonic() - self._tags_read_at > TAGS_KNOWN_SECONDS:
            return None
        return tuple(TAG_PREFIX + tag for tag in sorted(self._tags.intersection(tags)))

    def read_limits_on(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the limits that are defined on some of these tags now."""
        now = monotonic()
        names = [limit.name for limit in self._ledger.limits.all()]
        self._tags = frozenset(
            name.removeprefix(TAG_PREFIX)
            for name in names
            if name.startswith(TAG_PREFIX)
        )
        self._tags_read_at = now
        return self.limits_on(tags) or ()

    def forget_tags(self) -> None:
        """Read the limits on tags again before the next task with a tag."""
        self._tags_read_at = None

    def hurry(self) -> None:
        """Settle the tickets of runs that are being stopped."""
        if self._thread is not None:
            self._inbox.put(_Hurry())

    def close(self) -> None:
        """Release what was given up and end the thread; tickets that still wait are settled with an error."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            with self._asking:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="caudal-slots", daemon=True
                    )
                    self._thread.start()

    def _acquire(self, ticket: Ticket) -> Grant | Refusal:
        with self._asking:
            self._release_freed()
            return self._ledger.limits.acquire(ticket.request, timestamp(), is_alive)

    def _release_freed(self) -> None:
        freed = [self._freed.popleft() for _ in range(len(self._freed))]
        if not freed:
            return
        try:
            self._ledger.limits.release(freed, timestamp())
        except LedgerError:
            self._freed.extend(freed)
            raise

    def _try_to_release(self) -> None:
        """Release what was given up; what cannot be released now is tried again after the next pause."""
        with suppress(LedgerError), self._asking:
            self._release_freed()

    def _is_shared(self) -> bool:
        """Say whether other processes may want slots too."""
        try:
            return any(each.owner != self._owner for each in self._ledger.leases())
        except LedgerError:
            return True

    def _settle(self, ticket: Ticket, grant: Grant) -> None:
        ticket.settle(grant)
        if ticket.is_unwanted:  # since before it was granted
            self.give_up(ticket)

    def _run(self) -> None:
        while self._take():
            for names, queue in list(self._queues.items()):
                if queue.next_look() <= monotonic():
                    self._look(queue)
                if not queue.tickets:
                    del self._queues[names]
            self._try_to_release()
        self._try_to_release()
        error = LedgerError(self._ledger.location, "it was closed", "Start again.")
        for queue in self._queues.values():
            for ticket in queue.tickets:
                ticket.settle(error=error)

    def _take(self) -> bool:
        """Wait for something to do and put it in its place; say whether to go on."""
        looks = (queue.next_look() for queue in self._queues.values())
        due_at = min(looks, default=inf)
        if self._freed:
            due_at = min(due_at, monotonic() + LAST_PAUSE)
        pause = None if due_at == inf else max(due_at - monotonic(), 0.0)
        with suppress(Empty):
            ticket = self._inbox.get(timeout=pause)
            while True:
                if ticket is None:
                    return False
                self._sort(ticket)
                ticket = self._inbox.get(block=False)
        return True

    def _sort(self, ticket: Ticket | _Hurry) -> None:
        if isinstance(ticket, _Hurry):
            for queue in self._queues.values():
                for each in [each for each in queue.tickets if each.wants_no_more()]:
                    queue.drop(each)
                    each.settle()
            return
        names = ticket.request.names
        if ticket.wants_no_more() and not ticket.is_unwanted:
            ticket.settle()
            return
        if not ticket.is_unwanted:
            self._queues.setdefault(names, Queue()).put(ticket)
            return
        if names in self._queues:
            self._queues[names].drop(ticket)
        for other, queue in self._queues.items():
            if not set(names).isdisjoint(other):
                queue.due_at = 0.0

    def _look(self, queue: Queue) -> None:
        """Ask for the first tickets of a queue until one is refused."""
        while queue.tickets:
            ticket = next(iter(queue.tickets))
            if ticket.is_unwanted:
                queue.drop(ticket)
                continue
            if queue.has_had_turn():
                if self._is_shared():
                    queue.take_break()
                    return
                queue.begin_turn()
            try:
                outcome = self._acquire(ticket)
            except (LedgerError, LeaseLostError) as error:
                queue.drop(ticket)
                ticket.settle(error=error)
                continue
            if isinstance(outcome, Grant):
                queue.grant(ticket)
                self._settle(ticket, outcome)
                continue
            error = hopeless(ticket, outcome)
            if error is None:
                for spent in queue.refuse(outcome):
                    queue.drop(spent)
                    spent.settle(error=too_often(spent, outcome))
                return
            queue.drop(ticket)
            ticket.settle(error=error)
