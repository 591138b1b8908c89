"""Locks for the threads and coroutines of one process."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Self, cast

from caudal.clock import monotonic
from caudal.locking.protocol import LockManager

__all__ = ["MemoryLockManager"]


class MemoryLockManager(LockManager):
    """Keeps locks in memory; all instances of a process are the same one."""

    _instance: ClassVar[MemoryLockManager | None] = None
    _mutex: ClassVar[threading.Lock] = threading.Lock()
    #: Holder of each lock that is taken, and until when.
    _held: ClassVar[dict[str, tuple[str, float | None]]] = {}

    def __new__(cls) -> Self:
        """Return the process's lock manager."""
        if MemoryLockManager._instance is None:
            MemoryLockManager._instance = super().__new__(cls)
        return cast("Self", MemoryLockManager._instance)

    def try_lock(
        self, key: str, holder: str, hold_timeout: float | None = None
    ) -> bool:
        """Take a lock if it is free; see `LockManager.try_lock`."""
        with self._mutex:
            if self._holder(key) not in {None, holder}:
                return False
            until = None if hold_timeout is None else monotonic() + hold_timeout
            self._held[key] = holder, until
            return True

    def release_lock(self, key: str, holder: str) -> None:
        """Release a lock; see `LockManager.release_lock`."""
        with self._mutex:
            if self._holder(key) != holder:
                raise ValueError(f"lock {key!r} is not held by {holder!r}")
            del self._held[key]

    def holder_of(self, key: str) -> str | None:
        """Return who has a lock; None when it is free."""
        with self._mutex:
            return self._holder(key)

    def _holder(self, key: str) -> str | None:
        found = self._held.get(key)
        if found is None:
            return None
        holder, until = found
        if until is not None and until <= monotonic():
            del self._held[key]
            return None
        return holder

    def __reduce__(self) -> Any:
        return MemoryLockManager, ()
