"""A store on top of a file system that a user gave: anything with ``read_path`` and ``write_path``, plain or coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from caudal.exceptions import CaudalError, ResultLostError, StorageError
from caudal.storage.port import BlobStore
from caudal.twins import finished

if TYPE_CHECKING:
    from collections.abc import Callable


class FileSystem(Protocol):
    """What a file system has to have; both methods may be coroutine functions."""

    def read_path(self, path: str) -> Any:
        """Return the bytes at a path; for none, None or a ``ValueError``, ``LookupError`` or ``FileNotFoundError``."""
        ...

    def write_path(self, path: str, content: bytes) -> Any:
        """Write bytes to a path."""
        ...


class FileSystemStore(BlobStore):
    """Keeps each value under the path that its key is.

    Where the file system has ``exists``, ``delete_path`` or ``location`` too, they are used.

    Args:
        filesystem: The user's file system.
    """

    def __init__(self, filesystem: FileSystem) -> None:
        self._filesystem = filesystem

    def write(self, key: str, data: bytes) -> None:
        """See `BlobStore.write`."""
        self._run("write", key, self._filesystem.write_path, key, data)

    def read(self, key: str) -> bytes:
        """See `BlobStore.read`."""
        data = self._run("read", key, self._read, key)
        if data is None:
            raise self._lost(key)
        return data

    def _read(self, key: str) -> Any:
        """Return the bytes at a path, told apart from errors that say that there are none."""
        try:
            return finished(self._filesystem.read_path(key))
        except (ValueError, LookupError, FileNotFoundError) as error:
            raise self._lost(key) from error

    def exists(self, key: str) -> bool:
        """See `BlobStore.exists`."""
        asked = getattr(self._filesystem, "exists", None)
        if asked is not None:
            return bool(self._run("look up", key, asked, key))
        try:
            self.read(key)
        except ResultLostError:
            return False
        return True

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`; a file system that cannot delete keeps the value."""
        delete = getattr(self._filesystem, "delete_path", None)
        if delete is not None:
            self._run("delete", key, delete, key)

    def location(self, key: str) -> str:
        """See `BlobStore.location`."""
        locate = getattr(self._filesystem, "location", None)
        return locate(key) if locate else f"{self._filesystem!r}: {key}"

    def _run(self, action: str, key: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return finished(call(*args))
        except CaudalError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".rstrip(".: ")
            advice = "See to it that the file system given as result_storage can be reached and written to"
            raise StorageError(
                action, key, self.location(key), reason, advice
            ) from error

    def _lost(self, key: str) -> ResultLostError:
        return ResultLostError(
            "read",
            key,
            self.location(key),
            "nothing is kept there",
            "Run the task again with refresh_cache=True, or give the result_storage that it was written to",
        )
