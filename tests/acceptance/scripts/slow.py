"""Flows that would take a minute, each slow in another place; the argument says which one runs."""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from oracle import note

from caudal import flow, task
from caudal.exceptions import CancelledRun
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable


def doze() -> None:
    """Sleep for a minute in short naps, so that a thread can be interrupted."""
    note("working")
    for _ in range(6000):
        time.sleep(0.01)
    note("finished")


@task
def nap() -> None:
    """Take a minute, and notice an interrupt in any thread."""
    doze()


@task
def sleep() -> None:
    """Take a minute in one call, which a thread cannot be woken from."""
    note("working")
    time.sleep(60)
    note("finished")


@task
async def wait() -> None:
    """Take a minute on an event loop."""
    note("working")
    await asyncio.sleep(60)
    note("finished")


@task(retries=1, retry_delay_seconds=60)
def flaky() -> None:
    """Fail, to be tried again a minute later."""
    note("working")
    raise ValueError("not yet")


@task
def after(_before: object) -> None:
    """Never start, because what it waits for never completes."""
    note("finished")


@flow
def body() -> None:
    """Be slow in the flow's own code."""
    doze()


@flow
def inline() -> None:
    """Be slow in a task that is called."""
    nap()


@flow
def threads() -> None:
    """Be slow in submitted tasks, of which one waits for another."""
    after.submit(nap.submit())
    nap.submit().result()


@flow
def deaf_threads() -> None:
    """Be slow in submitted tasks that hear no interrupt."""
    after.submit(sleep.submit())
    try:
        sleep.submit().result()
    except KeyboardInterrupt:
        note("interrupted")
        raise


@flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
def processes() -> None:
    """Be slow in worker processes; a third task waits for a free one."""
    sleep.submit()
    nap.submit()
    after.submit(nap.submit()).result()


@flow
async def coroutine() -> None:
    """Be slow in the code of an async flow."""
    note("working")
    await asyncio.sleep(60)
    note("finished")


@flow
async def async_inline() -> None:
    """Be slow in a task that an async flow awaits."""
    await wait()


@flow
async def async_submitted() -> None:
    """Be slow in tasks that an async flow submitted."""
    wait.submit()
    nap.submit()
    await wait()


@flow
def loop() -> None:
    """Be slow in submitted coroutine functions."""
    after.submit(wait.submit())
    wait.submit().result()


@flow
def retry_inline() -> None:
    """Be slow between two attempts of a task that is called."""
    flaky()


@flow
def retry_submitted() -> None:
    """Be slow between two attempts of a submitted task."""
    flaky.submit().result()


@flow(retries=1, retry_delay_seconds=60)
def retry_flow() -> None:
    """Be slow between two attempts of the flow."""
    note("working")
    raise ValueError("not yet")


@flow
def child() -> None:
    """Be slow inside another flow."""
    nap()


@flow
def parent() -> None:
    """Be slow in a nested flow."""
    child()


def _note_cancelled(_flow: object, _run: object, _state: object) -> None:
    note("cancelled")


@flow(on_cancellation=[_note_cancelled])
def hooked() -> None:
    """Be slow, and note that it was cancelled."""
    nap()


@flow
def other_thread() -> None:
    """Be slow in a thread that is not the main one."""
    nap.submit().result()


@flow
def swallowing() -> None:
    """Be slow in code that goes on after every exception."""
    try:
        doze()
    except Exception:  # noqa: BLE001
        note("finished")


@flow
def patient_parent() -> None:
    """Go on when the child is cancelled."""
    try:
        child()
    except CancelledRun:
        note("child was cancelled")


@flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
def far_parent() -> None:
    """Be slow in a flow that a task in another process calls."""
    call_child.submit().result()


@task
def call_child() -> None:
    """Call a slow flow."""
    child()


@flow
def quick() -> None:
    """Be done at once."""


def in_thread(function: Callable[[], object]) -> None:
    """Call a function in another thread and raise what it raises."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function).result()


if __name__ == "__main__":
    chosen = globals()[sys.argv[1]]
    outcome = in_thread(chosen) if chosen is other_thread else chosen()
    if asyncio.iscoroutine(outcome):
        asyncio.run(outcome)
