"""What a serializer is, and the two calls through which all of them are used."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cached_property
from typing import Any, cast

from caudal.exceptions import (
    ConfigurationError,
    DeserializationError,
    SerializationError,
)


class Serializer:
    """Turns a value into bytes and back; subclass it for a format of your own.

    A subclass gives ``dumps`` and ``loads``. Its ``name`` is its import path, from which another process makes an
    instance without arguments to read what this one wrote.
    """

    #: Short name of the format.
    type: str = ""

    @cached_property
    def name(self) -> str:
        """The text from which `resolve_serializer` makes an equal serializer."""
        kind = self.__class__
        return f"{kind.__module__}:{kind.__qualname__}"

    def dumps(self, obj: Any) -> bytes:
        """Return the value as bytes, or raise an error that says why not."""
        raise NotImplementedError

    def loads(self, blob: bytes) -> Any:
        """Return the value that ``dumps`` was given.

        Only processes that run users' code call this: a pickle can run any code.
        """
        raise NotImplementedError


class NamedSerializer(Serializer):
    """A serializer of caudal's own: named by its type, and by those options that differ from their defaults."""

    @cached_property
    def name(self) -> str:
        """The type, followed by a JSON object of the options where there are any."""
        options: dict[str, Any] = {}
        usual = self.__class__()
        for field in fields(cast("Any", self)):
            value = getattr(self, field.name)
            if value != getattr(usual, field.name):
                options[field.name] = (
                    value.name if isinstance(value, Serializer) else value
                )
        if not options:
            return self.type
        return self.type + json.dumps(options, sort_keys=True, separators=(",", ":"))


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
