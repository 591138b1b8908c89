"""The journal: one thread per process that writes what happens into the ledger, many facts to a transaction.

Runs put themselves into a queue when they change. The writer thread takes everything that is there, asks each item to
add itself to a batch, and commits the batch: while one commit runs, the next batch collects. Nobody waits for it,
except at a *barrier*: before a flow call returns, and before a value leaves the process.

A run that starts and ends between two commits costs one event and one row, because it is queued once and tells all its moves at
once. Moves that nobody has to see at once (a task is pending, a task runs) are *deferred*: they are written when the run
ends or after ``flush_interval`` seconds, whichever comes first.

Failures. A commit that fails is retried with the same batch, so that nothing is lost or reordered; the batch bears a stamp, so that one
which was written although its commit failed is not written twice. While it fails, barriers wait. After ``give_up_seconds`` the waiters get the error and the batch stays for the next attempt. The thread also has *duties*, in time even when
there is nothing to write: it renews the process's lease and looks whether somebody wants a flow run to stop. When the ledger refuses what was written for a flow run, because another process owns
it now, ``on_refused`` is told and the run's later facts are refused likewise.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import sleep
from typing import TYPE_CHECKING, Protocol

from caudal.clock import monotonic, timestamp
from caudal.exceptions import CaudalError, LedgerCorruptError, LedgerError
from caudal.ledger.port import Batch, Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caudal.ledger.port import Ledger

#: Items of one transaction at most; bounds the memory of a batch and the time others wait for the file.
BATCH_ITEMS = 8192
#: Items that may wait to be written before those who make more of them wait, too.
MOST_BEHIND = BATCH_ITEMS
#: How long one of those waits at most.
_LONGEST_WAIT_SECONDS = 1.0
_logger = logging.getLogger("caudal.journal")
_FIRST_RETRY_SECONDS = 0.05
_LAST_RETRY_SECONDS = 1.0


class Item(Protocol):
    """Something that is written into the ledger."""

    def collect(self, batch: Batch) -> None:
        """Add what is new about it to a batch."""
        ...


class Deferrable(Item, Protocol):
    """An item that may be written a little later."""

    #: When it was put off, in seconds since the epoch; None when it is not.
    deferred_at: float | None
    queued: bool


class Barrier:
    """A point in the queue; opens when everything before it is durable."""

    __slots__ = ("_lock", "callback", "error")

    callback: Callable[[Barrier], None] | None

    def __init__(self, callback: Callable[[Barrier], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.error: CaudalError | None = None
        self.callback = callback

    def collect(self, batch: Batch) -> None:
        """Add nothing: a barrier is no fact."""

    def open(self, error: CaudalError | None) -> None:
        """Let the waiters go on."""
        self.error = error
        self._lock.release()
        if self.callback is not None:
            self.callback(self)

    def wait(self) -> None:
        """Wait until everything before the barrier is durable.

        Raises:
            LedgerError: It could not be written.
        """
        self._lock.acquire()
        self._lock.release()
        if self.error is not None:
            raise self.error


class _Wake:
    """An item that says nothing; it ends a long wait."""

    def collect(self, batch: Batch) -> None:
        """Add nothing."""


_WAKE = _Wake()


class _Duty:
    """Something that the journal's thread does again and again."""

    seconds: float

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.seconds, self._function = seconds, function
        self._due_at = monotonic() + seconds

    def do(self, now: float) -> None:
        """Do it if it is due."""
        if now < self._due_at:
            return
        try:
            self._function()
        except LedgerError:
            return  # tried again at the next turn; a lease outlives several misses
        self._due_at = now + self.seconds


class Journal:
    """Writes what items tell into a ledger, in the order in which they were put.

    Args:
        ledger: Where to write.
        writer: Id of this process among those that write.
        duties: Functions that the journal's thread calls while it runs, and the seconds between two calls.
        on_refused: Called with a flow run's id and the reason when the ledger refused its facts.
        flush_interval: Seconds after which deferred moves are written.
        give_up_seconds: Seconds after which a failing commit is reported to those who wait.
    """

    #: Hands an item to the writer and returns at once.
    put: Callable[[Item], None]

    def __init__(
        self,
        ledger: Ledger,
        writer: bytes,
        *,
        duties: Sequence[tuple[float, Callable[[], None]]],
        on_refused: Callable[[bytes, str], None],
        flush_interval: float = 0.05,
        give_up_seconds: float = 30.0,
    ) -> None:
        self._ledger, self._writer = ledger, writer
        self._duties = [_Duty(seconds, function) for seconds, function in duties]
        self._rest_seconds = min(duty.seconds for duty in self._duties)
        self._on_refused = on_refused
        self._flush_interval = flush_interval
        self._give_up_seconds = give_up_seconds
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._deferred: deque[Deferrable] = deque()
        #: Items that were taken out of the queue and come before what is in it.
        self._held: deque[Item | None] = deque()
        self._waiting: list[Barrier] = []
        self._number = 0
        self._closing = False
        #: Why nothing is written any more; None while the thread runs.
        self._ending: CaudalError | None = None
        #: Whether the thread waits for longer than deferred items may.
        self._asleep = False
        #: Whether writing fails.
        self._is_stuck = False
        self._has_room = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="caudal-journal", daemon=True
        )
        self._thread.start()
        self.put = self._queue.put

    @property
    def has_written(self) -> bool:
        """Whether there was ever something to write."""
        return self._number > 0

    def defer(self, item: Deferrable, now: float) -> None:
        """Have an item written within ``flush_interval`` of now (seconds since the epoch), or sooner when it is put.

        It waits where writing is behind, so that what is lost with the process is bounded, and so is the memory that it takes.
        """
        item.deferred_at = now
        self._deferred.append(item)
        if self._queue.qsize() > MOST_BEHIND:
            self._wait_for_room()
        if self._asleep:
            self._asleep = False
            self._queue.put(_WAKE)

    def barrier(self, callback: Callable[[Barrier], None] | None = None) -> Barrier:
        """Return a barrier behind everything that was put so far.

        Args:
            callback: Called on the journal's thread when the barrier opens.
        """
        barrier = Barrier(callback)
        self._queue.put(barrier)
        if self._ending is not None:  # it ended in between
            self._fail_waiting(self._ending)
        return barrier

    def close(self) -> None:
        """Write everything that is there and end the thread; a second call does nothing."""
        if self._closing:
            return
        self._closing = True
        self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        ending = LedgerError(
            self._ledger.location,
            "it was closed, by the end of the test harness or process that it belonged to",
            "Call get_client() again, and read what a harness recorded before its block ends.",
        )
        try:
            while self._turn():
                pass
        except BaseException as problem:
            ending = _as_ledger_error(problem, self._ledger.location)
            raise
        finally:
            self._ending = ending
            self._is_stuck = True
            self._has_room.set()
            self._fail_waiting(ending)

    def _turn(self) -> bool:
        """Write what is there, and say whether to go on."""
        batch, closing = self._take()
        if self._queue.qsize() <= MOST_BEHIND // 2:
            self._has_room.set()
        if batch and not self._commit(batch):
            return False
        waiting, self._waiting = self._waiting, []
        for barrier in waiting:
            barrier.open(None)
        self._do_duties()
        return not closing

    def _wait_for_room(self) -> None:
        """Wait until half of what may wait to be written is left; not while writing fails, as nothing gets less then."""
        if self._is_stuck or threading.current_thread() is self._thread:
            return
        self._has_room.clear()
        if self._queue.qsize() > MOST_BEHIND:
            self._has_room.wait(_LONGEST_WAIT_SECONDS)

    def _do_duties(self) -> None:
        now = monotonic()
        for duty in self._duties:
            duty.do(now)

    def _take(self) -> tuple[Batch, bool]:
        """Wait for something to write and return it, with whether the journal is to close."""
        batch = Batch()
        closing = False
        self._asleep = True  # before the look at the deferred items: whoever defers looks after adding
        if self._deferred:
            self._asleep = False
        try:
            item = self._next(
                self._rest_seconds if self._asleep else self._flush_interval
            )
            self._asleep = False
            for place in range(BATCH_ITEMS):
                if place:
                    item = self._next()
                if item is None:
                    closing = True
                    break
                if item.__class__ is Barrier:
                    self._waiting.append(item)  # pyright: ignore[reportArgumentType]
                else:
                    item.collect(batch)
        except Empty:
            pass
        self._collect_deferred(batch, everything=closing)
        return batch, closing

    def _next(self, timeout: float | None = None) -> Item | None:
        """Return the next item; raises ``Empty`` when there is none in time."""
        if self._held:
            return self._held.popleft()
        return self._queue.get(block=timeout is not None, timeout=timeout)

    def _collect_deferred(self, batch: Batch, *, everything: bool) -> None:
        deferred = self._deferred
        due = timestamp() - self._flush_interval
        while deferred and (everything or (deferred[0].deferred_at or 0.0) <= due):
            item = deferred.popleft()
            item.deferred_at = None
            if not item.queued:
                item.collect(batch)

    def _commit(self, batch: Batch) -> bool:
        """Write the batch, again and again until it is written; return False when the journal closes without."""
        self._number += 1
        batch.stamp = Stamp(self._writer, self._number, timestamp())
        started = told_at = monotonic()
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                receipt = self._ledger.commit(batch)
            except Exception as problem:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                error = _as_ledger_error(problem, self._ledger.location)
                self._is_stuck = True
                self._has_room.set()
                if delay == _FIRST_RETRY_SECONDS:
                    _logger.warning("%s Writing is tried again meanwhile.", error)
                waited = monotonic() - (started if self._closing else told_at)
                if waited >= self._give_up_seconds or isinstance(
                    error, LedgerCorruptError
                ):
                    self._fail_waiting(error)
                    if self._closing:
                        return False
                    told_at = monotonic()
                sleep(delay)
                delay = min(delay * 2, _LAST_RETRY_SECONDS)
                self._do_duties()
            else:
                self._is_stuck = False
                for function in batch.after:
                    function()
                for flow_run_id, reason in receipt.refused.items():
                    self._on_refused(flow_run_id, reason)
                return True

    def _fail_waiting(self, error: CaudalError) -> None:
        """Tell everyone who waits, those still in the queue too, that the ledger cannot be written."""
        with suppress(Empty):
            while True:
                item = self._queue.get(block=False)
                if item.__class__ is Barrier:
                    self._waiting.append(item)  # pyright: ignore[reportArgumentType]
                else:
                    self._held.append(item)
        waiting, self._waiting = self._waiting, []
        for barrier in waiting:
            barrier.open(error)


def _as_ledger_error(problem: BaseException, location: str) -> LedgerError:
    if isinstance(problem, LedgerError):
        return problem
    error = LedgerError(
        location,
        f"writing to it failed with {type(problem).__name__}: {problem}",
        "This is a defect of caudal: please report it.",
    )
    error.__cause__ = problem
    return error
