"""Delays calls of a task, or serves it: ``served.py delay NUMBERS``, ``served.py serve``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from oracle import note

from caudal import task
from caudal.task_worker import serve


@task
def square(number: int) -> int:
    """Return the square of a number; 0 waits until the gate file is there, and -1 kills the process."""
    note(f"start {number}")
    if number == -1:
        os.kill(os.getpid(), 9)
    while number == 0 and not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    note(f"end {number}")
    return number * number


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(square, limit=2)
    else:
        futures = [square.delay(int(text)) for text in sys.argv[2:]]
        print(" ".join(str(future.task_run_id) for future in futures))  # noqa: T201
