"""Locks by name, with which transactions and cached tasks that have one key wait for each other.

`MemoryLockManager` serves the threads of one process, `FileSystemLockManager` all processes that share a folder.
"""

from caudal.locking.filesystem import FileSystemLockManager
from caudal.locking.memory import MemoryLockManager
from caudal.locking.protocol import LockManager

__all__ = ["FileSystemLockManager", "LockManager", "MemoryLockManager"]
