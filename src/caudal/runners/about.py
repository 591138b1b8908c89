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
        "tags": run.inherited_tags,
        "persist": scope.persist,
        "storage": scope.storage,
        "log_prints": scope.log_prints,
        "task_run_id": None if run is scope else run.id,
        "name": run.name,
        "path": run.path,
        "run_count": run.run_count,
        "created_at": run.created_at,
        "settings": temporary.get(),
        "values": None if run is scope else _packed(run.transaction_values()),
    }


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
