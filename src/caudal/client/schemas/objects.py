"""What clients return."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from caudal.model.state_details import StateDetails
from caudal.model.states import TERMINAL, State, StateType
from caudal.model.views import BlockDocument, FlowRun, TaskRun

if TYPE_CHECKING:
    from caudal.model.runs import LogRow

__all__ = [
    "TERMINAL_STATES",
    "BlockDocument",
    "Flow",
    "FlowRun",
    "FlowRunInput",
    "Log",
    "OrchestrationResult",
    "SetStateStatus",
    "State",
    "StateDetails",
    "StateType",
    "TaskRun",
]

#: The kinds of state that end a run.
TERMINAL_STATES: frozenset[StateType] = frozenset(TERMINAL)


class Flow(NamedTuple):
    """A flow of which there are runs; it is known by its name."""

    name: str


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

    @property
    def decoded_value(self) -> Any:
        """The input itself."""
        return json.loads(self.value)


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
