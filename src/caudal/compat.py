"""Runs pipelines that import Prefect, unchanged: in this process, ``import prefect`` means caudal.

    python -m caudal.compat FILE [ARGUMENT ...]
    caudal run --as-prefect FILE:FLOW

A name that caudal does not have is an error where it is imported or used, and says so; nothing is a stand-in that does nothing. An installed
Prefect is not touched, and not used.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import TYPE_CHECKING, Any

from caudal.engine.composition import AS_PREFECT
from caudal.exceptions import (
    UnsupportedImportError,
    UnsupportedIntegrationError,
    UnsupportedNameError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

#: Modules that have another place in caudal; the others have the same name below ``caudal``.
MODULES = {
    "prefect.assets.core": "caudal.assets",
    "prefect.assets.materialize": "caudal.assets",
    "prefect.input.run_input": "caudal.input",
    "prefect.logging.formatters": "caudal.logging",
    "prefect.logging.loggers": "caudal.logging",
    "prefect.main": "caudal",
    "prefect.settings.context": "caudal.settings",
}

#: Names that carry the brand; ``PREFECT_...`` is ``CAUDAL_...``.
_NAMES = {
    "PrefectException": "CaudalError",
    "PrefectDistributedFuture": "DistributedFuture",
    "PrefectFlowRunFuture": "FlowRunFuture",
    "PrefectFuture": "Future",
    "PrefectFutureList": "FutureList",
    "PrefectClient": "AsyncClient",
    "SyncPrefectClient": "SyncClient",
    "prefect_test_harness": "caudal_test_harness",
}

#: What modules have that is not their own business.
_COPIED = ("__version__",)

#: Variables that say where Prefect's server is; caudal needs none.
_NEEDLESS = ("PREFECT_API_", "PREFECT_SERVER_", "PREFECT_CLIENT_", "PREFECT_UI_")


def install() -> list[str]:
    """Make ``import prefect`` mean caudal in this process and its workers.

    Variables ``PREFECT_...`` count as ``CAUDAL_...`` where caudal has the setting and it is not given.

    Returns:
        The variables that caudal has no setting for; those about a server are not among them.

    Raises:
        RuntimeError: Prefect itself was imported before.
    """
    loaded = sys.modules.get("prefect")
    if loaded is not None and not isinstance(loaded, _Alias):
        msg = "Prefect itself was imported already in this process; install caudal.compat before"
        raise RuntimeError(msg)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        sys.meta_path.append(_Integrations())
    os.environ[AS_PREFECT] = "1"
    return _adopt_variables()


def _adopt_variables() -> list[str]:
    from caudal.settings import declared  # noqa: PLC0415 - the settings are not needed otherwise

    unknown: list[str] = []
    for variable, value in list(os.environ.items()):
        if not variable.startswith("PREFECT_") or variable.startswith(_NEEDLESS):
            continue
        name = variable.removeprefix("PREFECT_")
        if name.lower() in declared.SETTINGS and name != "HOME":
            os.environ.setdefault(f"CAUDAL_{name}", value)
        else:
            unknown.append(variable)
    return unknown


class _Alias(ModuleType):
    """A module of Prefect's name with the contents of caudal's."""

    _target: Any

    def __init__(self, name: str, target: Any) -> None:
        super().__init__(name)
        self.__dict__["_target"] = target

    def __setattr__(self, name: str, value: Any) -> None:
        # A module below this one does not hide a name of this one, such as prefect.assets.materialize.
        if not isinstance(value, _Alias) or isinstance(
            getattr(self._target, name, value), ModuleType
        ):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._names()
        if name.startswith("__") and name not in _COPIED:
            raise AttributeError(name)
        ours = _NAMES.get(name, name)
        if ours.startswith("PREFECT_"):
            ours = f"CAUDAL_{ours.removeprefix('PREFECT_')}"
        found = getattr(self._target, ours, self)
        if found is not self:
            return found
        path = f"{self.__name__}.{name}"
        if _find_target(path) is None:
            raise UnsupportedNameError(path)
        return importlib.import_module(path)

    def _names(self) -> list[str]:
        """Return what ``import *`` gives: the names of caudal's module, and those with the brand for them."""
        ours: Sequence[str] = getattr(self._target, "__all__", None) or [
            name for name in dir(self._target) if not name.startswith("_")
        ]
        return [*ours, *(name for name, found in _NAMES.items() if found in ours)]


class _Finder(MetaPathFinder):
    """Finds the modules of Prefect's names."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to load a module of Prefect's, None for others."""
        if fullname.partition(".")[0] != "prefect":
            return None
        found = _find_target(fullname)
        if found is None:
            raise UnsupportedImportError(fullname)
        return spec_from_loader(fullname, _Loader(found), is_package=True)


class _Integrations(MetaPathFinder):
    """Asked last, it tells of Prefect's packages of integrations that they are not there."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return None, for any other module.

        Raises:
            UnsupportedIntegrationError: It is one of them.
        """
        if fullname.startswith("prefect_") and "." not in fullname:
            raise UnsupportedIntegrationError(fullname)
        return None


class _Loader(Loader):
    """Makes a module of Prefect's name from one of caudal's."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return _Alias(spec.name, self._target)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: it looks names up in caudal's module."""


def _find_target(fullname: str) -> Any:
    """Return what stands for a module of Prefect's: a module, or an object that a module has in its place; else None."""
    parent, _, name = fullname.rpartition(".")
    if name.startswith("_"):
        return None
    ours = MODULES.get(fullname, f"caudal{fullname.removeprefix('prefect')}")
    try:
        if find_spec(ours) is not None:
            return importlib.import_module(ours)
    except (ModuleNotFoundError, ValueError):  # its parent is no package
        pass
    held = getattr(_find_target(parent), name, None) if parent else None
    return None if callable(held) else held


def main(arguments: list[str]) -> int:
    """Run a script in which ``import prefect`` means caudal, and return the exit status.

    Args:
        arguments: The script's file, and what it finds in ``sys.argv``.
    """
    import runpy  # noqa: PLC0415 - only needed here

    if not arguments:
        print("usage: python -m caudal.compat FILE [ARGUMENT ...]", file=sys.stderr)  # noqa: T201 - a command
        return 2
    tell_ignored(install())
    file, *_ = sys.argv = arguments
    if not os.path.isfile(file):  # noqa: PTH113 - one question
        print(f"Error: there is no file {file!r}", file=sys.stderr)  # noqa: T201
        return 2
    sys.path[0] = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - as Python itself sets it
    try:
        runpy.run_path(file, run_name="__main__")
    except (UnsupportedImportError, UnsupportedNameError) as error:
        from caudal.engine.tracebacks import user_traceback  # noqa: PLC0415

        print(user_traceback(error), file=sys.stderr)  # noqa: T201
        return 1
    return 0


def tell_ignored(variables: list[str]) -> None:
    """Say on stderr which of Prefect's variables have no effect."""
    if variables:
        print(f"caudal: no effect: {', '.join(variables)}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    # The module that pipelines import is caudal.compat, not this __main__.
    sys.exit(importlib.import_module("caudal.compat").main(sys.argv[1:]))
