"""An ordinary flow of five tasks; with HOLD set it begins when the file GATE is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from oracle import note

from caudal import flow, task


@task
def extract(number: int) -> int:
    """Return a number."""
    return number


@task
def total(numbers: list[int]) -> int:
    """Return the sum."""
    note("total")
    return sum(numbers)


@flow
def pipeline(numbers: int = 4) -> int:
    """Extract numbers and add them."""
    return total.submit(extract.map(range(numbers))).result()


if __name__ == "__main__":
    if "HOLD" in os.environ:
        note("ready")
        while not Path(os.environ["GATE"]).exists():
            time.sleep(0.01)
    assert pipeline() == 6
