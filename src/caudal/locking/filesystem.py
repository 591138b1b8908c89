"""Locks for all processes that share a folder, on one machine or several."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.liveness import is_alive, own_lease
from caudal.exceptions import ConfigurationError
from caudal.locking.protocol import LockManager
from caudal.model.runs import Lease

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["FileSystemLockManager"]

_GUARD = ".guard"
_PLAIN = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_.=-]{0,99}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.=-]+")


class FileSystemLockManager(LockManager):
    """Keeps each lock in a file of a folder.

    A file says which process took the lock. When that process has died, which its machine knows at once, the next one that asks takes the
    lock over; from another machine a lock without ``hold_timeout`` stays until it is released or its file is deleted. All looks and
    changes are made under one guard, a lock of the operating system that ends with its process, so no two take over at a time.

    Args:
        lock_files_directory: The folder; it is made when it is needed. The file system must know locks (``flock``), as local ones and NFS do.
    """

    def __init__(self, lock_files_directory: Path | str) -> None:
        #: The folder, absolute.
        self.lock_files_directory: Path = (
            Path(lock_files_directory).expanduser().resolve()
        )

    def try_lock(
        self, key: str, holder: str, hold_timeout: float | None = None
    ) -> bool:
        """Take a lock if it is free; see `LockManager.try_lock`."""
        file = self._file(key)
        with self._guard():
            if _holder(file) not in {None, holder}:
                return False
            lease = own_lease(b"", 0.0)
            expires_at = None if hold_timeout is None else timestamp() + hold_timeout
            about = {
                "key": key,
                "holder": holder,
                "expires_at": expires_at,
                "host": lease.host,
                "pid": lease.pid,
                "started": lease.started,
            }
            temporary = file.with_name(f".{secrets.token_hex(8)}")
            temporary.write_text(json.dumps(about))
            temporary.replace(file)
            return True

    def release_lock(self, key: str, holder: str) -> None:
        """Release a lock; see `LockManager.release_lock`."""
        file = self._file(key)
        with self._guard():
            if _holder(file) != holder:
                raise ValueError(f"lock {key!r} is not held by {holder!r}")
            file.unlink()

    def holder_of(self, key: str) -> str | None:
        """Return who has a lock; None when it is free."""
        return _holder(self._file(key))

    @contextmanager
    def _guard(self) -> Generator[None]:
        """Keep all others from looking and changing within a ``with`` block."""
        guard = self.lock_files_directory / _GUARD
        try:
            file = guard.open("a")
        except FileNotFoundError:
            guard.parent.mkdir(parents=True, exist_ok=True)
            file = guard.open("a")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _file(self, key: str) -> Path:
        if _PLAIN.fullmatch(key):
            return self.lock_files_directory / f"{key}.lock"
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        readable = _NOT_PLAIN.sub("_", key)[:48].strip("._")
        return self.lock_files_directory / f"{readable}-{digest}.lock"

    def __repr__(self) -> str:
        return f"FileSystemLockManager({str(self.lock_files_directory)!r})"


def _holder(file: Path) -> str | None:
    """Return who has the lock of a file; None when there is none, its time is over, or its process has died."""
    try:
        about: dict[str, Any] = json.loads(file.read_text())
        lease = Lease(b"", 0.0, about["host"], about["pid"], about["started"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{str(file)!r} stands where a lock is kept and is none. Delete it, or give FileSystemLockManager a folder of its own."
        ) from error
    if about["expires_at"] is not None and about["expires_at"] <= timestamp():
        return None
    return about["holder"] if is_alive(lease) else None
