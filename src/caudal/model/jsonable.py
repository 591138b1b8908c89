"""Any value as something JSON can hold, for the record and for people; never for reading back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

#: Characters of a value's text that are kept.
MAX_TEXT = 2_000
#: Items of a collection that are kept.
MAX_ITEMS = 200
_MAX_DEPTH = 6


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return a value's JSON-ready likeness: exact for plain values, text for anything else, cut where it is long."""
    if value is None or isinstance(value, (bool, int, float)):
        return (
            value if value == value and abs(value or 0) != float("inf") else str(value)
        )
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Enum):
        return jsonable(value.value, depth)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (UUID, PurePath)):
        return str(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            items = list(cast("dict[Any, Any]", value).items())[:MAX_ITEMS]
            return {str(key): jsonable(item, depth + 1) for key, item in items}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [
                jsonable(item, depth + 1)
                for item in list(cast("list[Any]", value))[:MAX_ITEMS]
            ]
        dump = getattr(value, "model_dump", None)
        if callable(dump) and not isinstance(value, type):
            return jsonable(dump(mode="json"), depth + 1)
    return _cut(_text(value))


def _text(value: Any) -> str:
    kind = type(value)
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"<{kind.__module__}.{kind.__qualname__} {shape}>"
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a value's own repr must not end a run
        return f"<{kind.__module__}.{kind.__qualname__}>"


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= MAX_TEXT
        else f"{text[:MAX_TEXT]}... ({len(text)} characters)"
    )
