"""Matches a call's arguments with a function's parameters, and back."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from caudal.exceptions import ParameterBindError, ReservedArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

_RESERVED = ("return_state", "wait_for")
_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class Binder:
    """Knows a function's parameters.

    Args:
        fn: The function.
        name: What messages call it.

    Raises:
        ReservedArgumentError: A parameter has a name that calls of flows and tasks use themselves.
    """

    __slots__ = ("_names", "name", "signature")

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        self.signature = inspect.signature(fn)
        for reserved in _RESERVED:
            if reserved in self.signature.parameters:
                raise ReservedArgumentError(name, reserved)
        parameters = list(self.signature.parameters.values())
        #: Names when a call with as many positional arguments needs no look at the signature.
        self._names = (
            tuple(parameter.name for parameter in parameters)
            if all(parameter.kind in _POSITIONAL for parameter in parameters)
            else None
        )

    def fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Do nothing when the function can be called so.

        Raises:
            ParameterBindError: It cannot.
        """
        if not kwargs and self._names is not None and len(args) == len(self._names):
            return
        self._bound(args, kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by parameter name, defaults included; ``**kwargs`` are merged in.

        Raises:
            ParameterBindError: The function cannot be called so.
        """
        if not kwargs and self._names is not None and len(args) == len(self._names):
            return dict(zip(self._names, args, strict=True))
        bound = self._bound(args, kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        rest = self._kind(inspect.Parameter.VAR_KEYWORD)
        if rest is not None:
            arguments.update(arguments.pop(rest))
        return arguments

    def unbind(
        self, arguments: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments from arguments by name: the reverse of ``bind``."""
        positional: list[Any] = []
        keywords = dict(arguments)
        for parameter in self.signature.parameters.values():
            if parameter.kind in _POSITIONAL and parameter.name in keywords:
                positional.append(keywords.pop(parameter.name))
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.extend(keywords.pop(parameter.name, ()))
        return tuple(positional), keywords

    def _bound(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> inspect.BoundArguments:
        try:
            return self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ParameterBindError(
                self.name, str(error), str(self.signature)
            ) from None

    def _kind(self, kind: Any) -> str | None:
        for parameter in self.signature.parameters.values():
            if parameter.kind is kind:
                return parameter.name
        return None
