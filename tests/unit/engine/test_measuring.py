"""Measuring: what attempts used, where the runner can tell, and no more than that is worth."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cli.inspection import inspect_task_run
from caudal.engine.live_task import BRIEF_SECONDS
from caudal.model.specs import BRIEF_RUNS
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from caudal.model.attempts import Attempt

pytestmark = pytest.mark.usefixtures("engine")

#: Processor time that a busy task takes at least.
BUSY_SECONDS = 0.1
#: Time that an idle task takes at least.
IDLE_SECONDS = 0.3


def be_busy() -> None:
    """Use the processor for a while."""
    end = time.thread_time() + BUSY_SECONDS
    while time.thread_time() < end:
        pass


@task
def busy() -> None:
    """Use the processor."""
    be_busy()


@task
def idle() -> None:
    """Wait."""
    time.sleep(IDLE_SECONDS)


@task
def greedy(size: int) -> int:
    """Hold some memory."""
    return len(bytearray(size))


def attempts(name: str) -> list[Attempt]:
    """Return the tries of the newest task run of a name."""
    return inspect_task_run(name, None).attempts


@pytest.mark.parametrize("how", ["called", "submitted", "limited"])
def test_processor_time_stands_apart_from_wall_time(how: str) -> None:
    """One that computes uses the processor, one that waits does not; in whatever thread it is."""

    @flow
    def around() -> None:
        for each in (busy, idle):
            if how == "submitted":
                each.submit().wait()
            else:
                each.with_options(timeout_seconds=60 if how == "limited" else None)()

    around()
    (computed,), (waited,) = attempts("busy-0"), attempts("idle-0")
    assert computed.cpu_seconds is not None
    assert waited.cpu_seconds is not None
    assert waited.wall_seconds is not None
    assert computed.cpu_seconds >= BUSY_SECONDS
    assert waited.cpu_seconds < computed.cpu_seconds
    assert waited.wall_seconds >= IDLE_SECONDS
    assert computed.peak_memory_bytes is None  # threads share their memory


def test_each_try_is_measured() -> None:
    """A failed one too."""
    tries: list[int] = []

    @task(retries=1)
    def again() -> None:
        be_busy()
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    again()
    measured = [attempt.cpu_seconds or 0.0 for attempt in attempts("again-0")]
    assert len(measured) == 2
    assert min(measured) >= BUSY_SECONDS


def test_worker_processes_tell_their_memory() -> None:
    """Each call its own peak, whatever the worker did before."""
    large, small = 300_000_000, 1_000

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def around() -> None:
        for size in (large, small):
            greedy.submit(size).wait()
        busy.submit().wait()

    around()
    (first,), (second,) = attempts("greedy-0"), attempts("greedy-1")
    assert first.peak_memory_bytes is not None
    assert second.peak_memory_bytes is not None
    assert first.peak_memory_bytes > large > second.peak_memory_bytes
    (computed,) = attempts("busy-0")
    assert (computed.cpu_seconds or 0.0) >= BUSY_SECONDS


def test_coroutines_on_a_loop_are_not_measured() -> None:
    """They share their thread, and nobody can tell whose time it was."""

    @task
    async def step() -> None:
        await asyncio.sleep(0)

    @flow
    async def around() -> None:
        await step()

    asyncio.run(around())
    (attempt,) = attempts("step-0")
    assert attempt.cpu_seconds is None
    assert attempt.wall_seconds is not None


def test_brief_runs_are_measured_until_it_is_clear_that_they_are() -> None:
    """After some of them nothing is measured, until one takes long."""
    seconds, runs = [0.0], 4 * BRIEF_RUNS

    @task
    def brief() -> None:
        time.sleep(seconds[0])

    @flow
    def around() -> None:
        for _ in range(runs):
            brief()
        seconds[0] = 2 * BRIEF_SECONDS
        brief()
        brief()

    around()

    def measured(number: int) -> Any:
        return attempts(f"brief-{number}")[0].cpu_seconds

    assert measured(0) is not None
    assert any(measured(number) is None for number in range(BRIEF_RUNS, runs))
    assert measured(runs + 1) is not None
