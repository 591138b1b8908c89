"""Durable flows whose tasks fail, and whose process dies between their tries; the argument says which one runs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from oracle import note

from caudal import flow, task
from caudal.engine.composition import current_engine


def times(text: str) -> int:
    """Note something, and return how often that was."""
    note(text)
    lines = Path(os.environ["ORACLE"]).read_text().splitlines()
    return sum(line.startswith(f"{text} ") for line in lines)


def die() -> None:
    """End the process as the system does when it is out of memory, once all before is on record."""
    current_engine().journal.barrier().wait()
    os.kill(os.getpid(), signal.SIGKILL)


@task(retries=1)
def hopeless() -> None:
    """Fail at odd tries and die at even ones."""
    if times("hopeless") % 2 == 0:
        die()
    raise ValueError("no")


@flow(durable=True)
def between() -> None:
    """Call a task that fails and dies in turn."""
    hopeless()


@task(retries=1)
def failing(number: int) -> None:
    """Fail."""
    note(f"failing {number}")
    raise ValueError(number)


@task
def step(deadly: int) -> None:
    """Die at first."""
    if times("step") <= deadly:
        die()


@flow(durable=True)
def handled(deadly: int = 2) -> str:
    """Get over failures, and die afterwards."""
    caught: list[int] = []
    for number in range(2):
        try:
            failing(number)
        except ValueError as error:
            caught.append(error.args[0])
    step(deadly)
    return f"caught {caught}"


@flow(durable=True, retries=1)
def stubborn() -> None:
    """Fail at odd tries and die at even ones."""
    if times("stubborn") % 2 == 0:
        die()
    raise ValueError("no")


if __name__ == "__main__":
    outcome = globals()[sys.argv[1]](*map(int, sys.argv[2:]))
    sys.stdout.write(f"{outcome}\n")
