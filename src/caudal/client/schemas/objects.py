"""What clients return."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from caudal.model.states import State, StateType
from caudal.model.views import FlowRun, TaskRun

if TYPE_CHECKING:
    from caudal.model.runs import LogRow

__all__ = [
    "FlowRun",
    "FlowRunInput",
    "Log",
    "OrchestrationResult",
    "SetStateStatus",
    "State",
    "StateType",
    "TaskRun",
]


class Log(NamedTuple):
    """A line that a run logged."""

    #: Its place in the ledger; a later line has a higher one.
    position: int
    row: LogRow

    @property
    def name(self) -> str:
        """Name of the logger."""
        return self.row.logger

    @property
    def level(self) -> int:
        """The standard library's level number."""
        return self.row.level

    @property
    def message(self) -> str:
        """What was logged."""
        return self.row.message

    @property
    def timestamp(self) -> datetime:
        """When, aware UTC."""
        return datetime.fromtimestamp(self.row.at, UTC)

    @property
    def flow_run_id(self) -> UUID | None:
        """The flow run."""
        return UUID(bytes=self.row.flow_run_id) if self.row.flow_run_id else None

    @property
    def task_run_id(self) -> UUID | None:
        """The task run."""
        return UUID(bytes=self.row.task_run_id) if self.row.task_run_id else None

    @property
    def extra(self) -> dict[str, Any]:
        """Structured fields."""
        return self.row.extra or {}


class FlowRunInput(NamedTuple):
    """An input that a flow run was given."""

    flow_run_id: UUID
    key: str
    #: As JSON.
    value: str
    #: Who gave it.
    sender: str | None = None


class SetStateStatus(StrEnum):
    """What became of a wish that a run be in a state."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"


class OrchestrationResult(NamedTuple):
    """What became of a wish that a run be in a state."""

    #: The state the run is in.
    state: State[Any]
    status: SetStateStatus
    #: Why the wish was rejected.
    reason: str | None = None
