"""Results on their way to storage and back: serialized, placed by size, and checked when they are read.

A large value is stored under its key *and* its checksum. So a second value under the same key never
overwrites the first, and a process that dies between storing a value and recording it leaves what was recorded before intact.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from caudal.exceptions import ResultCorruptedError
from caudal.model.results import StoredResult
from caudal.storage.serializers import (
    AutoSerializer,
    Serializer,
    dump,
    load,
    resolve_serializer,
    type_name,
)

if TYPE_CHECKING:
    from caudal.storage.port import BlobStore


def encode(
    value: object,
    *,
    key: str,
    serializer: Serializer,
    inline_limit: int | None,
    store: BlobStore,
    now: float,
    expires_at: float | None = None,
) -> StoredResult:
    """Serialize a value and return what the ledger must know of it; a large value is in the store on return.

    Args:
        value: The value.
        key: Its identity.
        serializer: How to write it; `AutoSerializer` chooses by type.
        inline_limit: Bytes up to which the value travels in the returned record itself; None is always.
        store: Where larger values go.
        now: Seconds since the epoch, UTC.
        expires_at: From when it may not serve as a cached result.

    Raises:
        SerializationError: The value cannot be serialized.
        StorageError: The store cannot take it.
    """
    if isinstance(serializer, AutoSerializer):
        serializer, data = serializer.pick(value)
    else:
        data = dump(serializer, value)
    sha256 = hashlib.sha256(data).hexdigest()
    location = None
    if inline_limit is not None and len(data) > inline_limit:
        store.write(_place(key, sha256), data)
        location = store.location(_place(key, sha256))
    return StoredResult(
        key=key,
        serializer=serializer.name,
        type_name=type_name(value),
        sha256=sha256,
        size_bytes=len(data),
        inline=data if location is None else None,
        location=location,
        created_at=now,
        expires_at=expires_at,
    )


def decode(
    stored: StoredResult, store: BlobStore, serializer: Serializer | None = None
) -> Any:
    """Return the value that was stored. Only for processes that run users' code: a pickle can run any code.

    Args:
        stored: What the ledger knows of it.
        store: Where it was written to.
        serializer: An instance to use when it is the one the value was written with; spares making it from its name.

    Raises:
        ResultLostError: It is no longer there.
        ResultCorruptedError: It is not what was written.
        UnknownSerializerError: Its serializer is not there.
        DeserializationError: The serializer cannot read it.
    """
    if stored.inline is not None:
        data = stored.inline
    else:
        data = store.read(_place(stored.key, stored.sha256))
    found = hashlib.sha256(data).hexdigest()
    if found != stored.sha256:
        raise ResultCorruptedError(
            stored.key, stored.location or "the ledger", stored.sha256, found
        )
    if serializer is None or serializer.name != stored.serializer:
        serializer = resolve_serializer(stored.serializer)
    return load(serializer, data, stored.type_name)


def discard(stored: StoredResult, store: BlobStore) -> None:
    """Delete what the store keeps of a result that the ledger no longer names; nothing happens when it is gone."""
    if stored.inline is None:
        store.delete(_place(stored.key, stored.sha256))


def _place(key: str, sha256: str) -> str:
    return f"{key}@{sha256}"
