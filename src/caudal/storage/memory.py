"""A store that lasts as long as its process, for tests."""

from __future__ import annotations

from caudal.exceptions import ResultLostError, StorageError
from caudal.storage.port import BlobStore


class MemoryStore(BlobStore):
    """Keeps values in a dictionary, each of whose operations is one step of the interpreter."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def write(self, key: str, data: bytes) -> None:
        """See `BlobStore.write`."""
        self._values[self._checked(key)] = bytes(data)

    def read(self, key: str) -> bytes:
        """See `BlobStore.read`."""
        try:
            return self._values[self._checked(key)]
        except KeyError:
            raise ResultLostError(
                "read",
                key,
                self.location(key),
                "nothing is kept there",
                "Run the task again with refresh_cache=True",
            ) from None

    def exists(self, key: str) -> bool:
        """See `BlobStore.exists`."""
        return self._checked(key) in self._values

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`."""
        self._values.pop(self._checked(key), None)

    def location(self, key: str) -> str:
        """See `BlobStore.location`."""
        return f"memory:{key}"

    def _checked(self, key: str) -> str:
        if not key:
            raise StorageError(
                "use",
                key,
                "memory",
                "the key is empty",
                "Give the value a key that is not empty",
            )
        return key
