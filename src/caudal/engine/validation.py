"""Checks a flow's parameters against its type hints, and coerces them, before anything runs.

Pydantic does it. It is imported when a value needs it: parameters without a hint, and values whose type is exactly the plain
type of the hint, are right as they are, so that a simple script starts without it.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from caudal.engine.inputs import Pending
from caudal.exceptions import ParameterTypeError
from caudal.model.annotations import Annotation
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = (int, float, str, bool, bytes, list, dict, tuple, set)


class Validator:
    """Checks calls of one flow.

    Args:
        fn: The flow's function.
        name: The flow's name, for messages.
    """

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self._fn, self._name = fn, name
        self._hints: dict[str, Any] | None = None
        self._adapters: dict[str, Any] = {}

    def __call__(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters, coerced to their hints.

        Raises:
            ParameterTypeError: A value does not fit; all wrong ones are named.
        """
        hints = self._read_hints()
        problems: list[str] = []
        checked: dict[str, Any] = {}
        for name, value in parameters.items():
            hint = hints.get(name)
            try:
                checked[name] = (
                    value
                    if _is_right(value, hint)
                    else self._coerced(name, value, hint)
                )
            except ValueError as error:
                problems.extend(_sentences(name, value, error))
        if problems:
            raise ParameterTypeError(self._name, tuple(problems))
        return checked

    def _read_hints(self) -> dict[str, Any]:
        if self._hints is None:
            self._hints = hints_of(self._fn)
        return self._hints

    def _coerced(self, name: str, value: Any, hint: Any) -> Any:
        from pydantic import ConfigDict, TypeAdapter  # noqa: PLC0415 - costs 100 ms
        from pydantic.errors import PydanticUserError  # noqa: PLC0415

        adapter = self._adapters.get(name)
        if adapter is None:
            try:
                adapter = TypeAdapter(
                    hint, config=ConfigDict(arbitrary_types_allowed=True)
                )
            except PydanticUserError:  # a model brings its own configuration
                adapter = TypeAdapter(hint)
            self._adapters[name] = adapter
        return cast("Any", adapter).validate_python(value)


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return the type hints of a function's parameters by name, but for ``*args`` and ``**kwargs``."""
    given = {
        name: parameter.annotation
        for name, parameter in inspect.signature(fn).parameters.items()
        if parameter.annotation is not parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if not given:
        return {}
    try:
        resolved = get_type_hints(_hinted(fn), include_extras=True)
    except NameError:
        resolved = _one_by_one(fn, given)
    return {name: hint for name, hint in resolved.items() if name in given}


def _hinted(fn: Any) -> Any:
    """Return what holds the hints of a function: for a partial one the function in it, for an object its method."""
    fn = getattr(fn, "func", fn)
    return fn if inspect.isroutine(fn) else type(fn).__call__


def _one_by_one(fn: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the hints that can be resolved; the others exist for type checkers only."""
    names: dict[str, Any] = getattr(inspect.unwrap(fn), "__globals__", {})
    found: dict[str, Any] = {}
    for name, hint in given.items():
        with suppress(NameError):
            one = SimpleNamespace(__annotations__={name: hint})
            found.update(get_type_hints(one, names, include_extras=True))
    return found


def _is_right(value: Any, hint: Any) -> bool:
    """Say whether a value needs no look by pydantic."""
    if hint is None or hint is Any:
        return True
    if hint in _PLAIN and value.__class__ is hint:
        return True
    return isinstance(value, (Pending, State, Annotation))


def _sentences(name: str, value: Any, error: ValueError) -> list[str]:
    """Return one sentence for each thing that pydantic found wrong with a parameter."""
    from pydantic import ValidationError  # noqa: PLC0415

    if not isinstance(error, ValidationError):
        return [f"{name}: {error} (got {value!r})"]
    sentences: list[str] = []
    for problem in error.errors(include_url=False):
        place = ".".join([name, *map(str, problem["loc"])])
        given = repr(problem["input"])
        short = given if len(given) <= 80 else f"{given[:77]}..."  # noqa: PLR2004
        sentences.append(
            f"{place}: {problem['msg']} (got {short} of type {type(problem['input']).__name__})"
        )
    return sentences
