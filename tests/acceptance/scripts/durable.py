"""Durable flows of four steps; one place can be made to wait, and one can be deadly.

HOLD names the place that waits until the file GATE is there: a label and the number of a step, as in ``a2``. DEADLY names one where
the process kills itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from oracle import note

from caudal import flow, task


@dataclass(frozen=True)
class Order:
    """A parameter that JSON cannot hold."""

    day: date
    stores: frozenset[str]


@task
def step(label: str, number: int) -> int:
    """Take part in the work and return the number."""
    place = f"{label}{number}"
    note(f"start {place}")
    while os.environ.get("HOLD") == place and not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    if os.environ.get("DEADLY") == place:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("LEAVE") == place:
        sys.exit(3)
    note(f"end {place}")
    return number


@flow(durable=True)
def steps(label: str) -> int:
    """Call four steps one after the other."""
    return sum(step(label, number) for number in range(4))


@flow(durable=True)
def outer(label: str) -> int:
    """Call a durable flow."""
    note(f"outer {label}")
    return steps(label)


@flow(durable=True)
def order(given: Order) -> str:
    """Call a step and say what was given."""
    step("o", 0)
    note(f"order {given.day:%d.%m.} {sorted(given.stores)} {type(given).__name__}")
    return "done"


if __name__ == "__main__":
    if sys.argv[1] == "order":
        order(Order(date(2026, 2, 28), frozenset({"north", "harbour"})))
    elif sys.argv[1] == "outer":
        outer("a")
    else:
        steps(sys.argv[1])
