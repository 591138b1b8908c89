"""What clients are asked with, and what they return."""

from caudal.client.schemas.objects import (
    BlockDocument,
    FlowRun,
    OrchestrationResult,
    SetStateStatus,
    State,
    StateDetails,
    StateType,
    TaskRun,
)

__all__ = [
    "BlockDocument",
    "FlowRun",
    "OrchestrationResult",
    "SetStateStatus",
    "State",
    "StateDetails",
    "StateType",
    "TaskRun",
]
