"""What a function closes over, as a part of what it goes by."""

from __future__ import annotations

import dis
from functools import lru_cache
from itertools import count
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from caudal.exceptions import HashError
from caudal.model.hashing import owner_hash
from caudal.model.hashing_code import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What a part of a key starts with that means nothing in another process.
ONLY_HERE = "only here: "
_met_here = count(1)

#: By function and variable: what gives the value that it closed over, and the hash that this had when it was first met.
_first_met: WeakKeyDictionary[
    FunctionType, dict[str, tuple[Callable[[], Any], str]]
] = WeakKeyDictionary()


def closure_hashes(fn: Callable[..., Any], here: str | None) -> dict[str, str]:
    """Return a hash of each variable that a function, and those it wraps, closes over and only reads.

    Lists and other things that change count as they were when they were first met here: a function that collects something in one
    is not another function after each call.

    Args:
        fn: The function.
        here: What no other process has. One without a stable hash, a lock or a connection, counts as what it is in this process:
            it gets a text that starts with `ONLY_HERE`. None makes that an error.

    Raises:
        HashError: One has no stable hash.
    """
    hashes: dict[str, str] = {}
    for function, name, value in _closed_over(fn):
        met = _first_met.setdefault(function, {})
        known = met.get(name)
        if known is None or known[0]() is not value:
            known = met[name] = _reference(value), _closed_hash(name, value, here)
        unique, copies = name, 1
        while unique in hashes:
            copies += 1
            unique = f"{name}#{copies}"
        hashes[unique] = known[1]
    return hashes


def _reference(value: Any) -> Callable[[], Any]:
    """Return what gives a value that does not keep it alive, where its type allows that: it may lead back to the function."""
    try:
        return ref(value)
    except TypeError:
        return lambda: value


def _closed_hash(name: str, value: Any, here: str | None) -> str:
    try:
        return owner_hash(value, name=f"{name!r}, which the task's function closes over,")  # fmt: skip
    except HashError:
        if here is None:
            raise
        return f"{ONLY_HERE}{here} {next(_met_here)}"


def _closed_over(fn: Any) -> Iterator[tuple[FunctionType, str, Any]]:
    """Yield functions in a callable, and the variables that they close over and only read, with their values.

    What a function assigns itself is what it does, not what it goes by.
    """
    inside = list(layers(fn))
    for function in inside:
        if not isinstance(function, FunctionType) or not function.__closure__:
            continue
        assigned = _assigned(function.__code__)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__, strict=True):
            if name == "__class__" or name in assigned:
                continue
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            if not any(value is layer for layer in inside):
                yield function, name, value


@lru_cache(1024)
def _assigned(code: CodeType) -> set[str]:
    """Return the variables of the functions around it that a function's code assigns, or a function within it."""
    names = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in {"STORE_DEREF", "DELETE_DEREF"}
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _assigned(constant)
    return names.intersection(code.co_freevars)
