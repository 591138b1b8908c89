"""Dagster: a job of many ops in its own process, on an instance that keeps its runs in SQLite."""

from __future__ import annotations

import tempfile

import dagster
import report
from dagster import DagsterInstance, JobDefinition, job, op

TASKS = report.tasks(50)


@op
def same() -> int:
    """Return a number."""
    return 1


@job
def wide() -> None:
    """Run the ops."""
    for number in range(TASKS):
        same.alias(f"same_{number}")()


@job
def empty() -> None:
    """Run one op: a job without any is not allowed."""
    same()


with tempfile.TemporaryDirectory() as folder:
    instance = DagsterInstance.local_temp(
        folder, overrides={"telemetry": {"enabled": False}}
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

    def execute(chosen: JobDefinition) -> None:
        """Run a job to its end."""
        assert chosen.execute_in_process(quiet, instance=instance).success

    def durable() -> float:
        """Return the seconds of an op; events are stored one by one."""
        return report.timed(lambda: execute(wide)) / TASKS

    report.show(
        version=dagster.__version__,
        tasks=TASKS,
        task_seconds=report.median(durable),
        empty_seconds=report.median(lambda: report.timed(lambda: execute(empty))),
    )
