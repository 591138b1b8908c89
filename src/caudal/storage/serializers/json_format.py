"""JSON: exact for plain data, and by tags for what pydantic can turn into JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, cast

from caudal.storage.serializers.base import NamedSerializer, describe, import_library

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENCODER = "caudal.serializers.json_object_encoder"
_DECODER = "caudal.serializers.json_object_decoder"
_CLASS_TAG = "__class__"
_ERROR_TAG = "__exc_type__"
_CLASS_KEYS = frozenset({_CLASS_TAG, "data"})
_ERROR_KEYS = frozenset({_ERROR_TAG, "message"})
_SCALARS = frozenset({type(None), bool, int, float, str})
_STR = frozenset({str})


@dataclass(frozen=True)
class JSONSerializer(NamedSerializer):
    """JSON in UTF-8.

    Values that JSON does not know become ``{"__class__": ..., "data": ...}`` where pydantic can turn them into JSON, and are
    validated back into their class when they are read. As in every JSON library, tuples come back as lists and keys as
    strings.

    Args:
        jsonlib: Import path of a library with ``dumps`` and ``loads``.
        object_encoder: Import path of a function that turns an unknown value into a known one; None for none.
        object_decoder: Import path of a function that is given each object read; None for none.
        dumps_kwargs: Arguments for the library's ``dumps``.
        loads_kwargs: Arguments for the library's ``loads``.
    """

    type = "json"
    jsonlib: str = "json"
    object_encoder: str | None = _ENCODER
    object_decoder: str | None = _DECODER
    dumps_kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    loads_kwargs: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if self.jsonlib != "json":
            import_library(self.jsonlib, "dumps", "loads")
        if "default" in self.dumps_kwargs:
            raise ValueError(
                "`default` cannot be given in dumps_kwargs. Use object_encoder instead."
            )
        if "object_hook" in self.loads_kwargs:
            raise ValueError(
                "`object_hook` cannot be given in loads_kwargs. Use object_decoder instead."
            )

    def dumps(self, obj: Any) -> bytes:
        """Return the value as JSON."""
        if self.jsonlib == "json" and self.object_encoder == _ENCODER:
            if not self.dumps_kwargs:
                return _compact.encode(obj).encode()
            return json.dumps(
                obj, default=json_object_encoder, **self.dumps_kwargs
            ).encode()
        options = dict(self.dumps_kwargs)
        if self.object_encoder:
            options["default"] = resolve_name(self.object_encoder)
        text = import_library(self.jsonlib).dumps(obj, **options)
        return text.encode() if isinstance(text, str) else text

    def loads(self, blob: bytes) -> Any:
        """Return the value that JSON was made from."""
        library = json if self.jsonlib == "json" else import_library(self.jsonlib)
        options = dict(self.loads_kwargs)
        if self.object_decoder == _DECODER:
            if b"__class__" in blob or b"__exc_type__" in blob:
                options["object_hook"] = json_object_decoder
        elif self.object_decoder:
            options["object_hook"] = resolve_name(self.object_decoder)
        return library.loads(blob.decode(), **options)


def json_object_encoder(obj: Any) -> dict[str, Any]:
    """Return a value that JSON does not know as an object that names its class.

    Raises:
        TypeError: Its class cannot be imported by name, or pydantic cannot turn it into JSON.
    """
    from pydantic_core import (  # noqa: PLC0415 - heavy
        PydanticSerializationError,
        to_jsonable_python,
    )

    kind = _importable(obj.__class__)
    if isinstance(obj, BaseException):
        return {_ERROR_TAG: kind, "message": str(obj)}
    try:
        return {_CLASS_TAG: kind, "data": to_jsonable_python(obj)}
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(describe(error)) from error


def json_object_decoder(result: dict[str, Any]) -> Any:
    """Return the value that `json_object_encoder` was given, or an untagged object as it is.

    Raises:
        TypeError: What is named as an error's class is no exception.
        ImportError: The class is not there.
    """
    keys = result.keys()
    if keys == _CLASS_KEYS and isinstance(result[_CLASS_TAG], str):
        return _adapter(result[_CLASS_TAG]).validate_python(result["data"])
    if keys == _ERROR_KEYS and isinstance(result[_ERROR_TAG], str):
        kind = resolve_name(result[_ERROR_TAG])
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"{result[_ERROR_TAG]!r} is no exception class")
        return kind(result["message"])
    return result


#: Text goes out as it is: escapes would turn two lone surrogates into one character, UTF-8 refuses them.
_compact = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, default=json_object_encoder
)


def _importable(kind: type) -> str:
    """Return the name under which a class can be imported; a generic model's is that of its origin."""
    metadata: dict[str, Any] = (
        getattr(kind, "__pydantic_generic_metadata__", None) or {}
    )
    kind = metadata.get("origin") or kind
    if "<locals>" in kind.__qualname__:
        raise TypeError(
            f"class {kind.__qualname__!r} is defined inside a function, so it cannot be found again by name"
        )
    return f"{kind.__module__}:{kind.__qualname__}"


@lru_cache(maxsize=256)
def _adapter(name: str) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy

    return TypeAdapter(resolve_name(name))


def is_exact_json(value: object) -> bool:
    """Say whether a value comes back from JSON equal and of the same types throughout.

    That is so for None, bool, int, finite float and str, and for lists and str-keyed dicts of such, as long as no
    part occurs twice (it would come back as two) and no dict looks like a tagged value. Text with lone surrogates and
    numbers of many thousand digits are let through; writing them raises an error.
    """
    kind = type(value)
    if kind in _SCALARS:
        return kind is not float or math.isfinite(cast("float", value))
    if kind is not list and kind is not dict:
        return False
    seen: set[int] = set()
    rest: list[object] = [value]
    while rest:
        part = rest.pop()
        if id(part) in seen:
            return False
        seen.add(id(part))
        if type(part) is dict:
            entries = cast("dict[object, object]", part)
            if not _has_plain_keys(entries):
                return False
            items: Iterable[object] = entries.values()
        else:
            items = cast("list[object]", part)
        if not _collect_containers(items, rest):
            return False
    return True


def _has_plain_keys(entries: dict[object, object]) -> bool:
    return (
        _STR.issuperset(map(type, entries))
        and _CLASS_TAG not in entries
        and _ERROR_TAG not in entries
    )


def _collect_containers(items: Iterable[object], containers: list[object]) -> bool:
    """Add the lists and dicts among items to a list; false when an item is not exact in JSON."""
    kinds = set(map(type, items))
    if float in kinds and not all(
        math.isfinite(item) for item in items if type(item) is float
    ):
        return False
    kinds -= _SCALARS
    if not kinds:
        return True
    if not kinds <= {list, dict}:
        return False
    containers.extend(item for item in items if type(item) in kinds)
    return True
