"""DBOS: a workflow that calls steps, on SQLite; each step is stored before the next one starts."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version

import report
from dbos import DBOS, DBOSConfig

TASKS = report.tasks(1_000)


@DBOS.step()
def same(number: int) -> int:
    """Return the number."""
    return number


@DBOS.workflow()
def wide() -> int:
    """Run the steps."""
    return sum(same(number) for number in range(TASKS))


@DBOS.workflow()
def empty() -> None:
    """Do nothing."""


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    config: DBOSConfig = {
        "name": "peer",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    report.show(
        version=version("dbos"),
        tasks=TASKS,
        task_seconds=report.median(lambda: report.timed(wide) / TASKS),
        empty_seconds=report.median(lambda: report.timed(empty)),
    )
    DBOS.destroy()
