"""Keeps the exceptions that ended runs, for those who ask for their results later or in another process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from caudal.engine.masking import is_hiding, masked
from caudal.exceptions import CaudalError
from caudal.model.ids import format_id
from caudal.storage.serializers import dump, resolve_serializer

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask
    from caudal.model.states import State

_logger = logging.getLogger("caudal.engine")


def keep_task_error(run: LiveTask, error: BaseException) -> None:
    """Store the exception that ended a task run, where its result would have been stored or another process waits for it."""
    scope, persists = run.scope, run.spec.persist
    if scope.keeps_errors or (scope.persist if persists is None else persists):
        key = f"task-run-{format_id(run.id)}-error"
        run.know(error_key=_kept(scope, error, key))


def keep_flow_error(scope: FlowScope, state: State[Any]) -> str | None:
    """Store what made a flow run fail and return its key; None where its result would not have been stored, or there is no exception."""
    if not scope.persist or scope.id is None or state.data is None:
        return None
    key = f"flow-run-{format_id(scope.id)}-error"
    return _kept(scope, state.exception(), key)


def _kept(scope: FlowScope, error: BaseException, key: str) -> str | None:
    """Store an exception and return its key; None where it cannot be stored or holds a secret: its text is on record all the same."""
    try:
        if is_hiding() and _holds_secret(error):
            return None
        results = scope.parts.results
        return results.write(error, key, scope=scope, serializer="pickle").key
    except CaudalError as problem:
        _logger.debug("the exception %r is not kept as an object: %s", key, problem)
        return None


def _holds_secret(error: BaseException) -> bool:
    """Say whether a secret that this process has loaded would be stored with an exception."""
    text = dump(resolve_serializer("pickle"), error).decode("utf-8", "replace")
    return masked(text) != text
