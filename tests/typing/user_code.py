"""A user's pipeline, read by mypy and never run: decorated functions keep their types."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from caudal import flow, get_run_logger, task, unmapped
from caudal.futures import Future, FutureList
from caudal.settings import (
    CAUDAL_LOGGING_LEVEL,
    CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS,
    get_current_settings,
    temporary_settings,
)


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task(retries=2, retry_delay_seconds=[1, 10], tags={"slow"}, timeout_seconds=60)
def describe(number: int, unit: str = "l/s") -> str:
    """Return the number with its unit."""
    return f"{number} {unit}"


@task
async def fetch(address: str) -> bytes:
    """Return what is at the address."""
    return address.encode()


@flow
def measure(number: int) -> str:
    """Return a description of twice the number."""
    get_run_logger().info("measuring %s", number)
    assert_type(double(number), int)
    assert_type(double.submit(number), Future[int])
    assert_type(double.submit(number).result(), int)
    assert_type(double.map([1, 2, 3]), FutureList[int])
    assert_type(describe.map([1, 2, 3], unit=unmapped("m3/s")), FutureList[str])
    return describe(double(number))


@flow(name="all", retries=1, log_prints=True)
async def measure_all(numbers: list[int]) -> list[str]:
    """Return a description of each number."""
    assert_type(await fetch("a"), bytes)
    return [measure(number) for number in numbers]


async def main() -> None:
    """Call an async flow as any async function."""
    assert_type(await measure_all([3]), list[str])


assert_type(measure(3), str)
with temporary_settings({CAUDAL_LOGGING_LEVEL: "DEBUG", "lease_seconds": 3}):
    assert_type(CAUDAL_LOGGING_LEVEL.value(), str)
    assert_type(CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS.value(), int | None)
    assert_type(get_current_settings().home, Path)
double("three")  # type: ignore[call-overload]
