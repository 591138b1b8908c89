"""Remembers which task run a value came from, so that passing a result to a task makes an edge.

Values are known by identity. Those that can be referenced weakly are; lists, dicts and the like cannot, so a few of
them are held until nobody else holds them or newer ones push them out. Numbers, strings and other atoms are never tracked: equal
ones share an identity.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import ref

from caudal.engine.inputs import ATOMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.engine.parts import InputRun

#: Values held at the same time because they cannot be referenced weakly.
HELD = 64
#: References to a held value that are not the user's: the dict's tuple, the local name, the argument of getrefcount.
_OWN_REFERENCES = 3


class Origins:
    """Maps live values to the task runs that returned them."""

    __slots__ = ("_held", "_weak")

    def __init__(self) -> None:
        self._weak: dict[int, tuple[ref[Any], InputRun]] = {}
        self._held: dict[int, tuple[Any, InputRun]] = {}

    def note(self, value: Any, run: InputRun) -> None:
        """Remember that a task run returned a value."""
        if value.__class__ in ATOMS:
            return
        key = id(value)
        try:
            self._weak[key] = (ref(value, self._forget(key)), run)
        except TypeError:
            self._held[key] = (value, run)
            del value
            if len(self._held) > HELD // 2:
                self._drop_unused()

    def of(self, values: Iterable[Any]) -> list[InputRun]:
        """Return the task runs that the values, or the items of their containers, came from."""
        if not self._weak and not self._held:
            return []
        found: list[InputRun] = []
        for value in values:
            run = self._origin(value)
            if run is not None:
                found.append(run)
            elif value.__class__ in (list, tuple) and len(value) <= HELD:
                found.extend(
                    origin
                    for item in value
                    if (origin := self._origin(item)) is not None
                )
        return found

    def _origin(self, value: Any) -> InputRun | None:
        if value.__class__ in ATOMS:
            return None
        key = id(value)
        weak = self._weak.get(key)
        if weak is not None and weak[0]() is value:
            return weak[1]
        held = self._held.get(key)
        return held[1] if held is not None else None

    def _forget(self, key: int) -> Callable[[Any], None]:
        def forget(_: Any) -> None:
            self._weak.pop(key, None)

        return forget

    def _drop_unused(self) -> None:
        for key in list(self._held):
            entry = self._held.get(key)
            if entry is None:
                continue
            value = entry[0]
            if sys.getrefcount(value) <= _OWN_REFERENCES or len(self._held) > HELD:
                del self._held[key]
