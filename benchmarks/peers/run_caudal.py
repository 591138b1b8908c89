"""caudal: a mapped task and an empty flow, on an SQLite ledger in a fresh home."""

from __future__ import annotations

import report

from caudal import flow, task
from caudal.client import get_client

TASKS = report.tasks(10_000)


@task
def same(number: int) -> int:
    """Return the number."""
    return number


@flow
def wide() -> int:
    """Run the tasks."""
    return sum(same.map(range(TASKS)).result())


@flow
def empty() -> None:
    """Do nothing."""


def durable() -> float:
    """Return the seconds of a task, until all runs are durable: they are when the flow returns."""
    seconds = report.timed(wide) / TASKS
    run = get_client(sync_client=True).read_flow_runs(limit=1)[0]
    assert run.task_completed == TASKS, "a run is missing in the ledger"
    return seconds


report.show(
    version="",
    tasks=TASKS,
    task_seconds=report.median(durable),
    empty_seconds=report.median(lambda: report.timed(empty)),
)
