"""Turns the fields of a block into JSON with encrypted secrets, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from caudal.blocks.encryption import decrypt, encrypt
from caudal.model.masking import REFERENCE, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What a secret's plain form begins with: whether JSON or raw bytes follow.
_JSON, _BYTES = b"j", b"b"


def encode_fields(
    model: BaseModel, stand_in: Callable[[BaseModel], dict[str, Any] | None]
) -> dict[str, Any]:
    """Return a model's fields as JSON, secrets encrypted.

    Args:
        model: The model.
        stand_in: Returns what stands for a model inside another; None for its fields.
    """
    kind = type(model)
    declared = {
        _key(name, field): _encode(getattr(model, name), stand_in)
        for name, field in kind.model_fields.items()
        if not field.exclude
    }
    others = (model.model_extra or {}).items()
    return {**declared, **{name: _encode(value, stand_in) for name, value in others}}


def _key(name: str, field: Any) -> str:
    """Return the key under which validation looks for a field."""
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _encode(value: Any, stand_in: Callable[[BaseModel], dict[str, Any] | None]) -> Any:
    if is_secret(value):
        return {SECRET: encrypt(_plain(value.get_secret_value()))}
    if isinstance(value, BaseModel):
        given = stand_in(value)
        return encode_fields(value, stand_in) if given is None else given
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {str(key): _encode(item, stand_in) for key, item in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_encode(item, stand_in) for item in cast("list[Any]", value)]
    return to_jsonable_python(value)


def decode(data: Any, what: str, load: Callable[[dict[str, Any]], Any]) -> Any:
    """Return JSON with its secrets decrypted and its references loaded.

    Args:
        data: What ``encode_fields`` returned.
        what: The block, for messages.
        load: Returns the block of a reference.
    """
    if isinstance(data, list):
        return [decode(item, what, load) for item in cast("list[Any]", data)]
    if not isinstance(data, dict):
        return data
    items = cast("dict[str, Any]", data)
    if items.keys() == {SECRET}:
        plain = decrypt(items[SECRET], what)
        return plain[1:] if plain[:1] == _BYTES else json.loads(plain[1:])
    if items.keys() == {REFERENCE}:
        return load(items[REFERENCE])
    return {key: decode(item, what, load) for key, item in items.items()}


def is_secret(value: Any) -> bool:
    """Say whether a value is one of pydantic's secrets."""
    return callable(getattr(value, "get_secret_value", None))


def secrets_of(value: Any) -> Iterator[Any]:
    """Yield the plain secrets in a value, those of models and collections inside it too."""
    if is_secret(value):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name, None))
        yield from secrets_of(value.model_extra or {})
    elif isinstance(value, dict):
        for item in cast("dict[Any, Any]", value).values():
            yield from secrets_of(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in cast("list[Any]", value):
            yield from secrets_of(item)


def _plain(value: Any) -> bytes:
    if isinstance(value, bytes):
        return _BYTES + value
    return _JSON + json.dumps(to_jsonable_python(value)).encode()
