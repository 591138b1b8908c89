"""What the running pipeline has done so far, read back from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal import get_client, runtime

if TYPE_CHECKING:
    from caudal.model.views import TaskRun

_PAGE = 10_000


def read_steps() -> list[dict[str, Any]]:
    """Return every task run of this flow run and of the flows it called, oldest first.

    A called flow that crashed is left out: the resumed run called it again, and took over what it had finished.

    Each has ``name``, ``task``, ``state``, and ``start`` and ``end`` as seconds since the epoch; None where it has not come
    to that.
    """
    client = get_client(sync_client=True)
    here = client.read_flow_run(runtime.flow_run.id)
    called = [
        run
        for run in client.read_flow_runs(limit=_PAGE)
        if run.parent_flow_run_id == here.id and run.state_name != "Crashed"
    ]
    steps = [
        _step(run)
        for flow_run in (here, *called)
        for run in client.read_task_runs(flow_run_id=flow_run.id, limit=_PAGE)
    ]
    return sorted(steps, key=lambda step: step["start"] or float("inf"))


def _step(run: TaskRun) -> dict[str, Any]:
    ended = run.end_time
    started = run.start_time or ended  # what came from the cache never started
    return {
        "name": run.name,
        "task": "dbt tests" if run.task_name.startswith("test.") else run.task_name,
        "state": run.state_name,
        "start": started.timestamp() if started else None,
        "end": ended.timestamp() if ended else None,
    }
