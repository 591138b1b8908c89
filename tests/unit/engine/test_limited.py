"""Limits on tags: so many task runs with a tag run at a time, and the others say what they wait for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from caudal import flow, tags, task
from caudal.ledger.granting import decode_slots_change
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from caudal.client import SyncClient
    from caudal.engine.engine import Engine
    from tests.conftest import Record

PATIENCE = 30
_HOLDS = "The only slot of concurrency limit 'tag:db' is held by task run 'hold-0'"


@pytest.fixture
def client(record: Record) -> SyncClient:
    """Give the test a client, and one slot for task runs with the tag `db`."""
    record.client.create_concurrency_limit("db", 1)
    return record.client


class Gate:
    """Code stands in it until the test opens it."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._now = self.most = 0

    def stand(self) -> None:
        """Wait until it is open."""
        self.entered.set()
        assert self.opened.wait(PATIENCE)

    def pass_through(self) -> None:
        """Count who is in it."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        with self._lock:
            self._now -= 1


@pytest.mark.usefixtures("client")
def test_so_many_run_at_a_time_as_there_are_slots(record: Record) -> None:
    """The rest of a map waits for its turn, and all get it."""
    gate = Gate()

    @task(tags=["db"])
    def work() -> None:
        gate.pass_through()

    @flow
    def wide() -> None:
        for _ in range(50):
            work.submit()

    wide()
    assert gate.most == 1
    assert {run.state_name for run in record.tasks().values()} == {"Completed"}


def test_a_waiting_run_says_what_it_waits_for(
    client: SyncClient, record: Record
) -> None:
    """Its state names the limit and who holds it, on record while it waits."""
    gate = Gate()

    @task(tags=["db"])
    def hold() -> None:
        gate.stand()

    @task
    def look() -> str | None:
        gate.entered.wait(PATIENCE)
        future = wait.submit()
        while future.state.name != "AwaitingConcurrencySlot":
            pass
        found = client.read_task_runs(state_names=("AwaitingConcurrencySlot",))
        while not found:
            found = client.read_task_runs(state_names=("AwaitingConcurrencySlot",))
        (holder,) = client.read_concurrency_limit_by_tag("db").active_slots
        assert holder == client.read_task_runs(task_name="hold")[0].id
        gate.opened.set()
        return found[0].state.message

    @task(tags=["db"])
    def wait() -> None:
        pass

    @flow
    def crowded() -> str | None:
        hold.submit()
        return look()

    message = crowded()
    assert message is not None
    assert message.startswith(f"{_HOLDS} of flow run")
    expected = ["Pending", "AwaitingConcurrencySlot", "Running", "Completed"]
    assert expected == record.states(record.task("wait"))


@pytest.mark.usefixtures("client")
def test_waiting_runs_hold_no_place_of_their_runner() -> None:
    """A runner with one worker goes on with runs that wait for no slot."""
    gate = Gate()
    engine_threads: list[int] = []

    @task(tags=["db"])
    def hold() -> None:
        gate.stand()

    @task(tags=["db"])
    def wait() -> None:
        pass

    @task
    def free() -> None:
        engine_threads.append(threading.active_count())
        gate.opened.set()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def crowded() -> None:
        hold.submit()
        gate.entered.wait(PATIENCE)
        for _ in range(300):
            wait.submit()
        free.submit()

    before = threading.active_count()
    crowded()
    assert engine_threads[0] - before < 50


@pytest.mark.usefixtures("client")
def test_coroutines_wait_on_the_loop() -> None:
    """Submitted ones, and those that a coroutine flow awaits."""
    inside = [0, 0]

    @task(tags=["db"])
    async def work() -> None:
        inside[0] += 1
        inside[1] = max(inside)
        await asyncio.sleep(0)
        inside[0] -= 1

    @flow
    async def many() -> None:
        await asyncio.gather(*(work() for _ in range(20)))
        for future in [work.submit() for _ in range(20)]:
            await asyncio.to_thread(future.result)

    asyncio.run(many())
    assert inside == [0, 1]


@task(tags=["db"])
def in_a_process(number: int) -> int:
    """Return the number."""
    return number


@pytest.mark.usefixtures("client")
def test_worker_processes_are_limited_too(record: Record) -> None:
    """The slot is held by the run, wherever its code is."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
    def spread() -> list[int]:
        return in_a_process.map(range(4)).result()

    assert spread() == [0, 1, 2, 3]
    assert len(holders_so_far(record)) == 4


def test_a_failed_attempt_gives_its_slot_back(client: SyncClient) -> None:
    """Another run may have it before the retry."""
    held: list[int] = []

    @task(tags=["db"], retries=1)
    def fail() -> None:
        held.append(len(client.read_concurrency_limit_by_tag("db").active_slots))
        raise ValueError

    @flow
    def failing() -> None:
        fail()

    with pytest.raises(ValueError):  # noqa: PT011 - the task's own
        failing()
    assert held == [1, 1]
    assert not engine_holders(client)


def engine_holders(client: SyncClient) -> list[str]:
    """Return who holds slots, once everything that was given up is released."""
    slots = client._engine.slots  # pyright: ignore[reportPrivateUsage]
    ticket = slots.ticket(["tag:db"], holder="the test")
    slots.ask(ticket)
    found = client.read_global_concurrency_limit_by_name("tag:db").holders
    slots.release(ticket)
    return [holder.label for holder in found if holder.label != "the test"]


def test_a_kept_result_needs_no_slot(client: SyncClient) -> None:
    """The function is not called, so nothing is limited."""

    @task(tags=["db"], cache_key_fn=lambda *_: "key")
    def work() -> int:
        return 1

    work()
    client.create_concurrency_limit("db", 0)
    assert work() == 1


def test_without_slots_all_wait_until_there_are_some(client: SyncClient) -> None:
    """A limit of 0 holds runs back; raising it lets them go."""
    client.create_concurrency_limit("db", 0)

    @task(tags=["db"])
    def work() -> int:
        return 1

    @flow
    def held_back() -> int:
        future = work.submit()
        while future.state.name != "AwaitingConcurrencySlot":
            pass
        assert future.state.message == "Concurrency limit 'tag:db' has no slots."
        client.create_concurrency_limit("db", 1)
        return future.result()

    assert held_back() == 1


@pytest.mark.usefixtures("client")
def test_a_stopped_flow_run_s_tasks_wait_no_more(record: Record) -> None:
    """They are cancelled without having started."""
    gate = Gate()

    @task(tags=["db"])
    def hold() -> None:
        gate.stand()

    @task(tags=["db"])
    def wait() -> None:
        pytest.fail("it was not to start")

    @flow
    def failing() -> None:
        hold.submit()
        gate.entered.wait(PATIENCE)
        futures = [wait.submit() for _ in range(3)]
        while any(each.state.name != "AwaitingConcurrencySlot" for each in futures):
            pass
        for each in futures:
            each.add_done_callback(lambda _: gate.opened.set())
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the flow's own
        failing()
    states = {run.name: run.state_name for run in record.tasks().values()}
    assert states.pop("hold-0") == "Completed"
    assert set(states.values()) == {"Cancelled"}


@pytest.mark.usefixtures("client")
def test_tags_of_the_flow_and_of_the_context_count(record: Record) -> None:
    """Whatever put the tag on the run."""

    @task
    def work() -> None:
        pass

    @flow
    def tagged() -> None:
        work()

    with tags("db"):
        tagged()
    assert holders_so_far(record) == ["task run 'work-0'"]


def holders_so_far(record: Record) -> list[str]:
    """Return whoever held slots, without their flow runs."""
    events = record.client._engine.ledger.events()  # pyright: ignore[reportPrivateUsage]
    changes = [decode_slots_change(each.payload) for each in events if each.kind == "slots"]  # fmt: skip
    return [each.label.partition(" of ")[0] for each in changes if each.names]


def test_tasks_without_tags_ask_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those with tags, more than once a second, where no tag is limited."""
    reads: list[int] = []
    limits = engine.ledger.limits
    read = limits.all
    monkeypatch.setattr(limits, "all", lambda: reads.append(1) or read())

    @task
    def plain() -> None:
        pass

    plain()
    assert engine._slots is None  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr("caudal.engine.slots.TAGS_KNOWN_SECONDS", 3600)
    tagged = plain.with_options(tags=["db"])
    for _ in range(100):
        tagged()
    assert reads == [1]
