"""Runs as programs read them: the objects that ``--output json`` prints. Their keys stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.cli.output import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.model.attempts import Attempt
    from caudal.model.progress import RunGroup
    from caudal.model.runs import LogRow, Move
    from caudal.model.views import FlowRun, TaskRun

_ERROR = ("type", "message", "traceback")


def flow_run_record(run: FlowRun) -> dict[str, Any]:
    """Return a flow run as a JSON object."""
    return {
        "id": str(run.id),
        "name": run.name,
        "flow_name": run.flow_name,
        **_state(run),
        "attempt": run.attempt,
        "parameters": run.parameters,
        "tags": run.tags,
        "parent_flow_run_id": _text(run.parent_flow_run_id),
        "parent_task_run_id": _text(run.parent_task_run_id),
        "task_count": run.task_count,
        "task_completed": run.task_completed,
        "task_failed": run.task_failed,
        "task_running": run.task_running,
        "error": error_record(run),
    }


def task_run_record(run: TaskRun) -> dict[str, Any]:
    """Return a task run as a JSON object."""
    return {
        "id": str(run.id),
        "flow_run_id": _text(run.flow_run_id),
        "name": run.name,
        "task_name": run.task_name,
        "path": run.dynamic_key,
        **_state(run),
        "tags": run.tags,
        "cache_key": run.cache_key,
        "result_key": run.details.get("result_key"),
        "upstream": [str(UUID(hex=text)) for text in run.details.get("upstream", ())],
        "error": error_record(run),
    }


def error_record(run: FlowRun | TaskRun) -> dict[str, str] | None:
    """Return type, message and traceback of what made a run end, or None when it has no such thing now."""
    error = run.details.get("error")
    if not error or run.state.is_completed() or not run.state.is_final():
        return None
    return {name: error.get(name, "") for name in _ERROR}


def history_record(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """Return the states a run was in as JSON objects, oldest first."""
    from caudal.model.views import utc

    return [
        {
            "state_type": move.type,
            "state_name": move.name,
            "at": iso(utc(move.at)),
            "message": move.message,
        }
        for move in moves
    ]


def attempt_records(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return the tries of a task run as JSON objects, in order."""
    from caudal.model.views import utc

    return [
        {
            "state_name": attempt.state_name,
            "started_at": iso(utc(attempt.started_at)),
            "ended_at": None
            if attempt.ended_at is None
            else iso(utc(attempt.ended_at)),
            "queue_seconds": round(attempt.queue_seconds, 6),
            "wall_seconds": None
            if attempt.wall_seconds is None
            else round(attempt.wall_seconds, 6),
            "cpu_seconds": None
            if attempt.cpu_seconds is None
            else round(attempt.cpu_seconds, 6),
            "peak_memory_bytes": attempt.peak_memory_bytes,
        }
        for attempt in attempts
    ]


def group_records(group: RunGroup) -> dict[str, list[dict[str, Any]]]:
    """Return what the runs of a group called: two lists of JSON objects, tasks and child flows."""
    members = group.in_order()
    return {
        "tasks": [_group_record(member) for member in members if not member.is_flow],
        "child_flows": [_group_record(member) for member in members if member.is_flow],
    }


def _group_record(group: RunGroup) -> dict[str, Any]:
    counts = {stage.value: count for stage, count in group.counts.items()}
    return {
        "name": group.name,
        "total": group.total,
        **counts,
        "completed": group.completed,
        "seconds": round(group.seconds, 6),
        **group_records(group),
    }


def log_record(position: int, row: LogRow) -> dict[str, Any]:
    """Return a log line as a JSON object."""
    from logging import getLevelName

    from caudal.model.views import utc

    return {
        "position": position,
        "at": iso(utc(row.at)),
        "level": getLevelName(row.level),
        "logger": row.logger,
        "message": row.message,
        "flow_run_id": _written(row.flow_run_id),
        "task_run_id": _written(row.task_run_id),
        "extra": row.extra or {},
    }


def _state(run: FlowRun | TaskRun) -> dict[str, Any]:
    return {
        "state_type": run.state_type,
        "state_name": run.state_name,
        "message": run.state.message,
        "created_at": iso(run.created),
        "started_at": iso(run.start_time),
        "ended_at": iso(run.end_time),
        "duration_seconds": run.duration_seconds,
        "run_count": run.run_count,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _written(value: bytes | None) -> str | None:
    return None if value is None else str(UUID(bytes=value))
