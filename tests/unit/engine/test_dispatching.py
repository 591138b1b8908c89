"""Submitted tasks: how many execute at a time, that nothing deadlocks, and that large numbers are fine."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.futures import as_completed, wait
from caudal.task_runners import ThreadPoolTaskRunner

if TYPE_CHECKING:
    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task
async def adouble(number: int) -> int:
    """Return twice the number, later."""
    await asyncio.sleep(0.001)
    return 2 * number


class Meter:
    """Counts how many are inside at the same time."""

    def __init__(self) -> None:
        self.most = self._inside = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


@pytest.mark.parametrize("limit", [1, 3])
def test_a_runner_bounds_the_tasks_that_execute(limit: int) -> None:
    """Never more than `max_workers` at a time, and as many as that."""
    meter = Meter()

    @task
    def work(_: int) -> None:
        with meter:
            time.sleep(0.005)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=limit))
    def around() -> None:
        work.map(range(20)).result()

    around()
    assert meter.most == limit


@pytest.mark.parametrize("limit", [1, 2, None])
def test_tasks_that_submit_and_wait_do_not_deadlock(limit: int | None) -> None:
    """A run that waits for others gives its place away."""

    @task
    def depth(levels: int) -> int:
        return 0 if not levels else 1 + depth.submit(levels - 1).result()

    @task
    def fan(levels: int) -> int:
        if not levels:
            return 1
        futures = fan.map([levels - 1] * 3)
        wait(futures)
        return sum(future.result() for future in as_completed(futures))

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=limit))
    def around() -> tuple[int, int]:
        return depth.submit(30).result(), fan.submit(4).result()

    assert around() == (30, 81)


def test_a_place_that_was_given_away_is_taken_again() -> None:
    """After a wait, a run does not execute beside the one that took its place."""
    meter = Meter()

    @task
    def leaf() -> None:
        with meter:
            time.sleep(0.002)

    @task
    def node() -> None:
        leaf.submit().result()
        with meter:
            time.sleep(0.002)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def around() -> None:
        for future in [node.submit() for _ in range(10)]:
            future.result()

    around()
    assert meter.most == 1


def test_tasks_with_a_timeout_may_submit_and_wait() -> None:
    """The thread that a timeout needs does not hide the wait."""

    @task(timeout_seconds=30)
    def node(number: int) -> int:
        return sum(double.map([number] * 3).result())

    assert flow(lambda: node.map(range(12)).result(), name="around")() == [
        6 * number for number in range(12)
    ]


@pytest.mark.parametrize("parties", [8, 40])
def test_tasks_that_wait_for_each_other_in_user_code_all_start(parties: int) -> None:
    """Without a limit, a task that blocks (a query, a barrier) does not keep others from starting."""
    meeting = threading.Barrier(parties)

    @task
    def meet(_: int) -> None:
        meeting.wait(20)

    flow(lambda: meet.map(range(parties)).result(), name="around")()


def test_sync_and_async_tasks_wait_for_each_other() -> None:
    """Futures of either kind are inputs of either kind."""

    @task
    async def asum(numbers: list[int]) -> int:
        await asyncio.sleep(0)
        return sum(numbers)

    def body() -> int:
        first = adouble.map(double.map(range(10)))
        return double.submit(asum.submit(list(first))).result()

    assert flow(body, name="around")() == 2 * 4 * 45


@pytest.mark.parametrize("limit", [1, 2, 3, None])
@pytest.mark.parametrize("levels", [1, 3])
def test_coroutines_that_block_for_others_do_not_deadlock(
    limit: int | None, levels: int
) -> None:
    """What they wait for gets the place, not a coroutine with which the blocked loop cannot go on."""

    @task
    async def depth(number: int, levels: int) -> int:
        await asyncio.sleep(0)
        below = depth.submit(number, levels - 1) if levels > 1 else double.submit(number)  # fmt: skip
        return below.result()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=limit))
    def around() -> list[int]:
        blocking = [depth.submit(number, levels) for number in range(4)]
        return [future.result() for future in [*blocking, *adouble.map(range(4))]]

    assert around() == [0, 2, 4, 6, 0, 2, 4, 6]


def test_an_async_task_may_submit_and_wait() -> None:
    """A coroutine function that submits another one and asks for its result does not hang."""

    @task
    async def anode(levels: int) -> int:
        if not levels:
            return 1
        return double.submit(anode.submit(levels - 1).result(timeout=20)).result()

    assert flow(lambda: anode.submit(5).result(), name="around")() == 32


def test_async_tasks_share_one_thread() -> None:
    """A hundred coroutines that sleep need no hundred threads."""
    threads: set[int] = set()

    @task
    async def nap(_: int) -> None:
        threads.add(threading.get_ident())
        await asyncio.sleep(0.01)

    flow(lambda: nap.map(range(100)).result(), name="around")()
    assert len(threads) == 1


def test_a_retry_that_waits_holds_no_place() -> None:
    """While one run waits for its next attempt, another one executes."""
    order: list[str] = []

    @task(retries=1, retry_delay_seconds=0.05)
    def first() -> None:
        order.append("first")
        if len(order) == 1:
            raise ValueError

    @task
    def second() -> None:
        order.append("second")

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def around() -> None:
        wait([first.submit(), second.submit()])

    around()
    assert order == ["first", "second", "first"]


def test_a_map_of_ten_thousand(record: Record) -> None:
    """Every run has its result, its row and its place."""
    assert flow(lambda: double.map(range(10_000)).result(), name="around")() == [
        *range(0, 20_000, 2)
    ]
    run = record.flow()
    assert (run.task_count, run.task_completed) == (10_000, 10_000)
    keys = {each.dynamic_key for each in record.tasks().values()}
    assert keys == {f"double-{place}" for place in range(10_000)}


def test_a_chain_of_ten_thousand(record: Record) -> None:
    """Each task takes the one before; the depth is no recursion."""

    @task
    def after(number: int) -> int:
        return number + 1

    def body() -> int:
        future: Any = 0
        for _ in range(10_000):
            future = after.submit(future)
        return future.result()

    assert flow(body, name="around")() == 10_000
    assert record.flow().task_completed == 10_000


def test_a_chain_on_a_bounded_runner_that_fails_at_its_start(record: Record) -> None:
    """What cannot start is closed, a thousand deep, and the flow ends."""

    @task
    def bad() -> int:
        raise ValueError

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def around() -> None:
        future: Any = bad.submit()
        for _ in range(1000):
            future = double.submit(future)

    around()
    names = {run.state_name for run in record.tasks().values()}
    assert names == {"Failed", "NotReady"}


def test_a_diamond_starts_when_all_its_inputs_are_there() -> None:
    """A task with several inputs starts once, after the last of them."""
    calls: list[int] = []

    @task
    def join(*numbers: int) -> int:
        calls.append(1)
        return sum(numbers)

    def body() -> int:
        root = adouble.submit(1)
        sides = [double.submit(root), adouble.submit(root), double.submit(root)]
        return join.submit(root, *sides, wait_for=[root]).result()

    assert flow(body, name="around")() == 2 + 4 * 3
    assert calls == [1]


def test_threads_end_with_the_engine(engine: Engine) -> None:
    """Pool, timers, loop and journal leave no thread behind."""
    flow(lambda: (double.map(range(50)).result(), adouble.submit(1).result()), name="around")()  # fmt: skip
    ours = [each for each in threading.enumerate() if each.name.startswith("caudal-")]
    assert ours
    engine.close()
    for thread in ours:
        thread.join(10)
    left = [each.name for each in threading.enumerate() if each.name.startswith("caudal-")]  # fmt: skip
    assert left == []


def test_a_closed_engine_can_be_closed_again(engine: Engine) -> None:
    """A second close does nothing."""
    double(1)
    engine.close()
    engine.close()
