"""Results: encoded, placed by size, checked when read."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from caudal.exceptions import (
    DeserializationError,
    ResultCorruptedError,
    ResultLostError,
    SerializationError,
    StorageError,
    UnknownSerializerError,
)
from caudal.model.results import StoredResult
from caudal.storage.local import LocalStore
from caudal.storage.memory import MemoryStore
from caudal.storage.results import decode, discard, encode
from caudal.storage.serializers import AutoSerializer, Serializer, resolve_serializer


def stored(
    value: object,
    store: Any,
    *,
    serializer: str = "auto",
    limit: int = 100,
    key: str = "k",
) -> StoredResult:
    """Encode a value."""
    return encode(
        value,
        key=key,
        serializer=resolve_serializer(serializer),
        inline_limit=limit,
        store=store,
        now=1.5,
        expires_at=9.0,
    )


def test_a_small_value_travels_in_the_record() -> None:
    """Up to the limit nothing is written to the store."""
    store = MemoryStore()
    record = stored({"a": [1]}, store)

    data = b'{"a":[1]}'
    assert record == StoredResult(
        "k", "json", "dict", hashlib.sha256(data).hexdigest(), 9, data, None, 1.5, 9.0
    )
    assert not store._values
    assert decode(record, store) == {"a": [1]}


def test_a_large_value_goes_to_the_store(tmp_path: Path) -> None:
    """Above the limit the record holds the place instead."""
    store = LocalStore(tmp_path)
    record = stored("x" * 99, store)

    assert record.inline is None
    assert record.location is not None
    assert Path(record.location).read_bytes() == b'"' + b"x" * 99 + b'"'
    assert record.size_bytes == 101
    assert decode(record, store) == "x" * 99
    assert stored("x" * 98, store).inline is not None


def test_expiry() -> None:
    """A result expires at the moment it says, or never."""
    record = stored(1, MemoryStore())

    assert not record.is_expired(8.9)
    assert record.is_expired(9.0)
    assert not StoredResult("k", "json", "int", "", 1, b"1", None, 1.0).is_expired(1e12)


def test_the_serializer_is_chosen_by_type_and_recorded() -> None:
    """The record names the serializer and the type of what was stored."""
    store = MemoryStore()
    found = {
        (record.serializer, record.type_name)
        for record in (
            stored(value, store)
            for value in (
                1,
                (1, 2),
                np.arange(3),
                pd.DataFrame({"a": [1]}),
                [object, 1],
            )
        )
    }

    assert found == {("json", "int"), ("pickle", "tuple"), ("npy", "numpy.ndarray"), ("arrow", "pandas.core.frame.DataFrame"), ("pickle", "list")}  # fmt: skip


def test_a_damaged_value_is_never_returned(tmp_path: Path) -> None:
    """One changed byte is noticed, and the error names key, place and both checksums."""
    store = LocalStore(tmp_path)
    record = stored("x" * 200, store)
    assert record.location is not None
    Path(record.location).write_bytes(b'"' + b"x" * 199 + b'y"')

    with pytest.raises(ResultCorruptedError, match="refresh_cache=True") as caught:
        decode(record, store)
    error = caught.value
    assert (error.key, error.location, error.expected) == (
        "k",
        record.location,
        record.sha256,
    )
    assert error.found != error.expected
    assert isinstance(error, StorageError)
    assert decode(stored("x" * 200, store), store) == "x" * 200


def test_a_damaged_inline_value_is_never_returned() -> None:
    """Values in the ledger are checked as well."""
    record = stored([1], MemoryStore())
    damaged = StoredResult("k", "json", "list", record.sha256, 3, b"[2]", None, 1.0)

    with pytest.raises(ResultCorruptedError, match="the ledger"):
        decode(damaged, MemoryStore())


def test_a_lost_value_is_an_error(tmp_path: Path) -> None:
    """A file that was deleted is named."""
    store = LocalStore(tmp_path)
    record = stored("x" * 200, store)
    discard(record, store)
    discard(record, store)

    with pytest.raises(ResultLostError, match="there is no such file"):
        decode(record, store)
    discard(stored(1, store), store)


def test_a_new_value_under_a_key_leaves_the_recorded_one(tmp_path: Path) -> None:
    """A process that dies before it recorded its new value has not harmed the old record."""
    store = LocalStore(tmp_path)
    before, after = stored("x" * 200, store), stored("y" * 200, store)

    assert decode(before, store) == "x" * 200
    assert decode(after, store) == "y" * 200
    discard(before, store)
    assert decode(after, store) == "y" * 200


def test_what_cannot_be_serialized_says_so() -> None:
    """The error names the type, the serializer, the reason and the ways out; nothing is stored."""
    store = MemoryStore()
    generator = (number for number in range(3))

    with pytest.raises(SerializationError, match="persist_result=False") as caught:
        stored(generator, store, limit=0)
    assert (caught.value.type_name, caught.value.serializer) == ("generator", "pickle")
    assert "cannot pickle" in caught.value.reason
    with pytest.raises(SerializationError, match="'json'"):
        stored(object(), store, serializer="json")
    assert not store._values


_WRITER = """
import sys
from pathlib import Path
import msgspec
from caudal.storage.local import LocalStore
from caudal.storage.results import encode
from caudal.storage.serializers import AutoSerializer
class Point:
    def __init__(self, x): self.x = x
record = encode([Point(3)], key="k", serializer=AutoSerializer(), inline_limit=0, store=LocalStore(Path(sys.argv[1])), now=1.0)
sys.stdout.buffer.write(msgspec.msgpack.encode(record))
"""


def test_another_process_reads_what_a_script_wrote(tmp_path: Path) -> None:
    """Classes of a script travel with their values."""
    output = subprocess.run(
        [sys.executable, "-c", _WRITER, tmp_path], capture_output=True, check=True
    ).stdout
    record = msgspec.msgpack.decode(output, type=StoredResult)

    assert decode(record, LocalStore(tmp_path))[0].x == 3


class Upper(Serializer):
    """A serializer of a user's own, for text."""

    def dumps(self, obj: str) -> bytes:
        """Return the text in upper case."""
        return obj.upper().encode()

    def loads(self, blob: bytes) -> str:
        """Return the text."""
        return blob.decode()


def test_a_users_serializer_is_found_again_by_name() -> None:
    """The record holds its import path; an instance given to decode is used as it is."""
    record = encode(
        "a", key="k", serializer=Upper(), inline_limit=10, store=MemoryStore(), now=1.0
    )

    assert record.serializer == f"{__name__}:Upper"
    assert decode(record, MemoryStore(), Upper()) == "A"


def test_values_that_cannot_be_read_back_say_so() -> None:
    """A serializer or class that is gone is named."""
    data = b"not a pickle"
    digest = hashlib.sha256(data).hexdigest()

    def record(serializer: str) -> StoredResult:
        return StoredResult("k", serializer, "lib.Model", digest, 5, data, None, 1.0)

    with pytest.raises(DeserializationError, match=r"'lib\.Model'"):
        decode(record("pickle"), MemoryStore())
    with pytest.raises(UnknownSerializerError, match=r"gone\.module:Mine"):
        decode(record("gone.module:Mine"), MemoryStore())


def test_auto_is_only_a_choice() -> None:
    """Records never name auto, so that any reader knows the format."""
    assert stored(1, MemoryStore()).serializer == "json"
    assert AutoSerializer().name == "auto"
