"""What a serializer is, and the two calls through which all of them are used."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any, cast

from caudal.exceptions import (
    ConfigurationError,
    DeserializationError,
    SerializationError,
)


class Serializer:
    """Turns a value into bytes and back; subclass it for a format of your own.

    A subclass gives ``dumps`` and ``loads``, and a ``type`` if its name is to be short: ``result_serializer="my-type"``. Options are the fields
    of a dataclass, each with a default. Its ``name`` is its import path with the options that differ from their defaults; from it another
    process makes an equal instance to read what this one wrote.
    """

    #: Short name of the format.
    type: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        REGISTERED[_path(cls)] = cls
        if vars(cls).get("type"):
            REGISTERED[cls.type] = cls

    @cached_property
    def name(self) -> str:
        """The text from which `resolve_serializer` makes an equal serializer."""
        return self._kind() + self._options()

    def _kind(self) -> str:
        return _path(self.__class__)

    def _options(self) -> str:
        """Return the options that differ from their defaults as a JSON object, or nothing."""
        if not is_dataclass(self):
            return ""
        options: dict[str, Any] = {}
        usual = self.__class__()
        for field in fields(cast("Any", self)):
            value = getattr(self, field.name)
            if value != getattr(usual, field.name):
                options[field.name] = (
                    value.name if isinstance(value, Serializer) else value
                )
        if not options:
            return ""
        return json.dumps(options, sort_keys=True, separators=(",", ":"))

    def dumps(self, obj: Any) -> bytes:
        """Return the value as bytes, or raise an error that says why not."""
        raise NotImplementedError

    def loads(self, blob: bytes) -> Any:
        """Return the value that ``dumps`` was given.

        Only processes that run users' code call this: a pickle can run any code.
        """
        raise NotImplementedError


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


#: Every serializer class of this process by its import path, and by its type, of which the last one counts.
REGISTERED: dict[str, type[Serializer]] = {}


class NamedSerializer(Serializer):
    """A serializer of caudal's own: named by its type."""

    def _kind(self) -> str:
        return vars(self.__class__).get("type") or super()._kind()


def type_name(value: object) -> str:
    """Return a value's type as people write it: ``int``, ``package.module.Class``."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def dump(serializer: Serializer, value: object) -> bytes:
    """Return a value as bytes.

    Raises:
        SerializationError: The serializer cannot take the value.
    """
    try:
        return serializer.dumps(value)
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(
            type_name(value), serializer.name, describe(error)
        ) from error


def load(serializer: Serializer, data: bytes, of_type: str) -> Any:
    """Return the value that bytes were made from.

    Args:
        serializer: The one that made them.
        data: The bytes.
        of_type: Name of the value's type, for the error.

    Raises:
        DeserializationError: The bytes cannot be read, or the value's code is not there.
    """
    try:
        return serializer.loads(data)
    except Exception as error:
        raise DeserializationError(of_type, serializer.name, describe(error)) from error


def import_library(name: str, *functions: str) -> Any:
    """Return a library that a serializer was told to use.

    Raises:
        ConfigurationError: It is not there, or lacks a function.
    """
    from pkgutil import resolve_name  # noqa: PLC0415 - rarely needed

    try:
        library = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"a serializer needs the library {name!r}, which cannot be imported ({error}). Install it, or name another one."
        ) from error
    missing = [function for function in functions if not hasattr(library, function)]
    if missing:
        raise ConfigurationError(
            f"a serializer cannot use the library {name!r}: it has no {' and no '.join(missing)}. Name another one."
        )
    return library


def describe(error: BaseException) -> str:
    """Return an error as part of a sentence."""
    return f"{type(error).__name__}: {error}".rstrip(".: ")
