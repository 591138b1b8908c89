"""Explanations name what a run waits for, what broke it, and which part of a cache key was new."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_client, task
from caudal.cache_policies import INPUTS, TASK_SOURCE
from caudal.explain import Explanation, Reason, explain_flow_run, explain_task_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


def of_flow(record: Record, flow_name: str | None = None) -> Explanation:
    """Return the explanation of the newest flow run."""
    return explain_flow_run(get_client().find_flow_run(record.flow(flow_name).id))


def of_task(record: Record, name: str) -> Explanation:
    """Return the explanation of a task run of the newest flow run."""
    row = record._engine.ledger.task_run(record.tasks()[name].id.bytes)
    assert row is not None
    return explain_task_run(row)


def lines(reasons: Iterable[Reason], depth: int = 0) -> list[str]:
    """Return the texts of reasons, those of causes indented."""
    return [
        line
        for reason in reasons
        for line in (
            " " * depth + reason.text,
            *lines(reason.causes, depth + 1),
        )
    ]


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


@task
def outer() -> int:
    """Call a task that fails."""
    return fetch(1)


def test_a_failed_flow_names_each_error_once_and_what_did_not_start(
    record: Record,
) -> None:
    """Runs of one task with one error are counted; runs that waited for them too."""

    @flow(name="around")
    def around() -> Any:
        return clean.map(fetch.map([0, 1, 1, 2]))

    around(return_state=True)
    first, second = of_flow(record).reasons
    assert first.text.startswith(f"{record.flow().name} is Failed: ")
    (cause,) = first.causes
    assert cause.text.startswith(
        "fetch-1 is Failed: ConnectionError: store 1 is away ("
    )
    assert cause.text.endswith("in fetch), and 1 more of fetch likewise")
    assert second.text == "2 task runs did not start, because what they wait for did not complete: 2 of clean"  # fmt: skip


def test_causes_lie_below_what_they_broke(record: Record) -> None:
    """A task called by a task, in a child flow: the chain has one end."""

    @flow(name="inner")
    def inner() -> None:
        outer()

    @flow(name="around")
    def around() -> None:
        inner()

    around(return_state=True)
    texts = lines(of_flow(record, "around").reasons)
    indents = [len(text) - len(text.lstrip()) for text in texts]
    names = [text.split()[0] for text in texts]
    assert indents == [0, 1, 2, 3]
    assert names[2:] == ["outer-0", "fetch-0"]
    assert all("store 1 is away" in text for text in texts)


def test_a_task_that_did_not_start_follows_its_inputs_to_the_error(
    record: Record,
) -> None:
    """Through every run in between."""

    @flow(name="around")
    def around() -> None:
        clean.submit(clean.submit(fetch.submit(1))).wait()

    around(return_state=True)
    texts = lines(of_task(record, "clean-1").reasons)
    assert [text.strip().split()[0] for text in texts] == [
        "clean-1",
        "clean-0",
        "fetch-0",
    ]
    assert "store 1 is away" in texts[-1]


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
            while (
                "clean-0" not in record.tasks()
            ):  # what waits is written a moment later
                time.sleep(0.01)
            seen["flow"] = of_flow(record)
            seen["after"] = of_task(record, "clean-0")
        finally:
            go_on.set()
        after.wait()

    around()
    texts = lines(seen["flow"].reasons)
    assert texts[0].startswith(f"{record.flow().name} is Running since ")
    assert "works on it" in texts[0]
    assert texts[1].startswith("1 of hold running, the oldest for ")
    assert texts[2] == "clean-0 waits for the results of hold-0"
    assert lines(seen["after"].reasons)[1].startswith(" hold-0 runs since ")


def test_a_run_that_waits_for_a_retry_says_when(record: Record) -> None:
    """With the error of the attempt before."""
    seen: list[str] = []
    looked = threading.Event()

    def look(*_: Any) -> float:
        threading.Timer(0.05, find).start()
        return 0.3

    def find() -> None:
        seen.extend(lines(of_task(record, "fetch-0").reasons))
        looked.set()

    failing = fetch.with_options(retries=1, retry_delay_seconds=lambda _: [0.4])

    @flow(name="around")
    def around() -> None:
        future = failing.submit(1)
        threading.Timer(0.15, find).start()
        future.wait()

    around(return_state=True)
    assert looked.wait(5)
    assert seen == [
        "fetch-0 is AwaitingRetry: Task run encountered an exception ConnectionError: store 1 is away. Retry 1/1 will start in 0.4 second(s)."
    ]


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (("north", 1), ("north", 2), "the argument 'day' has another value"),
        (("north", 1), ("south", 2), "the argument 'region' has another value"),
    ],
)
def test_a_cache_miss_names_the_arguments_that_differ(
    record: Record, first: Any, second: Any, difference: str
) -> None:
    """Against the closest run that kept a result."""
    look_up = _look_up()
    flow(lambda: look_up(*first), name="around")()
    flow(lambda: look_up(*second), name="around")()
    (reason,) = of_task(record, "look_up-0").reasons
    assert "was called and completed: no result is stored" in reason.text
    assert difference in [cause.text for cause in reason.causes]


def _look_up() -> Any:
    @task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True)
    def look_up(region: str, day: int) -> str:
        return f"{region}{day}"

    return look_up


def test_a_cached_run_names_the_run_that_made_the_result(record: Record) -> None:
    """By name and flow run."""
    look_up = _look_up()
    flow(lambda: look_up("north", 1), name="around")()
    maker = record.flow().name
    flow(lambda: look_up("north", 1), name="around")()
    (reason,) = of_task(record, "look_up-0").reasons
    assert reason.text.startswith("look_up-0 was not called")
    assert f"by look_up-0 in flow run {maker}, " in reason.text


def test_the_default_policy_says_that_it_keeps_to_one_flow_run(record: Record) -> None:
    """And what would share results."""
    kept = task(persist_result=True, name="kept")(lambda: 1)
    for _ in range(2):
        flow(lambda: kept(), name="around")()
    (reason,) = of_task(record, "kept-0").reasons
    assert any(
        "INPUTS + TASK_SOURCE shares them" in each.text for each in reason.causes
    )


def test_other_outcomes_are_told_too(record: Record) -> None:
    """No key, nothing cached before, an expired result; a completed flow counts what came from the cache."""
    short = task(
        cache_key_fn=lambda *_: "same", cache_expiration=timedelta(0), name="short"
    )(lambda: 1)

    @flow(name="around")
    def around() -> None:
        clean(1)
        short()
        short()
        look_up = _look_up()
        look_up("a", 1)
        look_up("a", 1)

    around()
    assert "it has no cache key" in of_task(record, "clean-0").reasons[0].text
    assert "nothing was in the cache" in of_task(record, "short-0").reasons[0].text
    assert "had the same cache key" in of_task(record, "short-1").reasons[0].text
    assert "1 of look_up came from the cache" in lines(of_flow(record).reasons)


def test_an_explanation_is_an_object_for_programs(record: Record) -> None:
    """Reasons nest; commands say what to type."""
    flow(lambda: fetch(1), name="around")(return_state=True)
    told = of_task(record, "fetch-0").as_dict()
    assert told["state_name"] == "Failed"
    assert told["reasons"][0]["causes"] == []
    assert told["commands"][0].startswith("caudal task-run replay ")
