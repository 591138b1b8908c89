"""Any value as something JSON can hold, for the record and for people; never for reading back."""

from __future__ import annotations

from datetime import date, timedelta
from enum import Enum
from itertools import islice
from math import isfinite
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

#: Characters of a value's text that are kept.
MAX_TEXT = 2_000
#: Items of a collection that are kept.
MAX_ITEMS = 200
_MAX_DEPTH = 6
_PLAIN = frozenset({int, str, bool, type(None)})


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return a value's JSON-ready likeness: exact for plain values, text for anything else, cut where it is long."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if depth < _MAX_DEPTH and isinstance(value, (dict, list, tuple, set, frozenset)):
        return _collection(value, depth + 1)
    return _text(value, depth)


def is_exact(value: Any) -> bool:
    """Say whether a value comes back from JSON as it was: plain values, and lists and dicts of them."""
    kind = value.__class__
    if kind in _PLAIN:
        return True
    if kind is float:
        return isfinite(value)
    if kind is list:
        return all(map(is_exact, value))
    if kind is dict:
        return all(map(_is_text, value)) and all(map(is_exact, value.values()))
    return False


def _is_text(value: Any) -> bool:
    return value.__class__ is str


def _collection(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        items = islice(cast("dict[Any, Any]", value).items(), MAX_ITEMS)
        return {str(key): jsonable(item, depth) for key, item in items}
    return [jsonable(item, depth) for item in islice(value, MAX_ITEMS)]


def _text(value: Any, depth: int) -> Any:
    """Return the text of a value, or what a model, an enumeration or a duration stands for."""
    match value:
        case Enum():
            return jsonable(value.value, depth)
        case timedelta():
            return value.total_seconds()
        case date():
            return value.isoformat()
        case str() | UUID() | PurePath():
            return _cut(str(value))
        case _:
            return _model(value, depth)


def _model(value: Any, depth: int) -> Any:
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type) and depth < _MAX_DEPTH:
        return jsonable(dump(), depth + 1)
    return _cut(_shown(value))


def _shown(value: Any) -> str:
    kind = cast("type[Any]", type(value))
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
