"""Keeps secrets that were loaded out of log lines and out of the record of errors.

A secret is known from the moment a block holds it in this process. From then on its text, and what becomes of it in JSON, in
``repr``, in an address and in base 64, is replaced wherever caudal writes a log line or an exception's text.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from caudal.model.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Shorter texts are not replaced: they would be found in ordinary words.
SHORTEST = 4

_lock = Lock()
_known: set[str] = set()
_patterns: list[re.Pattern[str]] = []


def hide(value: Any) -> None:
    """Keep a value, or the texts in a list or dict, out of what is written from now on."""
    forms = {form for text in _texts(value) for form in _forms(text)}
    if forms <= _known:
        return
    with _lock:
        _known.update(forms)
        longest_first = sorted(_known, key=len, reverse=True)
        _patterns[:] = [re.compile("|".join(map(re.escape, longest_first)))]


def is_hiding() -> bool:
    """Say whether there is anything to hide."""
    return bool(_patterns)


def masked(text: str) -> str:
    """Return a text with a mask in place of each secret."""
    return _patterns[0].sub(MASK, text) if _patterns else text


def masked_json(value: Any) -> Any:
    """Return JSON with a mask in place of each secret in its texts."""
    if not _patterns:
        return value
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [masked_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {masked(key): masked_json(item) for key, item in items}
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[Any, Any]", value).values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[Any]", value):
            yield from _texts(item)


def _forms(text: str) -> Iterator[str]:
    """Yield how a secret may be written."""
    from base64 import b64encode  # noqa: PLC0415 - only for processes that hold secrets
    from json import dumps  # noqa: PLC0415
    from urllib.parse import quote  # noqa: PLC0415

    if len(text) < SHORTEST:
        return
    yield text
    yield repr(text)[1:-1]
    yield dumps(text)[1:-1]
    yield quote(text, safe="")
    yield b64encode(text.encode("utf-8", "replace")).decode()
