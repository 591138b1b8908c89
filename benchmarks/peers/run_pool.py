"""The floor: the same work on a bare thread pool and on a bare event loop, which record nothing."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import report

TASKS = report.tasks(10_000)


def pool() -> float:
    """Return the seconds that a task costs on a thread pool."""
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(int, number) for number in range(TASKS)]
        assert sum(future.result() for future in futures) == sum(range(TASKS))
    return (time.perf_counter() - started) / TASKS


async def same(number: int) -> int:
    """Return the number."""
    return number


async def loop() -> float:
    """Return the seconds that a task costs on an event loop."""
    started = time.perf_counter()
    running = [asyncio.create_task(same(number)) for number in range(TASKS)]
    assert sum(await asyncio.gather(*running)) == sum(range(TASKS))
    return (time.perf_counter() - started) / TASKS


report.show(
    version="",
    tasks=TASKS,
    task_seconds=report.median(pool),
    async_task_seconds=report.median(lambda: asyncio.run(loop())),
)
