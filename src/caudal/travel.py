"""Decides how a decorated function gets to another process: by name where that process can import it, else as a whole."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import cloudpickle

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def is_importable(thing: object, module: str, qualname: str) -> bool:
    """Say whether another process with the same ``sys.path`` finds the thing under its name.

    A module that it would not find is made to travel as a whole with what refers to it.
    """
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found is thing and not _is_private(module)


def load(module: str, qualname: str) -> Any:
    """Return what has a name in a module."""
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _is_private(name: str) -> bool:
    """Say whether only this process knows a module: the script, one that was made here, or loaded under a name of its own."""
    if name == "__main__":
        return True
    registry: set[str] = cast("Any", cloudpickle).list_registry_pickle_by_value()
    if name in registry:
        return True
    module = sys.modules[name]
    if _is_found(name, getattr(module, "__file__", None)):
        return False
    cast("Any", cloudpickle).register_pickle_by_value(module)
    return True


@cache
def _is_found(name: str, file: str | None) -> bool:
    """Say whether the import system, asked anew, leads from a module's name to its file."""
    path: Any = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec is not None and spec.origin == file


def _find(name: str, path: Any) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path, None)
        if spec is not None:
            return spec
    return None
