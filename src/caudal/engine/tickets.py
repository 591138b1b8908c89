"""What somebody wants of named limits, and who waits for the same; see ``engine.slots``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from caudal.clock import monotonic
from caudal.exceptions import CaudalError, ConcurrencySlotAcquisitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.ledger.limits import Grant, Refusal, SlotRequest

#: Seconds between two looks at what other processes released: at first, growing by half each time, and at last.
FIRST_PAUSE, LAST_PAUSE = 0.02, 0.1
#: Seconds for which a process hands slots from one of its tickets to the next, and for which it then leaves them to other processes,
#: each of which looks meanwhile. Without that it would keep a busy limit to itself: it knows at once of what it releases, they do not.
TURN_SECONDS, BREAK_SECONDS = 2.0, 0.12

#: Guards the callbacks of all tickets: it is held for a few instructions at a time.
_callbacks_lock = threading.Lock()


class Ticket:
    """Somebody's wish for slots, from the first question to the release.

    Args:
        request: What is wanted.
        max_retries: How many looks may find too few slots after the first one; None is any number.
        is_stopped: Says whether the run that wants the slots is being stopped. A ticket with it also waits for slots that a limit does
            not have yet; without it such a wish fails.
    """

    __slots__ = (
        "_callbacks",
        "error",
        "grant",
        "is_settled",
        "is_stopped",
        "is_unwanted",
        "max_retries",
        "refusal",
        "request",
    )

    request: SlotRequest
    max_retries: int | None
    is_stopped: Callable[[], bool] | None
    is_settled: bool
    is_unwanted: bool

    def __init__(
        self,
        request: SlotRequest,
        *,
        max_retries: int | None = None,
        is_stopped: Callable[[], bool] | None = None,
    ) -> None:
        self.request, self.max_retries = request, max_retries
        self.is_stopped = is_stopped
        #: Why it was put into a queue.
        self.refusal: Refusal | None = None
        #: How it ended; neither is there when the run was stopped.
        self.grant: Grant | None = None
        self.error: CaudalError | None = None
        self.is_settled = False
        #: Whether whoever asked has given it up.
        self.is_unwanted = False
        self._callbacks: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called once when the ticket is settled, at once if it is."""
        with _callbacks_lock:
            if not self.is_settled:
                self._callbacks.append(callback)
                return
        callback()

    def why(self) -> str:
        """Return why the ticket waits, as a sentence for people."""
        if self.refusal is None:
            return f"Others wait for {', '.join(self.request.names)} too."
        return self.refusal.reason()

    def wants_no_more(self) -> bool:
        """Say whether the run that wants the slots is being stopped."""
        return self.is_stopped is not None and self.is_stopped()

    def settle(
        self, grant: Grant | None = None, error: CaudalError | None = None
    ) -> None:
        """Say how the wish ended, and tell those who wait for that."""
        self.grant, self.error = grant, error
        with _callbacks_lock:
            self.is_settled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class Queue:
    """Tickets that wait for the same limits, in the order in which they came."""

    __slots__ = ("break_ends", "due_at", "looks", "patience", "pause", "refusal", "tickets", "turn_ends")  # fmt: skip

    break_ends: float
    due_at: float
    pause: float
    looks: int

    def __init__(self) -> None:
        self.tickets: dict[Ticket, None] = {}
        #: When to look, on the monotonic clock; at once at first, as slots may have been released before the queue was there.
        self.due_at = 0.0
        self.pause = FIRST_PAUSE
        #: Until when slots are left to other processes, and until when this process's turn lasts, None between two turns.
        self.break_ends = 0.0
        self.turn_ends: float | None = None
        #: Looks that found too few slots, without the first one.
        self.looks = -1
        #: Of the tickets that do not wait for ever, the last look.
        self.patience: dict[Ticket, int] = {}
        self.refusal: Refusal | None = None

    def put(self, ticket: Ticket) -> None:
        """Let a ticket wait at the end."""
        if ticket.max_retries is not None:
            self.patience[ticket] = max(self.looks, 0) + ticket.max_retries
        self.tickets[ticket] = None

    def drop(self, ticket: Ticket) -> None:
        """Let a ticket wait no more."""
        self.tickets.pop(ticket, None)
        self.patience.pop(ticket, None)

    def next_look(self) -> float:
        """Return when to look, on the monotonic clock."""
        return max(self.due_at, self.break_ends)

    def grant(self, ticket: Ticket) -> None:
        """Note that a ticket gets its slots."""
        self.drop(ticket)
        self.pause = FIRST_PAUSE
        if self.turn_ends is None:
            self.begin_turn()

    def begin_turn(self) -> None:
        """Let this process take slots for a while, from now on."""
        self.turn_ends = monotonic() + TURN_SECONDS

    def has_had_turn(self) -> bool:
        """Say whether this process may leave a slot to others now."""
        return self.turn_ends is not None and monotonic() >= self.turn_ends

    def take_break(self) -> None:
        """Leave slots to other processes for a while; the next grant begins the next turn."""
        self.turn_ends = None
        self.break_ends = monotonic() + BREAK_SECONDS

    def refuse(self, refusal: Refusal) -> list[Ticket]:
        """Note that the first ticket was refused, and when to look again; return those that wait no longer."""
        self.looks += 1
        self.refusal = refusal
        self.due_at = monotonic() + self.pause
        if refusal.retry_after is not None:
            self.due_at = monotonic() + min(refusal.retry_after, LAST_PAUSE)
        self.pause = min(self.pause * 1.5, LAST_PAUSE)
        return [each for each, last in self.patience.items() if last <= self.looks]


def hopeless(ticket: Ticket, refusal: Refusal) -> CaudalError | None:
    """Return the error of a wish that no release can fulfil."""
    request, limit = ticket.request, refusal.limit
    if request.is_rate and limit.slot_decay_per_second <= 0:
        reason = f"{limit.name!r} is no rate limit: its slots do not come back"
        advice = "Give it a slot decay, or use concurrency()."
        return ConcurrencySlotAcquisitionError(request.names, reason, advice)
    if ticket.is_stopped is None and limit.slots < request.slots:
        reason = (
            f"{request.slots} of {limit.name!r} are wanted and it has {limit.slots}"
        )
        advice = "Occupy fewer, or raise the limit."
        return ConcurrencySlotAcquisitionError(request.names, reason, advice)
    return None


def too_often(ticket: Ticket, refusal: Refusal) -> CaudalError:
    """Return the error of a wish that was refused as often as it may be."""
    reason = f"{ticket.max_retries} further tries found too few. {refusal.reason().removesuffix('.')}"
    return ConcurrencySlotAcquisitionError(
        ticket.request.names, reason, "Allow more tries, or wait longer."
    )
