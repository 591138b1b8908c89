"""Isolation level SERIALIZABLE within one process: tasks and transactions of one key take turns."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS, TASK_SOURCE
from caudal.exceptions import ConfigurationError
from caudal.locking import MemoryLockManager
from caudal.results import ResultStore
from caudal.task_runners import ThreadPoolTaskRunner
from caudal.transactions import IsolationLevel, atransaction, transaction

if TYPE_CHECKING:
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

SERIAL = IsolationLevel.SERIALIZABLE
LOCKS = MemoryLockManager()
POLICY = INPUTS.configure(lock_manager=LOCKS, isolation_level=SERIAL)


@pytest.fixture(autouse=True)
def _no_locks_stay() -> Any:
    LOCKS._held.clear()
    yield
    assert LOCKS._held == {}


class Worker:
    """Counts calls, and how many are made at a time."""

    def __init__(self) -> None:
        self.calls = self.inside = self.worst = 0

    def work(self, value: int) -> int:
        """Be inside for a moment."""
        self.calls += 1
        self.inside += 1
        self.worst = max(self.worst, self.inside)
        time.sleep(0.002)
        self.inside -= 1
        return value


@pytest.fixture
def worker() -> Worker:
    """Give the test a worker that has not worked."""
    return Worker()


@pytest.mark.parametrize("max_workers", [None, 2])
def test_submitted_tasks_of_one_key_do_their_work_once(
    worker: Worker, record: Record, max_workers: int | None
) -> None:
    """The others wait and take the result, in a bounded runner too."""

    @task(cache_policy=POLICY)
    def work(value: int) -> int:
        return worker.work(value)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=max_workers))
    def around() -> list[int]:
        return work.map([1] * 12 + [2]).result()

    assert around() == [1] * 12 + [2]
    assert worker.calls == 2
    names = sorted(each.state_name for each in record.tasks().values())
    assert names == ["Cached"] * 11 + ["Completed"] * 2


def test_without_it_they_all_work(worker: Worker) -> None:
    """What the lock is for."""
    gate = threading.Barrier(3)

    def meet(value: int) -> int:
        gate.wait(30)
        return worker.work(value)

    work = task(meet, cache_policy=INPUTS.configure(lock_manager=LOCKS))
    flow(lambda: work.map([1] * 3).wait(), name="around")()
    assert worker.calls == 3


def test_many_coroutines_of_one_key_do_their_work_once(worker: Worker) -> None:
    """Waiting coroutines do not keep the one that works from ending."""

    @task(cache_policy=POLICY)
    async def work(value: int) -> int:
        await asyncio.sleep(0.001)
        return worker.work(value)

    @flow
    async def around() -> list[int]:
        return await asyncio.gather(*(work(1) for _ in range(40)))

    assert asyncio.run(around()) == [1] * 40
    assert worker.calls == 1


def test_blocks_of_one_key_take_turns(worker: Worker) -> None:
    """The second one finds what the first one committed."""
    store = ResultStore(lock_manager=LOCKS)

    def block() -> None:
        with transaction(key="k", store=store, isolation_level=SERIAL) as txn:
            if not txn.is_committed():
                txn.stage(worker.work(1))

    threads = [threading.Thread(target=block) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worker.calls == 1
    assert store.read("k").result == 1


def test_blocks_of_coroutines_take_turns(worker: Worker) -> None:
    """So do ``async with`` blocks."""
    store = ResultStore(lock_manager=LOCKS)

    async def block() -> None:
        async with atransaction(key="k", store=store, isolation_level=SERIAL) as txn:
            if not txn.is_committed():
                await asyncio.sleep(0.001)
                txn.stage(worker.work(1))

    async def main() -> None:
        await asyncio.gather(*(block() for _ in range(6)))

    asyncio.run(main())
    assert worker.calls == 1


def test_tasks_of_one_key_in_one_transaction_do_not_wait_for_each_other(
    worker: Worker,
) -> None:
    """The lock is the outermost transaction's: the second task does not wait for a commit that comes after it."""
    work = task(worker.work, cache_policy=POLICY)

    def body() -> None:
        with transaction():
            work(1)
            with transaction():
                work(1)
            work.submit(1).wait()
            assert LOCKS._held

    flow(body, name="around")()
    assert worker.calls == 3


def test_the_lock_is_given_up_however_the_run_ends(worker: Worker) -> None:
    """Failures, rollbacks and interrupts leave no lock behind."""

    @task(cache_policy=POLICY)
    def fails(error: type[BaseException]) -> None:
        worker.calls += 1
        raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            flow(lambda error=error: fails(error), name="around")()
        assert LOCKS._held == {}
    with pytest.raises(KeyError), transaction():  # noqa: PT012 - what fails is the block
        task(worker.work, cache_policy=POLICY)(1)
        raise KeyError


def test_a_level_without_locks_is_an_error_that_says_what_to_give(
    worker: Worker,
) -> None:
    """The task is not called, the block not entered."""
    policy = INPUTS.configure(isolation_level="SERIALIZABLE")
    state = task(worker.work, cache_policy=policy)(1, return_state=True)
    with pytest.raises(ConfigurationError, match="FileSystemLockManager"):
        state.result()
    with (
        pytest.raises(ConfigurationError, match="lock_manager"),
        transaction(key="k", isolation_level=SERIAL),
    ):
        worker.work(1)
    assert worker.calls == 0


def test_a_task_takes_level_and_locks_from_the_transaction_around(
    worker: Worker,
) -> None:
    """A policy that says nothing inherits both."""
    work = task(worker.work, cache_policy=INPUTS + TASK_SOURCE)
    store = ResultStore(lock_manager=LOCKS)
    with transaction(key="k", store=store, isolation_level=SERIAL):
        work(1)
        assert len(LOCKS._held) == 2
