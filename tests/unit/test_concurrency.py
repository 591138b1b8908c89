"""Named limits in code: slots are held within a block, or used up by a rate limit, and come free again."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)
from caudal.concurrency import asyncio as in_coroutines
from caudal.concurrency.sync import concurrency, rate_limit
from caudal.exceptions import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
    ConcurrencySlotsLostError,
)
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from caudal.client import SyncClient
    from tests.conftest import Record


@pytest.fixture
def client(record: Record) -> SyncClient:
    """Give the test a client, and the limits `db` with 2 slots and `api` with 2 that come back."""
    client = record.client
    for name, decay in (("db", 0.0), ("api", 20.0)):
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name, 2, slot_decay_per_second=decay)
        )
    return client


def in_use(client: SyncClient, name: str = "db") -> int:
    """Return how many slots of a limit are in use."""
    return client.read_global_concurrency_limit_by_name(name).active_slots


def assert_all_free(client: SyncClient) -> None:
    """Check that all slots of `db` can be had; what was given up in the middle of a look comes free a moment later."""
    with concurrency("db", occupy=2, timeout_seconds=30):
        assert in_use(client) == 2


class Crowd:
    """Counts who is in a limited section."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.most = self.total = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.total += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def test_slots_are_held_within_the_block(client: SyncClient) -> None:
    """They come free at its end, also when it raises."""
    with concurrency("db", occupy=2):
        assert in_use(client) == 2
    assert in_use(client) == 0
    with pytest.raises(ZeroDivisionError), concurrency("db"):
        raise ZeroDivisionError
    assert in_use(client) == 0


def test_no_more_than_there_are_slots_run_at_a_time(client: SyncClient) -> None:
    """Threads that find none wait, and each gets its turn."""
    crowd = Crowd()

    def work(_: int) -> None:
        with concurrency("db"), crowd:
            pass

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(40)))

    assert crowd.total == 40
    assert crowd.most <= 2
    assert in_use(client) == 0


@pytest.mark.usefixtures("client")
def test_no_more_coroutines_than_slots_are_within_the_block() -> None:
    """A hundred of them wait on one loop."""
    crowd = Crowd()

    async def work() -> None:
        async with in_coroutines.concurrency("db"):
            with crowd:
                await asyncio.sleep(0)

    async def everything() -> None:
        await asyncio.gather(*(work() for _ in range(100)))

    asyncio.run(everything())

    assert (crowd.total, crowd.most <= 2) == (100, True)


def test_slots_of_several_limits_are_held_together(client: SyncClient) -> None:
    """All of them are acquired, and all are released."""
    with concurrency(["db", "api"]):
        assert (in_use(client, "db"), in_use(client, "api")) == (1, 1)
    assert (in_use(client, "db"), in_use(client, "api")) == (0, 0)


@pytest.mark.usefixtures("client")
def test_no_limits_are_no_limit() -> None:
    """An empty list of names is fine."""
    with concurrency([], strict=True):
        rate_limit([], strict=True)


def test_a_wait_ends_with_its_timeout(client: SyncClient) -> None:
    """The error is a TimeoutError that names the limit and who holds it; nothing stays behind."""
    with concurrency("db", occupy=2, holder="the report"):
        with (
            pytest.raises(AcquireConcurrencySlotTimeoutError) as caught,
            concurrency("db", timeout_seconds=0.01),
        ):
            pytest.fail("there is no slot")
        with (
            pytest.raises(TimeoutError),
            concurrency("db", timeout_seconds=0),
        ):
            pytest.fail("there is no slot")
    assert str(caught.value) == (
        "no slots of 'db' came free within 0.01 second(s). 2 of the 2 slots of concurrency limit 'db' are held by the report."
    )
    assert_all_free(client)


def test_a_coroutine_s_wait_ends_with_its_timeout(client: SyncClient) -> None:
    """The loop goes on meanwhile, and nothing stays behind."""

    async def work() -> None:
        async with in_coroutines.concurrency("db", occupy=2):
            with pytest.raises(AcquireConcurrencySlotTimeoutError):
                async with in_coroutines.concurrency("db", timeout_seconds=0.01):
                    pytest.fail("there is no slot")

    asyncio.run(work())
    assert_all_free(client)


@pytest.mark.usefixtures("client")
def test_plain_blocks_of_one_event_loop_do_not_wait_for_each_other_for_ever() -> None:
    """Who would block the loop that has to release the slots is told what to use instead."""

    async def holds_plainly(inside: asyncio.Event, leave: asyncio.Event) -> None:
        with concurrency("db", occupy=2):
            inside.set()
            await leave.wait()

    async def holds(inside: asyncio.Event, leave: asyncio.Event) -> None:
        async with in_coroutines.concurrency("db", occupy=2):
            inside.set()
            await leave.wait()

    async def main() -> None:
        for first in (holds, holds_plainly):
            inside, leave = asyncio.Event(), asyncio.Event()
            other = asyncio.create_task(first(inside, leave))
            await inside.wait()
            with pytest.raises(ConcurrencySlotAcquisitionError, match=r"concurrency\.asyncio"):  # fmt: skip
                await holds_plainly(inside, leave)
            leave.set()
            await other
            await holds_plainly(inside, leave)

    asyncio.run(main())


def test_a_cancelled_coroutine_holds_nothing(client: SyncClient) -> None:
    """Neither one that waits nor one that is in the block."""

    async def hold(entered: asyncio.Event) -> None:
        async with in_coroutines.concurrency("db", occupy=2):
            entered.set()
            await asyncio.Event().wait()

    async def everything() -> None:
        entered = asyncio.Event()
        holds = asyncio.create_task(hold(entered))
        await entered.wait()
        waits = asyncio.create_task(hold(asyncio.Event()))
        await asyncio.sleep(0.05)
        for each in (waits, holds):
            each.cancel()
            with pytest.raises(asyncio.CancelledError):
                await each

    asyncio.run(everything())
    assert_all_free(client)


def test_tries_may_be_counted(client: SyncClient) -> None:
    """Without a retry the first refusal is the last."""
    with concurrency("db", occupy=2):
        for retries in (0, 2):
            with (
                pytest.raises(
                    ConcurrencySlotAcquisitionError, match=f"{retries} further tries"
                ),
                concurrency("db", max_retries=retries),
            ):
                pytest.fail("there is no slot")
    assert in_use(client) == 0


@pytest.mark.usefixtures("client")
def test_more_slots_than_there_are_cannot_be_had() -> None:
    """Nobody waits for what never comes."""
    with (
        pytest.raises(ConcurrencySlotAcquisitionError, match="3 of 'db' are wanted"),
        concurrency("db", occupy=3),
    ):
        pytest.fail("there are two")
    with pytest.raises(ConcurrencySlotAcquisitionError, match="3 of 'api'"):
        rate_limit("api", occupy=3)
    with pytest.raises(ValueError, match="at least one slot"), concurrency("db", 0):
        pytest.fail("no slots are no limit")


def test_a_limit_that_is_not_defined_limits_nothing(
    client: SyncClient, record: Record
) -> None:
    """A warning says so; strict code fails instead, and holds nothing of the others."""

    @flow
    def loose() -> int:
        with concurrency(["db", "nowhere"]):
            return in_use(client)

    assert loose() == 1
    assert any("no concurrency limit 'nowhere'" in line for line in record.logs())
    with (
        pytest.raises(ConcurrencySlotAcquisitionError, match="'nowhere'"),
        concurrency(["db", "nowhere"], strict=True),
    ):
        pytest.fail("it is not defined")
    with concurrency("db", occupy=2, timeout_seconds=30):
        pass


def test_slots_that_were_taken_away_are_missed(
    client: SyncClient, record: Record
) -> None:
    """At the end of the block a warning says so, or an error where the code insists."""

    @flow
    def loose() -> None:
        with concurrency("db"):
            client.reset_global_concurrency_limit_by_name("db")

    loose()
    assert any("were taken away" in line for line in record.logs())
    with (
        pytest.raises(ConcurrencySlotsLostError, match="'db'"),
        concurrency("db", strict=True),
    ):
        client.reset_global_concurrency_limit_by_name("db")
    with concurrency("db", strict=True, raise_on_lease_renewal_failure=False):
        client.reset_global_concurrency_limit_by_name("db")


def test_a_rate_limit_waits_for_slots_to_come_back(client: SyncClient) -> None:
    """All calls get through, and each used up a slot."""
    for _ in range(6):
        rate_limit("api")

    async def in_a_loop() -> None:
        await in_coroutines.rate_limit("api")

    asyncio.run(in_a_loop())
    (limit,) = [
        limit
        for limit in client._engine.ledger.limits.all()  # pyright: ignore[reportPrivateUsage]
        if limit.name == "api"
    ]
    assert limit.used > 1
    assert not client.read_global_concurrency_limit_by_name("api").holders


@pytest.mark.usefixtures("client")
def test_a_limit_without_decay_is_no_rate_limit() -> None:
    """The slots would never come back."""
    with pytest.raises(ConcurrencySlotAcquisitionError, match="no rate limit"):
        rate_limit("db")


def test_the_run_in_charge_holds_the_slots(client: SyncClient) -> None:
    """A flow's code, a task's, or the process outside of runs."""
    holders: list[Any] = []

    def note() -> None:
        with concurrency("db"):
            found = client.read_global_concurrency_limit_by_name("db").holders
            holders.append(found[0])

    note()
    task(note, name="load")()
    flow(note, name="ingest")()

    outside, by_task, by_flow = holders
    assert (outside.label.split()[0], outside.run_id) == ("process", None)
    assert by_task.label == "task run 'load-0'"
    assert by_task.run_id == client.read_task_runs()[0].id
    run = client.read_flow_runs()[0]
    assert (by_flow.label, by_flow.run_id) == (f"flow run {run.name!r}", run.id)


@pytest.mark.usefixtures("client")
def test_tasks_that_wait_in_a_bounded_runner_do_not_block_it() -> None:
    """The one that holds the slots gets a place to go on."""
    inside = threading.Event()

    @task
    def hold() -> None:
        with concurrency("db", occupy=2):
            inside.set()
            finish.submit().result()

    @task
    def wait() -> None:
        inside.wait()
        with concurrency("db"):
            pass

    @task
    def finish() -> None:
        pass

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def crowded() -> None:
        hold.submit()
        for _ in range(4):
            wait.submit()

    crowded()


@task
def hold_one(number: int) -> int:
    """Hold a slot for a moment."""
    with concurrency("db", strict=True):
        return number


@pytest.mark.usefixtures("client")
def test_coroutines_that_wait_in_a_bounded_runner_do_not_block_it() -> None:
    """Who holds the slots may need a place of the runner for a task of its own."""
    inside, go_on = threading.Event(), threading.Event()

    @task
    def part() -> int:
        return 1

    @task
    def holds() -> int:
        with concurrency("db", occupy=2):
            inside.set()
            go_on.wait(30)
            return part.submit().result()

    @task
    async def waits() -> int:
        async with in_coroutines.concurrency("db", occupy=2, timeout_seconds=30):
            return 2

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def around() -> list[int]:
        first = holds.submit()
        inside.wait(30)
        others = [waits.submit() for _ in range(3)]
        go_on.set()
        return [future.result() for future in (first, *others)]

    assert around() == [1, 2, 2, 2]


@pytest.mark.usefixtures("client")
def test_worker_processes_count_too() -> None:
    """Code in them takes slots of the same limits."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
    def spread() -> list[int]:
        return hold_one.map(range(6)).result()

    assert spread() == list(range(6))


def test_a_disabled_limit_limits_nothing(client: SyncClient) -> None:
    """And counts again once it is enabled."""
    off = GlobalConcurrencyLimitUpdate(active=False)
    client.update_global_concurrency_limit("db", off)
    with concurrency("db", occupy=5, strict=True):
        assert in_use(client) == 0
    on = GlobalConcurrencyLimitUpdate(active=True)
    client.update_global_concurrency_limit("db", on)
    with concurrency("db", occupy=2, strict=True):
        assert in_use(client) == 2
