"""Which run is in charge here: context variables that follow the user's code into threads and coroutines."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from caudal.exceptions import MissingContextError
from caudal.twins import ask_run

if TYPE_CHECKING:
    from caudal.engine.parts import Run, Scope

#: The innermost run whose code executes here: a task run, a flow run, or None outside of runs.
current: ContextVar[Run | None] = ContextVar("caudal_run", default=None)

#: The hook that executes here: the run it was called for, and whether it is a coroutine; None outside of hooks. It holds while that run is in charge.
hooking: ContextVar[tuple[Any, bool] | None] = ContextVar("caudal_hook", default=None)

#: The innermost transaction whose code executes here.
active: ContextVar[Any] = ContextVar("caudal_transaction", default=None)

#: Tags added by ``with tags(...)``.
added_tags: ContextVar[frozenset[str]] = ContextVar("caudal_tags", default=frozenset())

#: The file that is being loaded here, so that its flows can be found; they are not run meanwhile.
loading: ContextVar[str | None] = ContextVar("caudal_loading", default=None)


def current_flow() -> Scope | None:
    """Return the flow run in charge here, or None."""
    run = current.get()
    return None if run is None else run.scope


def caller() -> Run | None:
    """Return the run whose code makes a call here; what the hooks of an ended flow run call is called by whoever called that run."""
    run = current.get()
    hook = hooking.get()
    if run is None or hook is None or hook[0] is not run or run is not run.scope:
        return run
    return run.scope.parent if run.scope.has_ended else run


def require_run(what: str) -> Run:
    """Return the run in charge here.

    Raises:
        MissingContextError: There is none; ``what`` names the call that needs it.
    """
    run = current.get()
    if run is None:
        raise MissingContextError(what)
    return run


def _is_async() -> bool | None:
    """Say whether the run in charge is one of a coroutine function; None when there is no run."""
    run, hook = current.get(), hooking.get()
    if hook is not None and hook[0] is run:
        return hook[1]
    return None if run is None or run.spec is None else run.spec.is_async


ask_run(_is_async)
