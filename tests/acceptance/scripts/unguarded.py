"""A durable flow that its file calls without looking whether it is the script."""

from __future__ import annotations

import os
import time
from pathlib import Path

from oracle import note

from caudal import flow


@flow(durable=True)
def bare() -> int:
    """Wait for the gate."""
    note("start bare")
    while os.environ.get("HOLD") and not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    note("end bare")
    return 1


bare()
