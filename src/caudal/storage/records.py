"""A stored result as one file that tells everything: a line of JSON about the value, then the value's bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from caudal.exceptions import DeserializationError
from caudal.model.results import StoredResult

_FIELDS = frozenset(field.name for field in fields(StoredResult)) - {"inline"}


def pack(stored: StoredResult) -> bytes:
    """Return a record as bytes, followed by its inline value where there is one."""
    about = {name: value for name, value in asdict(stored).items() if name in _FIELDS}
    return json.dumps(about).encode() + b"\n" + (stored.inline or b"")


def unpack(data: bytes) -> StoredResult:
    """Return the record that bytes were made from; the value is inline unless the record says where else it is.

    Raises:
        DeserializationError: The bytes are no record.
    """
    head, _, value = data.partition(b"\n")
    try:
        about = json.loads(head)
        inline = value if about["location"] is None else None
        return StoredResult(inline=inline, **about)
    except (ValueError, TypeError, KeyError) as error:
        reason = f"it is no record of a result ({type(error).__name__}: {error})"
        raise DeserializationError("result record", "record", reason) from error
