"""Flows whose code is limited; what is within a limit is noted when it enters and when it leaves.

With HOLD code that has entered waits until the file GATE is there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from oracle import note

from caudal import flow, task
from caudal.concurrency.sync import concurrency


def work() -> None:
    """Be within the limit for a moment, or until the gate is opened."""
    note("enter")
    time.sleep(0.005)
    while "HOLD" in os.environ and not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    note("leave")


@task(tags=["db"])
def tagged() -> None:
    """Work in a task with a tag."""
    work()


@flow
def by_tag() -> None:
    """Submit as many tasks with a tag as the environment says."""
    for _ in range(int(os.environ.get("TASKS", "1"))):
        tagged.submit()


@flow
def by_name() -> None:
    """Work within a named limit."""
    for _ in range(int(os.environ.get("TASKS", "1"))):
        with concurrency("tag:db", strict=True):
            work()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
