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
    run = current.get()
    return None if run is None or run.spec is None else run.spec.is_async


ask_run(_is_async)
