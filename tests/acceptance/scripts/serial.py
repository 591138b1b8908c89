"""Flows whose work must be done once, whoever does it; the arguments are what to run and how."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from oracle import note

from caudal import flow, task
from caudal.cache_policies import INPUTS
from caudal.locking import FileSystemLockManager
from caudal.results import ResultStore
from caudal.transactions import IsolationLevel, transaction

LOCKS = FileSystemLockManager(Path("locks"))
POLICY = INPUTS.configure(
    lock_manager=LOCKS, isolation_level=IsolationLevel.SERIALIZABLE
)


def work(number: int) -> None:
    """Take a while, alone."""
    note(f"begin {number}")
    if "hang" in sys.argv:
        time.sleep(60)
    time.sleep(0.02)
    note(f"end {number}")


@task(cache_policy=POLICY)
def once(number: int) -> int:
    """Work unless somebody did."""
    work(number)
    return number


@flow
def tasks() -> None:
    """Have each number worked on once."""
    note("ready")
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    assert [once.submit(number).result() for number in range(3)] == [0, 1, 2]
    note("done")


@flow
def blocks() -> None:
    """Do the same in transactions by hand."""
    note("ready")
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
    for number in range(3):
        with transaction(
            key=f"block-{number}",
            store=ResultStore(lock_manager=LOCKS),
            isolation_level=IsolationLevel.SERIALIZABLE,
        ) as txn:
            if not txn.is_committed():
                work(number)
                txn.stage(number)
    note("done")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
