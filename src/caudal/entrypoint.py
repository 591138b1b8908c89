"""Loads flows from files: ``FILE`` or ``FILE:FLOW``.

A file is loaded as if it was run as a script: its folder comes first on ``sys.path``, and its code is compiled anew. Its module
is named after the file and kept in ``sys.modules``, so that worker processes can import what is defined in it. Where that name
means another module (``statistics.py``), it gets a name that nothing else has, and what is defined in it travels to
worker processes by value.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from contextvars import ContextVar
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caudal.decorated import Decorated
from caudal.engine.context import loading
from caudal.engine.tracebacks import is_internal, user_traceback
from caudal.exceptions import (
    ConfigurationError,
    MissingFlowError,
    ScriptError,
    UnspecifiedFlowError,
)
from caudal.model.specs import FlowSpec

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from types import ModuleType

#: Files that are being loaded around this place.
_underway: ContextVar[AbstractSet[str]] = ContextVar(
    "caudal_underway", default=frozenset()
)
_UNDERWAY = (
    "its own code asks for one of its flows while it is loaded, as resume_flow_run() at its end does. "
    "Put that under `if __name__ == '__main__':`."
)

#: A flow, in a module that `caudal.flows` uses.
AnyFlow = Decorated[..., Any, FlowSpec]


def load_flow(entrypoint: str) -> AnyFlow:
    """Return the flow that an entrypoint names.

    Args:
        entrypoint: ``FILE`` where the file defines one flow, else ``FILE:FLOW``. ``FLOW`` is the name of the variable, the flow or
            the function.

    Raises:
        ScriptError: The file cannot be loaded.
        MissingFlowError: It does not hold the flow.
        UnspecifiedFlowError: It defines several flows and none was named.
    """
    path, name = split_entrypoint(entrypoint)
    return choose_flow(load_module(path), path, name)


def split_entrypoint(entrypoint: str) -> tuple[Path, str | None]:
    """Return the file and the name that an entrypoint consists of."""
    file, colon, name = entrypoint.rpartition(":")
    if not colon or Path(entrypoint).exists():
        return Path(entrypoint), None
    return Path(file), name


def load_module(path: Path) -> ModuleType:
    """Run a file's code and return its module; flows that the code calls are not run, and return None.

    Raises:
        ScriptError: There is no such file, it cannot be read, or its code raises an exception.
    """
    if not path.is_file():
        raise ScriptError(str(path), _why_no_file(path))
    path = path.resolve()
    if str(path) in _underway.get():
        raise ScriptError(str(path), _UNDERWAY)
    _put_first(str(path.parent))
    importlib.invalidate_caches()
    name = _module_name(path)
    loader = _ScriptLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None, "a loader of files makes specs"
    module = module_from_spec(spec)
    replaced = sys.modules.get(name)
    sys.modules[name] = module
    token = loading.set(str(path))
    around = _underway.set({*_underway.get(), str(path)})
    try:
        spec.loader.exec_module(module)  # pyright: ignore[reportOptionalMemberAccess]
    except BaseException as error:
        del sys.modules[name]
        if replaced is not None:
            sys.modules[name] = replaced
        if getattr(error, "reason", None) is _UNDERWAY:
            raise
        if isinstance(error, (Exception, SystemExit)) and not isinstance(
            error, ConfigurationError
        ):
            raise ScriptError(str(path), _why_not_loaded(error)) from error
        raise
    finally:
        loading.reset(token)
        _underway.reset(around)
    if name != path.stem:
        import cloudpickle  # noqa: PLC0415 - only needed for files with such a name

        cloudpickle.register_pickle_by_value(module)  # pyright: ignore[reportUnknownMemberType]
    return module


def choose_flow(module: ModuleType, path: Path, name: str | None) -> AnyFlow:
    """Return a module's flow of a name, or its only one.

    Args:
        module: The module.
        path: Its file, for messages.
        name: Name of the variable, the flow or the function; None asks for the only flow that the file defines.

    Raises:
        MissingFlowError: There is no such flow, or none at all.
        UnspecifiedFlowError: There are several and none was named.
    """
    flows: dict[str, AnyFlow] = {
        variable: value
        for variable, value in vars(module).items()
        if isinstance(value, Decorated) and value.kind == "flow"
    }
    if name is not None:
        return flows.get(name) or _named(flows, path, name)
    candidates = _by_first_variable(flows, module.__name__) or _by_first_variable(
        flows, None
    )
    if not candidates:
        raise MissingFlowError(
            str(path), "it defines no flow. Decorate a function with @flow."
        )
    if len(candidates) > 1:
        names = ", ".join(repr(variable) for variable in candidates.values())
        example = f"{path}:{next(iter(candidates.values()))}"
        raise UnspecifiedFlowError(
            str(path),
            f"it defines several flows: {names}. Name one of them, as in {example!r}.",
        )
    return next(iter(candidates))


class _ScriptLoader(SourceFileLoader):
    """Compiles a file anew, so that an edit within the second that file times are kept in is not missed."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _put_first(folder: str) -> None:
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _module_name(path: Path) -> str:
    """Return the file's stem if it can only mean this file, else a name that nothing else has."""
    stem = path.stem
    if "." not in stem and all(
        origin in {None, str(path)} for origin in _meanings(stem)
    ):
        return stem
    return f"caudal_flow_file_{stem.replace('.', '_')}"


def _meanings(name: str) -> list[str | None]:
    """Return the files that a module name stands for, now and without the first entry of ``sys.path``."""
    if name in sys.modules:
        return [getattr(sys.modules[name], "__file__", "built-in")]
    first = sys.path.pop(0)
    try:
        specs = [find_spec(name)]
        sys.path.insert(0, first)
        specs.append(find_spec(name))
    finally:
        if sys.path[:1] != [first]:
            sys.path.insert(0, first)
    return [spec.origin if spec is not None else None for spec in specs]


def _why_no_file(path: Path) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only needed to explain

    if path.is_dir():
        return "it is a folder. Name a file in it."
    if not path.parent.is_dir():
        return "its folder does not exist."
    names = [file.name for file in path.parent.glob("*.py")]
    nearest = get_close_matches(path.name, names, n=1)
    hint = f" Did you mean {str(path.with_name(nearest[0]))!r}?" if nearest else ""
    return f"there is no such file.{hint}"


def _why_not_loaded(error: BaseException) -> str:
    if (
        isinstance(error, OSError)
        and error.__traceback__ is not None
        and not _has_user_frame(error)
    ):
        return f"it cannot be read: {error.strerror}."
    if isinstance(error, SystemExit):
        reason = f"its code ended the process with exit({error.code!r}) while it was loaded. Put what only a script does under `if __name__ == '__main__':`."
    else:
        reason = "its code raised an exception."
    return f"{reason}\n{user_traceback(error)}"


def _has_user_frame(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(not is_internal(frame.filename) for frame in frames)


def _by_first_variable(
    flows: dict[str, AnyFlow], module: str | None
) -> dict[AnyFlow, str]:
    """Return each flow, of all or of one module, with the first variable that holds it."""
    first: dict[AnyFlow, str] = {}
    for variable, flow in flows.items():
        if module in {None, flow.__module__}:
            first.setdefault(flow, variable)
    return first


def _named(flows: dict[str, AnyFlow], path: Path, name: str) -> AnyFlow:
    for flow in flows.values():
        if name in {flow.name, flow.__qualname__}:
            return flow
    if not flows:
        raise MissingFlowError(
            str(path),
            f"it has no flow {name!r}, and no other. Decorate a function with @flow.",
        )
    from difflib import get_close_matches  # noqa: PLC0415 - only needed to explain

    nearest = get_close_matches(name, flows, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise MissingFlowError(
        str(path),
        f"it has no flow {name!r}.{hint} It has {', '.join(map(repr, flows))}.",
    )
