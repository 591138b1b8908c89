"""Finds the futures among a call's arguments and puts their results in their place.

Lists, tuples, sets, dicts and dataclasses are searched; a container is entered only when the types of its items say that there
may be something in it, so a list of a million numbers costs one pass in C, and a data frame nothing.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from caudal.exceptions import UpstreamTaskError
from caudal.model.annotations import Annotation, allow_failure, opaque, quote
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.parts import InputRun

#: Types that hold nothing and whose equal values share an identity.
ATOMS = frozenset(
    {int, float, bool, str, bytes, complex, type(None), date, datetime, time, timedelta, Decimal, type(Ellipsis)}
)  # fmt: skip
_ROOTS: tuple[type[Any], ...] = (list, tuple, set, frozenset, dict)


class Pending:
    """Base of futures: a value that a task run will have."""

    __slots__ = ("run",)

    run: InputRun


Found = Pending | State[Any] | Annotation[Any]


def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Found]:
    """Return the futures, states and marks among a call's arguments: what `resolve` replaces."""
    found: list[Found] = []
    for value in args:
        if value.__class__ not in ATOMS:
            _find(value, found)
    for value in kwargs.values():
        if value.__class__ not in ATOMS:
            _find(value, found)
    return found


def _find(value: Any, found: list[Found]) -> None:
    if isinstance(value, (Pending, State)):
        found.append(cast("Pending | State[Any]", value))
    elif isinstance(value, Annotation):
        found.append(cast("Annotation[Any]", value))
        if not _is_closed(cast("Annotation[Any]", value)):
            _find(cast("Annotation[Any]", value).value, found)
    else:
        for item in _items(value):
            _find(item, found)


def _is_closed(mark: Annotation[Any]) -> bool:
    """Say whether nothing is to be looked for behind a mark."""
    if isinstance(mark, opaque):
        return not isinstance(mark.value, (Pending, State))
    return isinstance(mark, quote)


def _items(value: Any) -> Any:
    """Return the items of a container that may hold futures, else nothing."""
    items: Any
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).values()
    elif isinstance(value, _ROOTS):
        items = cast("list[Any]", value)
    elif is_dataclass(value) and not isinstance(value, type):
        items = [getattr(value, field.name) for field in fields(value)]
    else:
        return ()
    kinds: set[type[Any]] = set(map(type, items))
    return items if any(map(_may_hold, kinds)) else ()


def _may_hold(kind: type[Any]) -> bool:
    if kind in ATOMS:
        return False
    return issubclass(kind, (Pending, State, Annotation, *_ROOTS)) or is_dataclass(kind)


def resolve(value: Any) -> Any:
    """Return the value with futures replaced by their results and annotations removed.

    Raises:
        UpstreamTaskError: A future in it did not complete and is not wrapped in ``allow_failure``.
    """
    return _resolve(value, allow=False)


def _resolve(value: Any, *, allow: bool) -> Any:
    if value.__class__ in ATOMS:
        return value
    if isinstance(value, Pending):
        return _outcome(value.run.state(), value.run.name, allow=allow)
    if isinstance(value, State):
        return _outcome(cast("State[Any]", value), "given as a state", allow=allow)
    if isinstance(value, Annotation):
        inner = cast("Annotation[Any]", value)
        if _is_closed(inner):
            return inner.value
        return _resolve(inner.value, allow=allow or isinstance(inner, allow_failure))
    return rebuild(value, lambda item: _resolve(item, allow=allow))


def _outcome(state: State[Any], name: str, *, allow: bool) -> Any:
    if state.is_completed() or allow:
        return state.get(raise_on_failure=False)
    raise UpstreamTaskError(name, str(state))


def rebuild(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container with its items changed; one that cannot hold futures is returned as it is."""
    kind: Any = value.__class__
    items = _items(value)
    if not items:
        return value
    if isinstance(value, dict):
        entries = {
            key: change(item) for key, item in cast("dict[Any, Any]", value).items()
        }
        return entries if kind is dict else kind(entries)
    if is_dataclass(value):
        given = {
            f.name: change(getattr(value, f.name)) for f in fields(value) if f.init
        }
        return replace(cast("Any", value), **given)
    changed = [change(item) for item in items]
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*changed)
    if isinstance(value, list):
        return changed
    return kind(changed)
