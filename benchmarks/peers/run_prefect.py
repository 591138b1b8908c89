"""Prefect: mapped tasks and an empty flow, on the server that it starts itself, which stores the runs some time after they ended."""

from __future__ import annotations

import statistics
import time

import prefect
import report
from prefect import flow, task
from prefect.client.orchestration import get_client

TASKS = report.tasks(1_000)
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.5
#: Until the server had every run, in each round: seconds of a task.
stored: list[float] = []


@task
def same(number: int) -> int:
    """Return the number."""
    return number


@flow
def wide() -> float:
    """Return the seconds of a task until its result is there; starting the flow is not counted."""
    completed = {
        "flow_runs": {"id": {"any_": [str(prefect.runtime.flow_run.id)]}},
        "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    with get_client(sync_client=True) as client:
        started = time.perf_counter()
        assert sum(same.map(range(TASKS)).result()) == sum(range(TASKS))
        passed = time.perf_counter() - started
        while (
            client._client.post(  # noqa: SLF001 - the client has no count
                "/task_runs/count", json=completed
            ).json()
            < TASKS
        ):
            assert time.perf_counter() - started < PATIENCE_SECONDS, "runs are missing"
            time.sleep(POLL_SECONDS)  # counting slows the server down
        stored.append((time.perf_counter() - started) / TASKS)
    return passed / TASKS


@flow
def empty() -> None:
    """Do nothing."""


if __name__ == "__main__":
    report.show(
        version=prefect.__version__,
        tasks=TASKS,
        task_seconds=report.median(wide),
        stored_seconds=statistics.median(stored),
        empty_seconds=report.median(lambda: report.timed(empty)),
    )
