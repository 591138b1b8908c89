"""Live runs as the user's code sees them: in hooks, conditions and cache keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.model.views import FlowRun, TaskRun, utc

if TYPE_CHECKING:
    from datetime import datetime

    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask


class CacheContext:
    """What a cache policy sees of a task run: the task, the task run and its flow run."""

    __slots__ = ("flow_run", "here", "parameters", "task", "task_run")

    task: Any
    #: What no other process has.
    here: str

    def __init__(self, run: LiveTask) -> None:
        self.task = run.spec.decorated
        self.here = run.scope.parts.owner.hex()
        self.parameters: dict[str, Any] = run.spec.inputs(run.args, run.kwargs)
        self.task_run: TaskRun = task_view(run)
        self.flow_run: FlowRun | None = (
            None if run.scope.id is None else flow_view(run.scope)
        )


def flow_view(scope: FlowScope) -> FlowRun:
    """Return a flow run as it is now."""
    parent = scope.parent
    above = None if parent is None else parent.scope.id
    task = None if parent is None or parent is parent.scope else parent.id
    assert scope.uuid is not None, "the scope of tasks outside flows is no flow run"
    return FlowRun(
        id=scope.uuid,
        name=scope.name,
        flow_name=scope.spec.name if scope.spec else "",
        state=scope.state(),
        created=utc(scope.created_at),
        start_time=_maybe(scope.begun_at),
        end_time=utc(scope.at) if scope.has_ended else None,
        parent_flow_run_id=_uuid(above),
        parent_task_run_id=_uuid(task),
        run_count=scope.run_count,
        parameters=scope.parameters,
        tags=sorted(scope.tags),
        attempt=scope.fence.attempt,
        flow_version=scope.spec.version if scope.spec else None,
    )


def task_view(run: LiveTask) -> TaskRun:
    """Return a task run as it is now."""
    return TaskRun(
        id=UUID(bytes=run.id),
        flow_run_id=run.scope.uuid,
        name=run.name,
        task_name=run.spec.name,
        dynamic_key=run.path,
        state=run.state(),
        created=utc(run.created_at),
        start_time=_maybe(run.begun_at),
        end_time=utc(run.at) if run.done else None,
        run_count=run.run_count,
        details={"tags": sorted(run.spec.tags if run.tags is None else run.tags)},
    )


def _maybe(at: float | None) -> datetime | None:
    return None if at is None else utc(at)


def _uuid(run_id: bytes | None) -> UUID | None:
    return None if run_id is None else UUID(bytes=run_id)
