"""Keeps the exception that ended a task run, for processes that wait for the run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from caudal.exceptions import CaudalError
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from caudal.engine.live_task import LiveTask


def keep_error(run: LiveTask, error: BaseException) -> None:
    """Store the exception that ended a run; one that cannot be stored is on record as text all the same."""
    key = f"task-run-{format_id(run.id)}-error"
    with suppress(CaudalError):
        stored = run.scope.parts.results.write(
            error, key, scope=run.scope, serializer="pickle"
        )
        run.know(error_key=stored.key)
