"""A flow that writes more than fits on a small disk: log lines into the ledger, or results into storage."""

from __future__ import annotations

import sys

from oracle import note

from caudal import flow, get_run_logger, task

MEGABYTE = 1_000_000


@task
def step(number: int) -> int:
    """Log a tenth of a megabyte of text."""
    get_run_logger().info("x" * (MEGABYTE // 10))
    return number


@flow
def batch(number: int) -> None:
    """Be recorded whole, because it is over before the next one begins."""
    step(number)


@flow
def ledger() -> None:
    """Write flow runs until there is no room for one."""
    for number in range(100):
        batch(number)
        note(f"durable {number}")


@task(persist_result=True)
def make(size: int) -> bytes:
    """Return a number of megabytes."""
    return bytes(size * MEGABYTE)


@flow
def storage() -> None:
    """Store a result that fits and one that does not."""
    make(1)
    note("stored 1")
    state = make(100, return_state=True)
    note(f"{state.name} {type(state.data).__name__}")
    make(1)
    note("stored 1 again")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
