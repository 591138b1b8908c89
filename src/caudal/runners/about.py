"""What another process is told about a run, so that the user's code finds its context there."""

from __future__ import annotations

from typing import Any

from caudal.runners.pickling import dumps
from caudal.settings.current import temporary


def about_run(run: Any) -> dict[str, Any]:
    """Return what ``engine.remote`` makes a run of again: ids, names, parameters, fence.

    Args:
        run: The run in charge: a task run, or a flow run whose own code asks.
    """
    scope = run.scope
    flow = scope.spec
    return {
        "flow_run_id": scope.id,
        "flow_run_name": scope.name,
        "flow_name": flow.name if flow else None,
        "flow_version": flow.version if flow else None,
        "ancestors": _ancestors(scope),
        "parameters": _packed(scope.parameters),
        "fence": tuple(scope.fence),
        "flow": _packed_flow(scope),
        "flow_tags": scope.tags,
        "flow_created_at": scope.created_at,
        "flow_begun_at": scope.begun_at,
        "flow_run_count": scope.run_count,
        "flow_state": (scope.type, scope.state_name, scope.message, scope.at),
        "added_tags": run.inherited_tags,
        "tags": None if run is scope else run.tags,
        "persist": scope.persist,
        "storage": scope.storage,
        "log_prints": scope.log_prints,
        "task_run_id": None if run is scope else run.id,
        "name": run.name,
        "path": run.path,
        "run_count": run.run_count,
        "created_at": run.created_at,
        "begun_at": run.begun_at,
        "settings": temporary.get(),
        "values": None if run is scope else _packed(run.transaction_values()),
    }


def _packed_flow(scope: Any) -> bytes | None:
    """Return the flow for the context; it is packed once for all tasks of a run."""
    if scope.packed_flow is None and scope.spec is not None:
        scope.packed_flow = _packed(scope.spec.decorated) or b""
    return scope.packed_flow


def _ancestors(scope: Any) -> list[bytes]:
    """Return the ids of the flow runs around a flow run, innermost first."""
    found: list[bytes] = []
    while scope.parent is not None:
        scope = scope.parent.scope
        if scope.id is not None:
            found.append(scope.id)
    return found


def _packed(values: Any) -> bytes | None:
    """Return values for the context alone: where they cannot travel, the task may not need them."""
    try:
        return dumps(values)
    except Exception:  # noqa: BLE001 - whatever a value's pickling raises
        return None
