"""Runs that lines are logged for from outside of them: as much of a run as its logger asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from caudal.engine.composition import current_engine

if TYPE_CHECKING:
    from caudal.engine.journal import Journal


class FlowRunSubject:
    """A flow run, by what is known of it.

    Args:
        run_id: Its id; None for the scope of tasks outside flows.
        name: Its name.
    """

    spec: None = None
    log_prints: bool = False

    def __init__(self, run_id: UUID | None, name: str | None) -> None:
        self.id: bytes | None = None if run_id is None else run_id.bytes
        self.name: str = name or str(run_id)

    @property
    def scope(self) -> FlowRunSubject:
        """Itself."""
        return self

    @property
    def journal(self) -> Journal:
        """Where its lines are recorded."""
        return current_engine().journal


class TaskRunSubject:
    """A task run, by what is known of it.

    Args:
        run_id: Its id.
        name: Its name.
        scope: Its flow run.
    """

    spec: None = None

    def __init__(self, run_id: UUID, name: str, scope: FlowRunSubject) -> None:
        self.id: bytes = run_id.bytes
        self.name: str = name
        self.scope: FlowRunSubject = scope
