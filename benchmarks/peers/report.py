"""What every program of this folder does around its measurement; needs the standard library alone."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def tasks(count: int) -> int:
    """Return how many tasks to run: as many as a peer can do in seconds, or what ``PEER_TASKS`` says."""
    return int(os.environ.get("PEER_TASKS", count))


def timed(function: Callable[[], Any]) -> float:
    """Return how many seconds a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def median(measure: Callable[[], float], rounds: int = 3) -> float:
    """Return the median of several measurements, after one that warms up."""
    measure()
    return statistics.median(measure() for _ in range(rounds))


def show(**figures: Any) -> None:
    """Print the figures as the last line, for the program that started this one."""
    print(json.dumps({**figures, "modules": len(sys.modules)}), flush=True)
