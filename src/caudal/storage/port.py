"""What the engine needs of a place for large values."""

from __future__ import annotations

from typing import Protocol


class BlobStore(Protocol):
    """A place that keeps bytes under keys.

    Any text but the empty one is a key, two keys never share a value, and a key never names a place outside the
    store. Implementations are safe to call from several threads and processes. Methods raise ``StorageError``, never
    the system's own error.
    """

    def write(self, key: str, data: bytes) -> None:
        """Keep a value, replacing the one of the same key.

        Readers see the old value or the new one, never a part; after an error the old value is still there and
        nothing else is left behind.
        """
        ...

    def read(self, key: str) -> bytes:
        """Return a value.

        Raises:
            ResultLostError: Nothing is kept under the key.
        """
        ...

    def exists(self, key: str) -> bool:
        """Say whether something is kept under the key."""
        ...

    def delete(self, key: str) -> None:
        """Remove a value; nothing happens when there is none."""
        ...

    def location(self, key: str) -> str:
        """Return where a value is kept, or would be, in a form that people can follow."""
        ...
