"""Explanations name where a result came from, or what kept it from being in the cache."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE
from caudal.settings import temporary_settings
from tests.unit.explain.telling import lines, of_flow, of_task

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def clean(number: int) -> int:
    """Return the number."""
    return number


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
    assert of_task(record, "short-1").reasons[0].text.endswith("had expired")
    assert "1 of look_up came from the cache" in lines(of_flow(record).reasons)


@task(cache_policy=INPUTS, persist_result=True)
def keep(value: Any) -> Any:
    """Return the value, and keep it."""
    return value


def why(record: Record, name: str) -> str:
    """Return the one sentence about a task run."""
    (reason,) = of_task(record, name).reasons
    return reason.text


def test_a_refreshed_cache_is_named(record: Record) -> None:
    """It is not an expired result, nor a damaged one."""
    fresh = keep.with_options(refresh_cache=True)
    flow(lambda: [keep(1), fresh(1)], name="around")()
    assert why(record, "keep-1") == "keep-1 was called and completed: the cache was to be refreshed"  # fmt: skip


def test_a_damaged_result_is_named(record: Record, home: Path) -> None:
    """With what is wrong with it."""
    large = "x" * 20_000
    flow(lambda: keep(large), name="around")()
    for file in (home / "storage").rglob("*"):
        if file.is_file():
            file.write_bytes(b"nonsense")
    flow(lambda: keep(large), name="around")()
    assert "the result stored under its cache key cannot be used: " in why(record, "keep-0")  # fmt: skip


def test_an_argument_that_cannot_be_hashed_is_named(record: Record) -> None:
    """The reason is the one that was logged."""
    look = task(cache_policy=INPUTS, persist_result=True, name="look")(lambda lock: 1)  # noqa: ARG005
    flow(lambda: look(threading.Lock()), name="around")()
    assert why(record, "look-0").startswith("look-0 was called and completed: its cache key cannot be computed: ")  # fmt: skip
    (logged,) = [line for line in record.logs() if "cannot be cached" in line]
    assert logged.removeprefix("the result cannot be cached: ") in why(record, "look-0")


def test_an_earlier_run_that_failed_left_no_result(record: Record) -> None:
    """It had the same key all the same."""
    broken = [True]

    @task(cache_policy=INPUTS, persist_result=True)
    def shaky(number: int) -> int:
        if broken:
            raise ValueError(broken.pop())
        return number

    flow(lambda: shaky(1), name="around")(return_state=True)
    maker = record.flow().name
    flow(lambda: shaky(1), name="around")()
    text = why(record, "shaky-0")
    assert f"although shaky-0 in flow run {maker}, " in text
    assert text.endswith("had the same cache key: it is Failed, so it left no result")


def test_a_result_that_another_task_made_names_it(record: Record) -> None:
    """The policy INPUTS does not tell tasks apart."""
    other = task(cache_policy=INPUTS, persist_result=True, name="other")(lambda value: value)  # fmt: skip
    flow(lambda: [keep(1), other(1)], name="around")()
    assert "under its cache key by keep-0 in flow run" in why(record, "other-0")


def test_a_task_without_a_key_says_which_of_two_reasons_it_has(record: Record) -> None:
    """Its policy, or that nothing is kept."""
    never = task(cache_policy=NO_CACHE, persist_result=True, name="never")(lambda: 1)
    with temporary_settings({"tasks_disable_caching": True}):
        flow(lambda: keep(2), name="around")()
        assert why(record, "keep-0").endswith("the setting tasks_disable_caching is on")
    flow(lambda: [clean(1), never()], name="around")()
    assert why(record, "clean-0").endswith("because its result is not kept")
    assert why(record, "never-0").endswith("because its cache policy gives none")
