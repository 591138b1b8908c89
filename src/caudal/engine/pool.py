"""The threads that carry out submitted task runs: one pool for the process, as large as the work needs.

A thread is added when work waits and nobody is idle, up to ``BASE_THREADS`` at once; beyond that only when no job ended
in the last ``STALE_SECONDS``, which is how blocking work (a query, a download) shows. So thousands of tiny tasks
share a few threads, and a hundred slow downloads get a hundred. Threads that wait for other runs do not count, so that tasks may
submit tasks and wait for them without a deadlock. A thread that finds no work for ``IDLE_SECONDS`` ends.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from caudal.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.timers import Timers

BASE_THREADS = 4
MAX_THREADS = 256
STALE_SECONDS = 0.002
#: How long after a job was submitted somebody looks whether it still waits.
LOOK_SECONDS = 0.005
IDLE_SECONDS = 10.0


class Pool:
    """Runs jobs on threads.

    Args:
        timers: Calls the pool back to see whether its threads got stuck.
    """

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        #: Whether a look at the threads is due.
        self._looking = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle: set[int] = set()
        self._threads: set[threading.Thread] = set()
        self._waiting = 0
        self._progress_at = 0.0
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job run on a thread; jobs handle their own errors."""
        self._jobs.put(job)
        if not self._idle:
            self._grow_if_needed()
            self._look_again()

    def give_away(self) -> None:
        """Count a thread as waiting for other runs."""
        with self._lock:
            self._waiting += 1
        if self._jobs.qsize() and not self._idle:
            self._grow()

    def take_back(self) -> None:
        """Count a thread as working again."""
        with self._lock:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads once they have no work left."""
        self._closed = True
        for _ in tuple(self._threads):
            self._jobs.put(None)

    def _look_again(self) -> None:
        """Look later whether the threads have got stuck: nobody else would, when all of them block."""
        if not self._looking:
            self._looking = True
            self._timers.after(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = False
        if self._jobs.qsize() and not self._closed:
            if not self._idle:
                self._grow_if_needed()
            self._look_again()

    def _grow_if_needed(self) -> None:
        if not self._jobs.qsize():
            return
        working = len(self._threads) - self._waiting
        if working < BASE_THREADS or monotonic() - self._progress_at > STALE_SECONDS:
            self._grow()

    def _grow(self) -> None:
        with self._lock:
            if len(self._threads) - self._waiting >= MAX_THREADS or self._closed:
                return
            thread = threading.Thread(
                target=self._work, name="caudal-pool", daemon=True
            )
            self._threads.add(thread)
        self._progress_at = monotonic()
        try:
            thread.start()
        except (
            RuntimeError
        ):  # the system gives no more threads: those there are do the work
            self._threads.discard(thread)
            if not self._threads:
                raise

    def _work(self) -> None:
        me = threading.get_ident()
        jobs = self._jobs
        while True:
            try:
                job = jobs.get(block=False)
            except Empty:
                self._idle.add(me)
                try:
                    job = jobs.get(timeout=IDLE_SECONDS)
                except Empty:
                    job = None
                finally:
                    self._idle.discard(me)
            if job is None:
                break
            if not self._idle:
                self._grow_if_needed()
            job()
            self._progress_at = monotonic()
        self._threads.discard(threading.current_thread())
        if self._jobs.qsize() and not self._closed:
            self._grow_if_needed()  # a job that came in between the time-out and the end
