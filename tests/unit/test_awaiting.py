"""Coroutines that wait: the event loop goes on, a cancelled wait ends at once, and nobody keeps another one's place."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import apause_flow_run, flow, get_client, resume_flow_run, task
from caudal.exceptions import FlowRunTimeoutError
from caudal.flow_runs import wait_for_flow_run
from caudal.futures import DistributedFuture, FlowRunFuture
from caudal.input import receive_input, send_input
from caudal.locking import MemoryLockManager
from caudal.results import ResultStore
from caudal.runtime import flow_run
from caudal.task_runners import ThreadPoolTaskRunner
from caudal.task_worker import TaskWorker

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from uuid import UUID

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

POLL = 0.01
LONG = 20


def soon(main: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine in a loop of its own, which ends long before those it waits for do."""
    started = time.monotonic()
    asyncio.run(main)
    assert time.monotonic() - started < LONG / 2


@pytest.fixture
def open_run(record: Record) -> Any:
    """Give the test a flow run that goes on until the test ends."""
    gate, began = threading.Event(), threading.Event()

    @flow
    def goes_on() -> None:
        began.set()
        gate.wait(LONG)

    thread = threading.Thread(target=goes_on)
    thread.start()
    began.wait(LONG)
    yield record.flow("goes-on").id
    gate.set()
    thread.join()


async def given_up(waits: Coroutine[Any, Any, Any]) -> None:
    """Give up a wait soon."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waits, 0.05)


def test_a_wait_for_an_input_can_be_given_up() -> None:
    """Nothing is left that would keep the event loop from its end."""

    @flow
    async def receives() -> None:
        await given_up(receive_input(int, timeout=LONG).anext())

    soon(receives())


def test_a_flow_that_waits_for_inputs_has_its_timeout() -> None:
    """The loop over the inputs is left at the deadline."""

    @flow(timeout_seconds=0.1)
    async def receives() -> None:
        async for _ in receive_input(int, timeout=LONG):
            pass

    async def main() -> None:
        with pytest.raises(FlowRunTimeoutError):
            await receives()

    soon(main())


def test_a_wait_for_a_flow_run_can_be_given_up(open_run: UUID) -> None:
    """Likewise by name, and through its future."""
    soon(given_up(_waits(open_run)))
    soon(given_up(FlowRunFuture[None](open_run).wait_async()))
    soon(given_up(FlowRunFuture[None](open_run).aresult()))


async def _waits(flow_run_id: UUID) -> None:
    outcome: Any = wait_for_flow_run(flow_run_id)
    await outcome


def test_a_wait_in_a_coroutine_has_limits(open_run: UUID) -> None:
    """After its time the wait returns, and who wanted a result gets an error."""

    async def main() -> None:
        future = FlowRunFuture[None](open_run)
        await future.wait_async(0.05)
        assert not future.done()
        with pytest.raises(TimeoutError, match=r"within 0\.05 second"):
            await future.aresult(0.05)

    soon(main())


def test_a_delayed_call_is_awaited() -> None:
    """The coroutine goes on when the run has ended."""

    @task
    def work() -> int:
        return 5

    async def main() -> None:
        future = work.delay()
        assert isinstance(future, DistributedFuture)
        worker = TaskWorker(work)
        serving = asyncio.create_task(worker.astart())
        assert await future.result_async(LONG) == 5
        await worker.astop()
        await serving

    soon(main())


def test_many_flows_receive_in_one_loop() -> None:
    """Those that wait leave the threads of the loop's executor to those that send."""

    @flow
    async def receives() -> int:
        return await receive_input(int, timeout=LONG, poll_interval=POLL).anext()

    async def main() -> None:
        waiting = [asyncio.create_task(receives()) for _ in range(40)]
        async with get_client() as client:
            runs: list[Any] = []
            while len(runs) < len(waiting):
                await asyncio.sleep(POLL)
                runs = await client.read_flow_runs()
            for number, run in enumerate(runs):
                await send_input(number, run.id)
        assert sorted(await asyncio.gather(*waiting)) == list(range(40))

    soon(main())


def test_who_awaits_an_input_leaves_its_place_to_who_sends_it() -> None:
    """Tasks of a bounded runner that wait do not keep the others from their start."""

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def around() -> list[int]:
        @task
        async def receives(number: int) -> int:
            prefix = f"to-{number}"
            handler = receive_input(int, timeout=LONG, poll_interval=POLL, key_prefix=prefix)  # fmt: skip
            return await handler.anext()

        @task
        async def sends(number: int) -> None:
            await send_input(number, flow_run.id, key_prefix=f"to-{number}")

        received = receives.map([1, 2, 3])
        sends.map([1, 2, 3])
        return received.result()

    assert around() == [1, 2, 3]


def test_a_read_that_waits_for_a_lock_can_be_given_up() -> None:
    """It leaves no thread behind that waits on."""
    locks = MemoryLockManager()
    store = ResultStore(lock_manager=locks)
    locks.acquire_lock("k", "somebody")
    soon(given_up(store.aread("k")))
    locks.release_lock("k", "somebody")


def test_a_paused_coroutine_leaves_its_place_to_who_resumes_it() -> None:
    """A flow that a task of a bounded runner calls is paused; another task of the runner has it go on."""

    @flow
    async def approved() -> str:
        await apause_flow_run(timeout=LONG, poll_interval=POLL)
        return "approved"

    @task
    async def asks() -> str:
        return await approved()

    @task
    def approves() -> None:
        client = get_client(sync_client=True)
        while not (waiting := [run for run in client.read_flow_runs() if run.state.is_paused()]):  # fmt: skip
            time.sleep(POLL)
        resume_flow_run(waiting[0].id)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def around() -> str:
        asked = asks.submit()
        approves.submit()
        return asked.result()

    assert around() == "approved"
