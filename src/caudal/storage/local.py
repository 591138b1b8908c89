"""A store in a folder of the local machine, or of a network file system that renames atomically."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from caudal.exceptions import ResultLostError, StorageError
from caudal.storage.port import BlobStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_TEMPORARY = ".writing-"
_READABLE_LENGTH = 48
_NOT_READABLE = re.compile(r"[^A-Za-z0-9_.=-]+")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}


class LocalStore(BlobStore):
    """Keeps each value in a file of its own, two folders deep, under a name made from the key.

    A name is the start of the key as far as file systems agree on its characters, for people, and the key's SHA-256,
    which makes it unique whatever the key holds. A value is written to a file beside its place and
    renamed into it.

    Args:
        base: The folder; it is made when the first value is written.
        fsync: Whether a value must survive a power failure once ``write`` returns.
    """

    def __init__(self, base: Path, *, fsync: bool = False) -> None:
        self._base = Path(base)
        self._fsync = fsync

    def write(self, key: str, data: bytes) -> None:
        """See `BlobStore.write`."""
        path = self._path(key)
        self._run("write", key, path, lambda: self._replace(path, data))

    def read(self, key: str) -> bytes:
        """See `BlobStore.read`."""
        path = self._path(key)
        return self._run("read", key, path, path.read_bytes)

    def exists(self, key: str) -> bool:
        """See `BlobStore.exists`."""
        path = self._path(key)
        try:
            self._run("look up", key, path, path.stat)
        except ResultLostError:
            return False
        return True

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`."""
        path = self._path(key)
        with suppress(ResultLostError):
            self._run("delete", key, path, path.unlink)

    def location(self, key: str) -> str:
        """See `BlobStore.location`."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        if not key:
            raise StorageError(
                "use",
                key,
                str(self._base),
                "the key is empty",
                "Give the value a key that is not empty",
            )
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        readable = _NOT_READABLE.sub("_", key)[:_READABLE_LENGTH].strip("._")
        name = f"{readable}-{digest}" if readable else digest
        return self._base / digest[:2] / digest[2:4] / name

    def _replace(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(_TEMPORARY + secrets.token_hex(8))
        try:
            self._write_new(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if self._fsync:
            for folder in path.parents[:3]:
                _sync_folder(folder)

    def _write_new(self, path: Path, data: bytes) -> None:
        try:
            file = path.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        with file:
            file.write(data)
            file.flush()
            if self._fsync:
                os.fsync(file.fileno())

    def _run(self, action: str, key: str, path: Path, call: Callable[[], T]) -> T:
        """Make a call and turn the system's errors into ones that say what to do."""
        try:
            return call()
        except FileNotFoundError as error:
            if action == "write":
                raise StorageError(
                    action, key, str(path), *_explain(error, self._base)
                ) from error
            raise ResultLostError(
                action,
                key,
                str(path),
                "there is no such file; it was deleted, or the folder is not the one it was written to",
                "Run the task again with refresh_cache=True, or point CAUDAL_HOME to the folder that was used",
            ) from None
        except OSError as error:
            raise StorageError(
                action, key, str(path), *_explain(error, self._base)
            ) from error


def _explain(error: OSError, base: Path) -> tuple[str, str]:
    """Return what happened and what to do about it."""
    what = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return (
            f"there is no room for it ({what})",
            f"Free space under {str(base)!r}, or point CAUDAL_HOME to a folder on a larger disk",
        )
    if error.errno in _NO_ACCESS:
        return (
            f"it is not allowed ({what})",
            f"Make {str(base)!r} writable for this user, or point CAUDAL_HOME to a folder that is",
        )
    return (
        what,
        f"Check that {str(base)!r} is a folder on a disk that works, or point CAUDAL_HOME to another one",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
