"""Matches a call's arguments with a function's parameters, and back.

Functions without ``*args`` and ``**kwargs`` are understood from their code objects, which costs nothing; for others, and to say what is wrong with a
call, ``inspect`` is asked, which takes ten milliseconds to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caudal.exceptions import ParameterBindError, ReservedArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import BoundArguments, Signature

_RESERVED = ("return_state", "wait_for")
#: Flags of code objects; see the documentation of ``inspect.CO_VARARGS`` and its kin.
_VARARGS, _VARKEYWORDS, _COROUTINE = 0x04, 0x08, 0x80
_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x200


class Binder:
    """Knows a function's parameters.

    Args:
        fn: The function.
        name: What messages call it.

    Raises:
        ReservedArgumentError: A parameter has a name that calls of flows and tasks use themselves.
    """

    __slots__ = (
        "_defaults",
        "_fn",
        "_places",
        "_required",
        "_signature",
        "name",
        "names",
    )

    name: str

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        self._fn = fn
        self._signature: Signature | None = None
        code = getattr(fn, "__code__", None)
        self._places: tuple[str, ...] | None = None
        if code is not None and _is_plain(fn, code):
            self._understand(fn, code)
        else:
            #: Names of the parameters, in order.
            self.names: tuple[str, ...] = tuple(self.signature.parameters)
        for reserved in _RESERVED:
            if reserved in self.names:
                raise ReservedArgumentError(name, reserved)

    def _understand(self, fn: Any, code: Any) -> None:
        bound = 1 if getattr(fn, "__self__", None) is not None else 0
        places = code.co_varnames[bound : code.co_argcount]
        keywords = code.co_varnames[
            code.co_argcount : code.co_argcount + code.co_kwonlyargcount
        ]
        defaults = fn.__defaults__ or ()
        self._defaults = dict(
            zip(places[len(places) - len(defaults) :], defaults, strict=True)
        )
        self._defaults.update(fn.__kwdefaults__ or {})
        self._places = places
        self.names = places + keywords
        self._required = frozenset(self.names) - self._defaults.keys()

    @property
    def signature(self) -> Signature:
        """The function's signature."""
        if self._signature is None:
            import inspect  # noqa: PLC0415 - see the module's text

            self._signature = inspect.signature(self._fn)
        return self._signature

    @property
    def positional(self) -> tuple[str, ...]:
        """Names of the parameters that can be given by place, without ``*args``."""
        if self._places is not None:
            return self._places
        return tuple(
            name
            for name, parameter in self.signature.parameters.items()
            if parameter.kind
            in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        )

    def fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Do nothing when the function can be called so.

        Raises:
            ParameterBindError: It cannot.
        """
        places = self._places
        if places is not None:
            given = len(args)
            if not kwargs and given == len(places) == len(self.names):
                return
            if self._named(given, kwargs) is not None:
                return
        self._bound(args, kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by parameter name, defaults included; ``**kwargs`` are merged in.

        Raises:
            ParameterBindError: The function cannot be called so.
        """
        if self._places is not None:
            missing = self._named(len(args), kwargs)
            if missing is not None:
                arguments = {**dict(zip(self._places, args, strict=False)), **kwargs}
                arguments.update({name: self._defaults[name] for name in missing})
                return {name: arguments[name] for name in self.names}
        bound = self._bound(args, kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments.update(arguments.pop(parameter.name))
        return arguments

    def unbind(
        self, arguments: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments from arguments by name: the reverse of ``bind``."""
        keywords = dict(arguments)
        if self._places is not None:
            return tuple([keywords.pop(name) for name in self._places]), keywords
        positional: list[Any] = []
        for parameter in self.signature.parameters.values():
            if (
                parameter.kind
                in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                and parameter.name in keywords
            ):
                positional.append(keywords.pop(parameter.name))
            elif parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(keywords.pop(parameter.name, ()))
        return tuple(positional), keywords

    def _named(self, given: int, kwargs: dict[str, Any]) -> set[str] | None:
        """Return the parameters that take their defaults, or None when the call does not fit."""
        places = self._places
        if places is None or given > len(places):
            return None
        left = set(self.names[given:])
        if not kwargs.keys() <= left:
            return None
        left -= kwargs.keys()
        return None if left & self._required else left

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BoundArguments:
        try:
            return self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ParameterBindError(
                self.name, str(error), str(self.signature)
            ) from None


def _is_plain(fn: Any, code: Any) -> bool:
    """Say whether a function's parameters can be read off its code: no stars, nothing positional only, nothing wrapped."""
    return (
        not code.co_flags & (_VARARGS | _VARKEYWORDS)
        and not code.co_posonlyargcount
        and not hasattr(fn, "__wrapped__")
        and not hasattr(fn, "__signature__")
    )


class Kind(NamedTuple):
    """What calling a function gives."""

    #: A coroutine or an async generator.
    is_async: bool
    #: A generator or an async generator.
    is_generator: bool


def kind_of(fn: Any) -> Kind:
    """Return what calling a function gives."""
    code = getattr(fn, "__code__", None)
    if code is not None and not hasattr(fn, "__wrapped__"):
        flags = code.co_flags
        return Kind(
            bool(flags & (_COROUTINE | _ASYNC_GENERATOR)),
            bool(flags & (_GENERATOR | _ASYNC_GENERATOR)),
        )
    import inspect  # noqa: PLC0415 - see the module's text

    if not inspect.isroutine(fn) and not hasattr(fn, "func") and callable(fn):
        fn = type(fn).__call__  # an object that can be called
    streams = inspect.isasyncgenfunction(fn)
    return Kind(
        streams or inspect.iscoroutinefunction(fn),
        streams or inspect.isgeneratorfunction(fn),
    )


def collecting(fn: Callable[..., Any], kind: Kind) -> Callable[..., Any]:
    """Return a function that returns a list of everything that a generator function yields."""
    if not kind.is_async:
        return lambda *args, **kwargs: list(fn(*args, **kwargs))

    async def collected(*args: Any, **kwargs: Any) -> list[Any]:
        return [item async for item in fn(*args, **kwargs)]

    return collected
