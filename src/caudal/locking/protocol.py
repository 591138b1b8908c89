"""What transactions need of a lock manager, and the waiting that is the same in each."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from caudal.clock import monotonic

#: Seconds between two looks at a lock: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1


class LockManager(ABC):
    """Locks by name, each of which one holder has at a time. A holder is a text; the same one may acquire a lock again.

    Safe to call from several threads. A subclass says how a lock is taken, released and looked at; each of these is atomic.
    """

    @abstractmethod
    def try_lock(
        self, key: str, holder: str, hold_timeout: float | None = None
    ) -> bool:
        """Take a lock if it is free, without waiting, and say whether the holder has it now.

        Free is also one whose time is over, or whose holder is known to be gone.

        Args:
            key: Name of the lock.
            holder: Who wants it.
            hold_timeout: Seconds after which it is free again; None is never.
        """

    @abstractmethod
    def release_lock(self, key: str, holder: str) -> None:
        """Release a lock.

        Raises:
            ValueError: The holder does not have it.
        """

    @abstractmethod
    def holder_of(self, key: str) -> str | None:
        """Return who has a lock; None when it is free."""

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Wait for a lock and take it; False when that took too long.

        Args:
            key: Name of the lock.
            holder: Who wants it.
            acquire_timeout: Seconds to wait; None waits for ever.
            hold_timeout: Seconds after which it is free again; None is never.
        """
        pauses = _Pauses(acquire_timeout)
        while not self.try_lock(key, holder, hold_timeout):
            pause = pauses.next()
            if pause is None:
                return False
            time.sleep(pause)
        return True

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Wait for a lock and take it, while the event loop goes on; see `acquire_lock`."""
        import asyncio  # noqa: PLC0415 - whoever awaits has it

        pauses = _Pauses(acquire_timeout)
        while not self.try_lock(key, holder, hold_timeout):
            pause = pauses.next()
            if pause is None:
                return False
            await asyncio.sleep(pause)
        return True

    def is_locked(self, key: str) -> bool:
        """Say whether somebody has a lock."""
        return self.holder_of(key) is not None

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Say whether a holder has a lock."""
        return self.holder_of(key) == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until a lock is free; False when that took longer than ``timeout`` seconds."""
        pauses = _Pauses(timeout)
        while self.is_locked(key):
            pause = pauses.next()
            if pause is None:
                return False
            time.sleep(pause)
        return True

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the manager decides how to wait
        """Wait until a lock is free, while the event loop goes on; see `wait_for_lock`."""
        import asyncio  # noqa: PLC0415 - whoever awaits has it

        pauses = _Pauses(timeout)
        while self.is_locked(key):
            pause = pauses.next()
            if pause is None:
                return False
            await asyncio.sleep(pause)
        return True


class _Pauses:
    """Pauses between looks at a lock: they grow, and end with the time there is."""

    def __init__(self, timeout: float | None) -> None:
        self._deadline = None if timeout is None else monotonic() + timeout
        self._pause = FIRST_PAUSE

    def next(self) -> float | None:
        """Return the seconds to wait now; None when the time is over."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        if self._deadline is None:
            return pause
        left = self._deadline - monotonic()
        return min(pause, left) if left > 0 else None
