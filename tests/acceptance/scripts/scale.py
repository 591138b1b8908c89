"""Much of one thing, in a process of its own: ``scale.py NAME SIZE`` prints what there is to compare, as JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from caudal import flow, task

PAGE = resource.getpagesize()


def memory() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def most_memory() -> int:
    """Return the most bytes of memory that this program ever held; ``getrusage`` would count the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@task
def same(value: Any) -> Any:
    """Return the value."""
    return value


@flow
def small() -> None:
    """Load and start what every flow needs."""
    same.map(range(1000)).result()


@flow
def wide(size: int) -> int:
    """Map a task over many numbers, and keep all futures."""
    futures = same.map(range(size))
    futures.wait()
    return len(futures)


@flow
def chain(size: int) -> int:
    """Have each task take the result of the one before, while none of them may have run."""
    future = add.submit(0)
    for _ in range(size - 1):
        future = add.submit(future)
    return future.result()


@task
def add(number: int) -> int:
    """Return the next number."""
    return number + 1


@task
def look(frame: Any) -> int:
    """Return how many items there are, without a look at them."""
    return len(frame)


@flow
def frame(size: int) -> list[int]:
    """Hand over an array that takes memory for each page that somebody reads or writes."""
    array = np.zeros(size, dtype=np.uint8)
    held = memory()
    lengths = [look(array), look.submit(array).result(), look.submit([array]).result()]
    return [*lengths, memory() - held]


class Meeting:
    """Lets everybody go once all are there."""

    def __init__(self, size: int) -> None:
        self.missing, self.all_there = size, asyncio.Event()

    async def attend(self) -> None:
        """Wait for all others."""
        self.missing -= 1
        if self.missing == 0:
            self.all_there.set()
        await self.all_there.wait()


@task
async def attend(meeting: list[Meeting]) -> int:
    """Take part in a meeting."""
    await meeting[0].attend()
    return 1


@flow
async def together(size: int) -> int:
    """Await tasks that wait for each other."""
    meeting = [Meeting(size)]
    return sum(await asyncio.gather(*[attend(meeting) for _ in range(size)]))


@flow
def deep(size: int) -> int:
    """Call a flow in a flow in a flow."""
    return 1 if size == 1 else 1 + deep(size - 1)


@flow
def broad(size: int) -> int:
    """Call flows one after the other."""
    return sum(deep(1) for _ in range(size))


burnt: list[float] = []


@task
def burn(seconds: float) -> None:
    """Use up processor time in plain Python."""
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        sum(range(100))
    burnt.append(time.thread_time() - started)


@flow
def busy(size: int) -> float:
    """Return the processor time that caudal adds to each task that uses much of it, in the thread that calls them."""
    before = time.thread_time()
    for _ in range(size):
        burn(0.3)
    return (time.thread_time() - before - sum(burnt)) / size


if __name__ == "__main__":
    name, size = sys.argv[1], int(sys.argv[2])
    small()
    held = memory()
    outcome = globals()[name](size)
    if asyncio.iscoroutine(outcome):
        outcome = asyncio.run(outcome)
    json.dump(
        {
            "outcome": outcome,
            "memory": most_memory() - held,
            "threads": threading.active_count(),
        },
        sys.stdout,
    )
