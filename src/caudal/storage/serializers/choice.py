"""Which serializer a value gets, and which one a name stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pkgutil import resolve_name
from typing import Any

from caudal.exceptions import SerializationError, UnknownSerializerError
from caudal.storage.serializers.array_format import ArraySerializer
from caudal.storage.serializers.arrow_format import ArrowSerializer, frame_kind
from caudal.storage.serializers.base import (
    REGISTERED,
    NamedSerializer,
    Serializer,
    dump,
    import_library,
)
from caudal.storage.serializers.json_format import JSONSerializer, is_exact_json
from caudal.storage.serializers.pickle_format import PickleSerializer

_JSON = JSONSerializer()
_PICKLE = PickleSerializer()
_ARROW = ArrowSerializer()
_ARRAY = ArraySerializer()


def serializer_for(value: object) -> Serializer:
    """Return the plainest serializer for a value: JSON where exact, Arrow for frames, ``.npy`` for arrays, else pickle.

    Frames and arrays are told by their type alone. The serializer may still refuse one with rare contents, which
    `AutoSerializer` then pickles.
    """
    if is_exact_json(value):
        return _JSON
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__qualname__ == "ndarray":
        return _ARRAY
    return _PICKLE if frame_kind(value) is None else _ARROW


@dataclass(frozen=True)
class AutoSerializer(NamedSerializer):
    """Chooses a serializer for each value and writes its name in front of the bytes."""

    type = "auto"

    def pick(self, value: object) -> tuple[Serializer, bytes]:
        """Return the serializer for a value, and the value in its bytes.

        Raises:
            SerializationError: No serializer takes the value.
        """
        serializer = serializer_for(value)
        try:
            return serializer, dump(serializer, value)
        except SerializationError:
            if serializer is _PICKLE:
                raise
            return _PICKLE, dump(_PICKLE, value)

    def dumps(self, obj: Any) -> bytes:
        """Return the chosen serializer's name, a line feed, and its bytes."""
        serializer, data = self.pick(obj)
        return serializer.name.encode() + b"\n" + data

    def loads(self, blob: bytes) -> Any:
        """Return the value, read by the serializer that the bytes name."""
        name, _, data = blob.partition(b"\n")
        return resolve_serializer(name.decode()).loads(data)


@dataclass(frozen=True)
class CompressedSerializer(NamedSerializer):
    """Compresses what another serializer makes.

    Args:
        serializer: The other one, or its name.
        compressionlib: Import path of a library with ``compress`` and ``decompress``: zlib, bz2, lzma.
    """

    type = "compressed"
    serializer: Serializer | str = "auto"
    compressionlib: str = "zlib"

    def __post_init__(self) -> None:
        object.__setattr__(self, "serializer", resolve_serializer(self.serializer))
        import_library(self.compressionlib, "compress", "decompress")

    def dumps(self, obj: Any) -> bytes:
        """Return the value's bytes, compressed."""
        library = import_library(self.compressionlib)
        return library.compress(resolve_serializer(self.serializer).dumps(obj))

    def loads(self, blob: bytes) -> Any:
        """Return the value that compressed bytes were made from."""
        library = import_library(self.compressionlib)
        return resolve_serializer(self.serializer).loads(library.decompress(blob))


@dataclass(frozen=True)
class CompressedPickleSerializer(CompressedSerializer):
    """Compressed pickles."""

    type = "compressed/pickle"
    serializer: Serializer | str = field(default_factory=PickleSerializer)


@dataclass(frozen=True)
class CompressedJSONSerializer(CompressedSerializer):
    """Compressed JSON."""

    type = "compressed/json"
    serializer: Serializer | str = field(default_factory=JSONSerializer)


def resolve_serializer(spec: str | Serializer | type[Serializer]) -> Serializer:
    """Return the serializer that a name, class or instance stands for.

    Args:
        spec: ``json``, ``compressed/pickle``, the ``type`` of a class of your own, or its path as ``package.module:Class``, with options as a
            JSON object behind (``compressed{"compressionlib":"lzma"}``); a class; or an instance.

    Raises:
        UnknownSerializerError: There is none of this name.
    """
    if isinstance(spec, str):
        return _by_name(spec)
    return spec() if isinstance(spec, type) else spec


@cache
def _by_name(name: str) -> Serializer:
    kind, brace, options = name.partition("{")
    try:
        found: Any = REGISTERED.get(kind)
        if found is None:
            if ":" not in kind:
                raise UnknownSerializerError(name, _types())
            found = resolve_name(kind)
        given = json.loads((brace + options) or "{}")
        return found(**given) if isinstance(found, type) else found
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UnknownSerializerError(name, _types()) from error


def _types() -> tuple[str, ...]:
    return tuple(name for name in REGISTERED if ":" not in name)
