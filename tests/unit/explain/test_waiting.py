"""Explanations name what a run waits for, and who has that."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_client, task
from caudal.clock import timestamp
from caudal.concurrency.asyncio import concurrency as aconcurrency
from caudal.concurrency.sync import concurrency, rate_limit
from caudal.engine.liveness import own_lease
from caudal.explain import explain_flow_run
from caudal.model.limits import LimitChange
from caudal.task_runners import ProcessPoolTaskRunner
from tests.unit.explain.telling import lines, of_flow, of_task, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def fetch(number: int) -> int:
    """Fail for odd numbers."""
    if number % 2:
        msg = f"store {number} is away"
        raise ConnectionError(msg)
    return number


@task
def clean(number: int) -> int:
    """Return the number."""
    return number


def state(record: Record, name: str, flow_name: str | None = None) -> str | None:
    """Return the state of a task run of the newest flow run, None when it is not on record yet."""
    run = record.tasks(flow_name).get(name)
    return None if run is None else run.state_name


def waits(record: Record, name: str, flow_name: str | None = None) -> bool:
    """Say whether a task run of the newest flow run waits for slots."""
    run = record.tasks(flow_name).get(name)
    return run is not None and bool(run.details.get("waits_for"))


def test_waiting_runs_say_what_for(record: Record) -> None:
    """A run that runs, one that waits for it, and one that waits for a place."""
    started, go_on = threading.Event(), threading.Event()
    seen: dict[str, Any] = {}

    @task
    def hold() -> int:
        started.set()
        go_on.wait(30)
        return 1

    @flow(name="around")
    def around() -> None:
        held = hold.submit()
        after = clean.submit(held)
        started.wait(30)
        try:
            until(lambda: "clean-0" in record.tasks())
            until(lambda: state(record, "hold-0") == "Running")
            seen["flow"] = of_flow(record)
            seen["after"] = of_task(record, "clean-0")
        finally:
            go_on.set()
        after.wait()

    around()
    texts = lines(seen["flow"].reasons)
    assert texts[0].startswith(f"{record.flow().name} has been Running for ")
    assert "works on it" in texts[0]
    assert texts[1].startswith("1 of hold running, the oldest for ")
    assert texts[2] == "clean-0 waits for the results of hold-0"
    assert lines(seen["after"].reasons)[1].startswith(" hold-0 has run for ")


def test_a_chain_of_waiting_runs_is_followed_to_its_end(record: Record) -> None:
    """A run that waits for one that waits does not wait for a free place."""
    go_on = threading.Event()
    seen: list[str] = []

    @task
    def hold() -> int:
        go_on.wait(30)
        return 1

    @flow(name="around")
    def around() -> None:
        last = clean.submit(clean.submit(hold.submit()))
        try:
            until(lambda: "clean-1" in record.tasks())
            until(lambda: state(record, "hold-0") == "Running")
            seen.extend(lines(of_task(record, "clean-1").reasons))
        finally:
            go_on.set()
        last.wait()

    around()
    assert seen[:2] == [
        "clean-1 waits for the results of clean-0",
        " clean-0 waits for the results of hold-0",
    ]
    assert seen[2].startswith("  hold-0 has run for")


def test_runs_that_wait_for_the_same_are_told_once_and_others_apart(
    record: Record,
) -> None:
    """One task, two reasons."""
    go_on = threading.Event()
    seen: list[str] = []

    @task
    def hold() -> int:
        go_on.wait(30)
        return 1

    slow_retry = fetch.with_options(retries=1, retry_delay_seconds=30)

    @flow(name="around")
    def around() -> None:
        held = hold.submit()
        clean.map([held, held])
        retried = slow_retry.submit(1)
        clean.submit(retried)
        try:
            until(lambda: "clean-2" in record.tasks())
            until(lambda: state(record, "hold-0") == "Running")
            until(lambda: state(record, "fetch-0") == "AwaitingRetry")
            seen.extend(lines(of_flow(record).reasons))
        finally:
            go_on.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        around()
    assert "clean-0 waits for the results of hold-0; 1 more of clean wait likewise" in seen  # fmt: skip
    assert "clean-2 waits for the results of fetch-0" in seen


def test_a_retry_says_how_long_it_takes_until_then(record: Record) -> None:
    """What is left when it is asked, for tasks and for flows, and after which error."""
    seen: list[list[str]] = []

    def look() -> None:
        until(lambda: bool(record.client.read_flow_runs(flow_name="retried")))
        until(lambda: record.flow("retried").state_name == "AwaitingRetry")
        seen.append(lines(of_flow(record, "retried").reasons))

    failing = fetch.with_options(retries=3, retry_delay_seconds=[0, 40])

    @flow(name="around")
    def around() -> None:
        failing.submit(1)
        until(lambda: state(record, "fetch-0", "around") == "AwaitingRetry")
        seen.append(lines(of_task(record, "fetch-0", "around").reasons))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        around()
    (text,) = seen.pop()
    assert re.match(r"fetch-0 is AwaitingRetry, and is tried again in [1234]\d\.\ds ", text)  # fmt: skip
    assert text.endswith("s (retry 2 of 3): Task run encountered an exception ConnectionError: store 1 is away")  # fmt: skip

    @flow(name="retried", retries=1, retry_delay_seconds=1)
    def retried() -> None:
        raise ValueError("not yet")

    looking = threading.Thread(target=look)
    looking.start()
    retried(return_state=True)
    looking.join()
    ((text, *_),) = seen
    assert "is AwaitingRetry, and is tried again in " in text
    assert "(retry 1 of 1): Flow run encountered an exception: ValueError: not yet; process" in text  # fmt: skip


@pytest.fixture
def limit(engine: Engine) -> Callable[..., None]:
    """Give the test what makes limits."""

    def make(name: str, slots: int, decay: float = 0.0) -> None:
        change = LimitChange(name, slots, slot_decay_per_second=decay)
        engine.ledger.limits.change(change, timestamp())

    return make


@task
def use(name: str, opened: threading.Event | None = None) -> None:
    """Hold a slot until the event is set."""
    with concurrency(name):
        assert opened is None or opened.wait(30)


def test_code_that_waits_for_slots_says_for_which_and_who_has_them(
    record: Record, limit: Callable[..., None]
) -> None:
    """A task and a flow, while they run; afterwards nothing of it is left."""
    limit("gpu", 1)
    go_on = threading.Event()
    seen: dict[str, list[str]] = {}

    @flow(name="inner", flow_run_name="within")
    def inner() -> None:
        with concurrency("gpu"):
            pass

    @task
    def call() -> None:
        inner()

    @flow(name="around", flow_run_name="outside")
    def around() -> None:
        held = use.submit("gpu", go_on)
        until(lambda: bool(record._engine.ledger.limits.holders()))
        others = [use.submit("gpu"), call.submit()]
        try:
            until(lambda: waits(record, "use-1", "around"))  # fmt: skip
            until(
                lambda: any(
                    run.details.get("waits_for")
                    for run in record.client.read_flow_runs(flow_name="inner")
                )
            )
            until(lambda: state(record, "call-0", "around") == "Running")
            seen["task"] = lines(of_task(record, "use-1", "around").reasons)
            seen["caller"] = lines(of_task(record, "call-0", "around").reasons)
            seen["flow"] = lines(of_flow(record, "around").reasons)
        finally:
            go_on.set()
        for each in (held, *others):
            each.wait()

    around()
    holder = "The only slot of concurrency limit 'gpu' is held by task run 'use-0' of flow run 'outside'."  # fmt: skip
    first, second = seen["task"]
    assert first.startswith("use-1 has run for ")
    assert "and has waited for " in first
    assert first.endswith("for a slot of concurrency limit 'gpu'")
    assert second == f" {holder}"
    assert seen["caller"][1].startswith(" within has been Running for ")
    assert seen["caller"][2] == f"  {holder}"
    assert any(line.startswith("within has been Running") for line in seen["flow"])
    assert not record.tasks("around")["use-1"].details["waits_for"]
    assert not record.flow("inner").details["waits_for"]


def test_coroutines_say_for_which_slots_they_wait(
    record: Record, limit: Callable[..., None]
) -> None:
    """One run can wait at two places at once."""
    limit("gpu", 1)
    limit("api", 1)
    seen: list[str] = []

    @task
    async def ask() -> None:
        async def hold(name: str) -> None:
            async with aconcurrency(name):
                pass

        await asyncio.gather(hold("gpu"), hold("api"))

    @flow(name="around")
    def around() -> None:
        with concurrency(["gpu", "api"]):
            future = ask.submit()
            until(
                lambda: (
                    len(
                        record.tasks()
                        .get("ask-0", record.flow())
                        .details.get("waits_for", ())
                    )
                    == 2
                )
            )
            seen.extend(lines(of_task(record, "ask-0").reasons))
        future.wait()

    around()
    assert "slot of concurrency limit 'gpu'" in seen[0]
    assert "slot of concurrency limit 'api'" in seen[0]
    assert record.tasks()["ask-0"].details["waits_for"] == []


def test_code_in_a_worker_process_says_for_which_slots_it_waits(
    record: Record, limit: Callable[..., None]
) -> None:
    """It tells the process of its run."""
    limit("gpu", 1)
    seen: list[str] = []

    @flow(name="around", task_runner=ProcessPoolTaskRunner(max_workers=1))
    def around() -> None:
        with concurrency("gpu"):
            future = use.submit("gpu")
            until(lambda: waits(record, "use-0"))
            seen.extend(lines(of_task(record, "use-0").reasons))
        future.wait()

    around()
    assert "of concurrency limit 'gpu'" in seen[0]
    assert "held by flow run " in seen[1]


def test_a_rate_limit_says_how_much_of_it_comes_back(
    record: Record, limit: Callable[..., None]
) -> None:
    """Nobody holds what is used up."""
    limit("api", 1, 0.01)
    seen: list[str] = []

    @task
    def ask() -> None:
        rate_limit("api")

    @flow(name="around")
    def around() -> None:
        ask()
        future = ask.submit()
        until(lambda: waits(record, "ask-1"))
        seen.extend(lines(of_task(record, "ask-1").reasons))
        limit("api", 2, 0.01)
        future.wait()

    around()
    assert "for a slot of concurrency limit 'api'" in seen[0]
    assert seen[1] == " The only slot of concurrency limit 'api' is used up; 0.01 a second come back."  # fmt: skip


def test_a_limit_on_a_tag_names_who_holds_it_now(
    record: Record, limit: Callable[..., None]
) -> None:
    """Not only who held it when the wait began."""
    limit("tag:db", 1)
    first, second = threading.Event(), threading.Event()
    seen: list[str] = []

    @task(tags=["db"])
    def hold(opened: threading.Event | None) -> None:
        assert opened is None or opened.wait(30)

    @flow(name="around")
    def around() -> None:
        futures = [hold.submit(first)]
        until(lambda: bool(record._engine.ledger.limits.holders()))
        futures.append(hold.submit(second))
        until(lambda: state(record, "hold-1") == "AwaitingConcurrencySlot")
        futures.append(hold.submit(None))
        until(lambda: state(record, "hold-2") == "AwaitingConcurrencySlot")
        first.set()
        until(lambda: state(record, "hold-1") == "Running")
        seen.extend(lines(of_task(record, "hold-2").reasons))
        second.set()
        for each in futures:
            each.wait()

    around()
    assert seen == [
        "hold-2 is ready, and waits for a slot of concurrency limit 'tag:db'",
        f" The only slot of concurrency limit 'tag:db' is held by task run 'hold-1' of flow run '{record.flow().name}'.",
    ]


def test_a_paused_run_whose_process_died_has_none(record: Record) -> None:
    """A lease that ran out is no process."""

    @flow(name="around")
    def around() -> None:
        pass

    around()
    row = get_client().find_flow_run(record.flow().id)
    row.state_type, row.state_name, row.owner = "PAUSED", "Paused", b"o" * 16
    record._engine.ledger.renew(own_lease(b"o" * 16, timestamp() - 1))
    (reason,) = explain_flow_run(row).reasons
    assert reason.text.endswith("; the process that worked on it is gone")
