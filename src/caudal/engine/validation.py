"""Checks a flow's parameters against its type hints, and coerces them, before anything runs.

Pydantic does it. It is imported when a value needs it: parameters without a hint, and values whose type is exactly the plain
type of the hint, are right as they are, so that a simple script starts without it.
"""

from __future__ import annotations

import inspect
import logging
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, cast, get_type_hints

from caudal.engine.inputs import Pending
from caudal.exceptions import ParameterTypeError, SignatureMismatchError
from caudal.model.annotations import Annotation
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.model.signatures import Binder

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
        #: One sentence for each parameter that cannot be checked; whoever reads them tells the user and forgets them.
        self.doubts: list[str] = []
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
            if value is inspect.Parameter.empty or _is_field(value):
                problems.append(f"{name}: Field required")
                continue
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
            self._hints, unresolved = _read_hints(self._fn)
            self.doubts = [
                f"parameter {name!r} of flow {self._name!r} is not checked, because its hint cannot be resolved: {error}. "
                "Import what it names where the program does, too, or give the flow validate_parameters=False."
                for name, error in unresolved.items()
            ]
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
    """Return the type hints of a function's parameters by name, but for ``*args`` and ``**kwargs``, and those that cannot be resolved."""
    return _read_hints(fn)[0]


def _read_hints(
    fn: Callable[..., Any],
) -> tuple[dict[str, Any], dict[str, Exception]]:
    """Return the type hints of a function's parameters by name, and why others cannot be resolved; they may exist for type checkers only."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(fn).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    given = {
        name: parameter.annotation
        for name, parameter in parameters.items()
        if parameter.annotation is not parameter.empty
    }
    hints, unresolved = _resolved(fn, given) if given else ({}, {})
    for name, parameter in parameters.items():
        if _is_field(parameter.default):
            hints[name] = Annotated[hints.get(name, Any), parameter.default]
    return hints, unresolved


def _resolved(
    fn: Callable[..., Any], given: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Exception]]:
    hinted = _hinted(fn)
    near = {**getattr(hinted, "__annotation_names__", {}), **_closure(hinted)}
    try:
        found = get_type_hints(hinted, localns=near or None, include_extras=True)
    except Exception:  # noqa: BLE001 - a hint is code; the others are looked at without it
        return _one_by_one(fn, given, near)
    return {name: hint for name, hint in found.items() if name in given}, {}


def _one_by_one(
    fn: Callable[..., Any], given: dict[str, Any], near: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Exception]]:
    names: dict[str, Any] = getattr(inspect.unwrap(fn), "__globals__", {})
    found: dict[str, Any] = {}
    unresolved: dict[str, Exception] = {}
    for name, hint in given.items():
        one = SimpleNamespace(__annotations__={name: hint})
        try:
            found.update(get_type_hints(one, names, near, include_extras=True))
        except Exception as error:  # noqa: BLE001
            unresolved[name] = error
    return found, unresolved


def _hinted(fn: Any) -> Any:
    """Return what holds the hints of a function: for a partial one the function in it, for an object its method."""
    fn = getattr(fn, "func", fn)
    return fn if inspect.isroutine(fn) else type(fn).__call__


def _closure(fn: Any) -> dict[str, Any]:
    """Return what a function's own code takes from the functions around it."""
    code, cells = getattr(fn, "__code__", None), getattr(fn, "__closure__", None)
    found: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _is_field(value: Any) -> bool:
    """Say whether a parameter's default is pydantic's description of one; whoever made it has loaded pydantic."""
    fields = sys.modules.get("pydantic.fields")
    return fields is not None and isinstance(value, fields.FieldInfo)


def with_field_defaults(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with the defaults that ``Field(default=...)`` and ``Field(default_factory=...)`` stand for; those without one stay."""
    if "pydantic.fields" not in sys.modules:
        return parameters
    return {
        name: value.get_default(call_default_factory=True)
        if _is_field(value) and not value.is_required()
        else value
        for name, value in parameters.items()
    }


def validated(
    binder: Binder, fn: Callable[..., Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Return parameters coerced to a flow's type hints, with the defaults of those that are missing; what cannot be checked is logged.

    Raises:
        SignatureMismatchError: The function has no such parameter.
        ParameterTypeError: A parameter does not fit, or one without a default is missing.
    """
    validator = Validator(fn, binder.name)
    checked = validator(_complete(binder, parameters))
    for doubt in validator.doubts:
        logging.getLogger("caudal.flows").warning("%s", doubt)
    return checked


def _complete(binder: Binder, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters in the function's order, with the defaults of those that are missing; ``Parameter.empty`` where there is none."""
    known = binder.signature.parameters
    kinds = {parameter.kind for parameter in known.values()}
    unknown = parameters.keys() - known.keys()
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        names = ", ".join(sorted(map(repr, unknown)))
        reason = f"there is no parameter {names}"
        raise SignatureMismatchError(binder.name, reason, str(binder.signature))
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    defaults = {
        name: parameter.default
        for name, parameter in known.items()
        if name not in parameters and parameter.kind not in starred
    }
    merged = {**with_field_defaults(defaults), **parameters}
    ordered = {name: merged[name] for name in known if name in merged}
    return {**ordered, **merged}


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
