"""What is known of a stored result: where it is, how to read it, and how to tell that it is intact."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A value that was kept, as the ledger records it."""

    #: Identity of the value: a cache key, or a key of the run that made it.
    key: str
    #: Name from which `resolve_serializer` makes the serializer again.
    serializer: str
    #: The value's type, ``package.module.Class``, for people.
    type_name: str
    #: SHA-256 of the serialized value, in hexadecimal.
    sha256: str
    #: Length of the serialized value.
    size_bytes: int
    #: The serialized value when it is small, else None.
    inline: bytes | None
    #: Where a large value is kept, for people; None when it is inline.
    location: str | None
    #: Seconds since the epoch, UTC.
    created_at: float
    #: From when the value may not serve as a cached result; None is never.
    expires_at: float | None = None

    def is_expired(self, now: float) -> bool:
        """Say whether the value may no longer serve as a cached result."""
        return self.expires_at is not None and self.expires_at <= now
