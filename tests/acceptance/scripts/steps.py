"""Flows of six steps, most of which keep their results; one place can be made to wait.

HOLD names the place: the number of a step, or ``between``. It waits until the file GATE is there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from oracle import note

from caudal import flow, task
from caudal.task_runners import ProcessPoolTaskRunner


def hold(place: str) -> None:
    """Wait for the gate if this is the place to do so."""
    while os.environ.get("HOLD") == place and not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)


@task
def step(number: int) -> int:
    """Take part in the work and return the number."""
    note(f"start {number}")
    hold(str(number))
    note(f"end {number}")
    return number


@task
def who(number: int) -> int:
    """Return the process that did the work."""
    step.fn(number)
    return os.getpid()


@flow(persist_result=True)
def inline() -> int:
    """Call six steps one after the other."""
    done = [step(number) for number in range(3)]
    note("between")
    hold("between")
    return sum(done) + sum(step(number) for number in range(3, 6))


@flow
def forgetful() -> int:
    """Call six steps that keep nothing."""
    return sum(step(number) for number in range(6))


@flow(persist_result=True)
def threads() -> int:
    """Submit six steps to threads."""
    return sum(step.map(range(6)).result())


@flow(persist_result=True, task_runner=ProcessPoolTaskRunner(max_workers=2))
def processes() -> int:
    """Map six steps over two worker processes."""
    return sum(step.map(range(6)).result())


@flow(persist_result=True)
def pids() -> list[int]:
    """Return which processes did six steps."""
    return [who(number) for number in range(6)]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
