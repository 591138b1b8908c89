"""Stored results as users see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from caudal import clock
from caudal.model.views import utc
from caudal.storage.memory import MemoryStore
from caudal.storage.records import pack, unpack
from caudal.storage.results import decode, encode
from caudal.storage.serializers import Serializer, resolve_serializer

if TYPE_CHECKING:
    from datetime import datetime

    from caudal.model.results import StoredResult

R = TypeVar("R")


@dataclass(frozen=True)
class ResultRecordMetadata:
    """What is known of a stored result."""

    #: The key it is found under.
    storage_key: str
    #: From when it may not be used any more, aware; None is never.
    expiration: datetime | None
    #: What made its bytes.
    serializer: Serializer


@dataclass(frozen=True)
class ResultRecord(Generic[R]):
    """A result with what is known of it."""

    result: R
    metadata: ResultRecordMetadata

    @property
    def expiration(self) -> datetime | None:
        """From when it may not be used any more, aware; None is never."""
        return self.metadata.expiration

    @property
    def serializer(self) -> Serializer:
        """What made its bytes."""
        return self.metadata.serializer

    def serialize(self) -> bytes:
        """Return the record as bytes: a line of JSON, then the value.

        Raises:
            SerializationError: The value cannot be serialized.
        """
        about, expiration = self.metadata, self.metadata.expiration
        stored = encode(
            self.result,
            key=about.storage_key,
            serializer=about.serializer,
            inline_limit=None,
            store=MemoryStore(),
            now=clock.timestamp(),
            expires_at=None if expiration is None else expiration.timestamp(),
        )
        return pack(stored)

    @classmethod
    def deserialize(cls, data: bytes) -> ResultRecord[Any]:
        """Return the record that bytes were made from.

        Raises:
            DeserializationError: They are no record, or the value cannot be read.
        """
        stored = unpack(data)
        return result_record(stored, decode(stored, MemoryStore()))


def result_record(stored: StoredResult, value: Any) -> ResultRecord[Any]:
    """Return a stored result and its value as users see them."""
    until = None if stored.expires_at is None else utc(stored.expires_at)
    serializer = resolve_serializer(stored.serializer)
    return ResultRecord(value, ResultRecordMetadata(stored.key, until, serializer))
