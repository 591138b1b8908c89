"""Runs as users see them: in hooks, in the client and in what programs print."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.model.masking import without_secrets
from caudal.model.state_json import MISSING
from caudal.model.states import State, StateType

if TYPE_CHECKING:
    from caudal.model.documents import Document
    from caudal.model.runs import FlowRunRow, TaskRunRow


class _Run:
    """What flow runs and task runs have in common."""

    __slots__ = ()

    state: State[Any]
    created: datetime
    start_time: datetime | None
    end_time: datetime | None

    @property
    def state_type(self) -> StateType:
        """Kind of the state; a text, too."""
        return self.state.type

    @property
    def state_name(self) -> str:
        """Name of the state."""
        return self.state.name

    @property
    def expected_start_time(self) -> datetime:
        """When it was to start: when it was made, as long as nothing schedules runs."""
        return self.created

    @property
    def updated(self) -> datetime:
        """When it entered its state."""
        return self.state.timestamp or self.created

    @property
    def duration_seconds(self) -> float | None:
        """Seconds between start and end; None while one of them is missing."""
        span = self.start_time and self.end_time and self.end_time - self.start_time
        return span.total_seconds() if span is not None else None

    @property
    def total_run_time(self) -> timedelta:
        """Time between start and end, waits between attempts and pauses included; none while it has not ended."""
        return timedelta(seconds=self.duration_seconds or 0)


@dataclass(slots=True)
class FlowRun(_Run):
    """A flow run at one moment. Times are aware UTC; ids are UUIDs."""

    id: UUID
    name: str
    flow_name: str
    state: State[Any]
    created: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    run_count: int = 0
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    tags: list[str] = field(default_factory=list[str])
    parent_flow_run_id: UUID | None = None
    parent_task_run_id: UUID | None = None
    attempt: int = 1
    task_count: int = 0
    task_completed: int = 0
    task_failed: int = 0
    task_running: int = 0
    flow_version: str | None = None
    details: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class TaskRun(_Run):
    """A task run at one moment. Times are aware UTC; ids are UUIDs."""

    id: UUID
    flow_run_id: UUID | None
    name: str
    task_name: str
    #: Position in the flow's program.
    dynamic_key: str
    state: State[Any]
    created: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    run_count: int = 0
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def task_key(self) -> str:
        """Name of the task."""
        return self.task_name

    @property
    def tags(self) -> list[str]:
        """Tags of the run."""
        return list(self.details.get("tags", ()))

    @property
    def cache_key(self) -> str | None:
        """Key under which the result can be found again."""
        return self.details.get("cache_key")


@dataclass(slots=True)
class BlockDocument:
    """A block as it is kept, with a mask in place of each secret."""

    id: UUID
    name: str
    block_type_slug: str
    #: The fields; a saved block inside is a reference.
    data: dict[str, Any]
    created: datetime
    updated: datetime


def block_view(row: Document) -> BlockDocument:
    """Return a block's document as users see it."""
    return BlockDocument(
        id=UUID(bytes=row.id),
        name=row.key or "",
        block_type_slug=row.type,
        data=without_secrets(row.data["fields"]),
        created=utc(row.created_at),
        updated=utc(row.updated_at),
    )


@dataclass(slots=True)
class AssetMaterialization:
    """How a task run made an asset."""

    id: UUID
    key: str
    #: ``succeeded`` or ``failed``.
    status: str
    #: Name, url, description and owners, as far as the code gives them.
    properties: dict[str, Any] | None
    #: Keys of the assets that it was made of.
    upstream: list[str]
    #: The tool that made it.
    by: str | None
    #: What the run told about it.
    metadata: dict[str, Any]
    flow_run_id: UUID | None
    task_run_id: UUID | None
    created: datetime


def materialization_view(row: Document) -> AssetMaterialization:
    """Return a materialization's document as users see it."""
    return AssetMaterialization(
        id=UUID(bytes=row.id),
        key=row.key or "",
        status=row.type,
        flow_run_id=_uuid(row.flow_run_id),
        task_run_id=_uuid(row.task_run_id),
        created=utc(row.created_at),
        **row.data,
    )


def flow_run_view(row: FlowRunRow, data: Any = None) -> FlowRun:
    """Return a flow run's row as users see it.

    Args:
        row: The row.
        data: Of its state; None for a result that is not within reach.
    """
    return FlowRun(
        id=UUID(bytes=row.id),
        name=row.name,
        flow_name=row.flow_name,
        state=_state(row, row.state_at, data).of_run(None, row.id),
        created=utc(row.created_at),
        start_time=_maybe(row.started_at),
        end_time=_maybe(row.ended_at),
        run_count=row.run_count,
        parameters=row.parameters,
        tags=row.tags,
        parent_flow_run_id=_uuid(row.parent_flow_run_id),
        parent_task_run_id=_uuid(row.parent_task_run_id),
        attempt=row.attempt,
        task_count=row.task_count,
        task_completed=row.task_completed,
        task_failed=row.task_failed,
        task_running=row.task_running,
        flow_version=row.details.get("version"),
        details=row.details,
    )


def task_run_view(row: TaskRunRow, data: Any = None) -> TaskRun:
    """Return a task run's row as users see it; see `flow_run_view`."""
    details = row.details or {}
    at = row.ended_at or row.started_at or row.created_at
    return TaskRun(
        id=UUID(bytes=row.id),
        flow_run_id=_uuid(row.flow_run_id),
        name=row.name,
        task_name=row.task_name,
        dynamic_key=row.path,
        state=_state(row, at, data).of_run(row.id, row.flow_run_id),
        created=utc(row.created_at),
        start_time=_maybe(row.started_at),
        end_time=_maybe(row.ended_at),
        run_count=row.run_count,
        details=details,
    )


def _state(row: FlowRunRow | TaskRunRow, at: float, data: Any) -> State[Any]:
    if data is None and row.state_type == StateType.COMPLETED:
        data = MISSING
    message = (row.details or {}).get("message")
    return State(row.state_type, row.state_name, message, data, timestamp=at)


def utc(at: float) -> datetime:
    """Return seconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(at, UTC)


def _maybe(at: float | None) -> datetime | None:
    return None if at is None else utc(at)


def _uuid(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)
