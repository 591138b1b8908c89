"""Caching: when a stored result stands in for a call, and when it does not."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import clock, flow, task
from caudal.cache_policies import (
    DEFAULT,
    FLOW_PARAMETERS,
    INPUTS,
    NO_CACHE,
    TASK_SOURCE,
)
from caudal.exceptions import StorageKeyError
from caudal.settings import get_current_settings, temporary_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caudal.cache_policies import CachePolicy
    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


class Counter:
    """Makes tasks that count their calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def task(self, **options: Any) -> Any:
        """Return a task that notes and doubles its first argument."""

        @task(name="work", **options)
        def work(number: Any, note: str = "") -> Any:
            self.calls.append((number, note))
            return number * 2

        return work


@pytest.fixture
def counter() -> Counter:
    """Count the calls of a task."""
    return Counter()


def run(body: Callable[[], Any], name: str = "around") -> Any:
    """Run a function as a flow."""
    return flow(body, name=name)()


def test_nothing_is_cached_unless_results_are_stored(counter: Counter) -> None:
    """A plain task is called each time."""
    work = counter.task()
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 2


def test_within_a_flow_run_equal_calls_are_made_once(
    counter: Counter, record: Record
) -> None:
    """With stored results, the default policy serves equal inputs and source within one flow run."""
    work = counter.task(persist_result=True)
    assert run(lambda: (work(1), work(1), work.submit(1).result(), work(2))) == (2, 2, 2, 4)  # fmt: skip
    assert counter.calls == [(1, ""), (2, "")]
    names = [task_run.state_name for task_run in record.tasks().values()]
    assert names == ["Completed", "Cached", "Cached", "Completed"]
    cached = record.tasks()["work-1"]
    assert record.states(cached) == ["Pending", "Cached"]
    assert (cached.state_type, cached.run_count) == ("COMPLETED", 0)
    assert cached.cache_key == record.tasks()["work-0"].cache_key
    run(lambda: work(1))
    assert len(counter.calls) == 3


def test_results_are_found_by_later_flow_runs(counter: Counter, record: Record) -> None:
    """Without the run in the key, another flow run finds the result."""
    work = counter.task(cache_policy=INPUTS)
    assert run(lambda: work(1)) == run(lambda: work(1)) == work(1) == 2
    assert counter.calls == [(1, "")]
    assert record.task("work").state_name == "Cached"


@pytest.mark.parametrize(
    ("policy", "same", "other"),
    [
        (INPUTS, (1, "a"), (1, "b")),
        (INPUTS - "note", (1, "b"), (2, "a")),
        (TASK_SOURCE, (2, "b"), None),
        (INPUTS + TASK_SOURCE - "note", (1, "b"), (2, "a")),
    ],
    ids=["inputs", "excluded", "source", "compound"],
)
def test_a_policy_says_what_has_to_be_equal(
    policy: CachePolicy, same: Any, other: Any, counter: Counter
) -> None:
    """After a call with (1, "a"), one that is the same to the policy is not made, another one is."""
    work = counter.task(cache_policy=policy)
    for call in ((1, "a"), same, other or same):
        run(lambda call=call: work(*call))
    assert counter.calls == [(1, "a"), *([other] if other else [])]


def test_flow_parameters_can_be_the_key(counter: Counter) -> None:
    """FLOW_PARAMETERS serves runs of a flow with equal parameters."""
    work = counter.task(cache_policy=FLOW_PARAMETERS)

    @flow
    def around(day: int, number: int) -> int:
        return work(number + day - day)

    assert [around(1, 1), around(1, 1), around(2, 1)] == [2, 2, 2]
    assert len(counter.calls) == 2


def test_a_key_function_gets_context_and_inputs(
    counter: Counter, record: Record
) -> None:
    """`cache_key_fn` makes the key from the run's context and the call's inputs, defaults included."""
    seen: list[Any] = []

    def key(context: Any, inputs: dict[str, Any]) -> str:
        seen.append((context.task.name, context.task_run.name, context.flow_run.flow_name, context.parameters))  # fmt: skip
        return f"mine-{inputs['number'] % 10}-{inputs['note']}"

    work = counter.task(cache_key_fn=key)
    assert run(lambda: (work(1), work(11), work(2))) == (2, 2, 4)
    assert seen[0] == ("work", "work-0", "around", {"number": 1, "note": ""})
    assert record.tasks()["work-0"].cache_key == "mine-1-"
    assert [number for number, _ in counter.calls] == [1, 2]


def test_a_key_function_may_decline(counter: Counter) -> None:
    """A key of None means that this call is not cached."""
    work = counter.task(cache_key_fn=lambda _context, _inputs: None)
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 2


def test_a_key_that_cannot_be_computed_means_no_cache(
    counter: Counter, record: Record
) -> None:
    """Inputs without a stable hash, or a failing key function, are logged; the task runs."""
    work = counter.task(cache_policy=INPUTS)
    lock = threading.Lock()

    class Product:
        def __init__(self) -> None:
            self.lock = lock

        def __mul__(self, _: int) -> int:
            return 7

    assert run(lambda: (work(Product()), work(Product()))) == (7, 7)
    broken = counter.task(cache_key_fn=lambda _context, _inputs: 1 // 0)
    assert run(lambda: broken(1)) == 2
    assert len(counter.calls) == 3
    assert sum("the result cannot be cached" in line for line in record.logs()) >= 2


def test_expired_results_are_not_used(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `cache_expiration` the task runs again, and its new result is kept."""
    work = counter.task(cache_policy=INPUTS, cache_expiration=timedelta(seconds=100))
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 1
    now = clock.timestamp()
    monkeypatch.setattr("caudal.engine.results.timestamp", lambda: now + 101)
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 2


def test_refresh_replaces_what_is_stored() -> None:
    """`refresh_cache=True` calls the task and stores its result for those that do not refresh."""
    values = iter([1, 2, 3])
    keyed = task(name="work", cache_key_fn=lambda *_: "key")(lambda: next(values))
    fresh = keyed.with_options(refresh_cache=True)
    assert run(lambda: (keyed(), keyed(), fresh(), keyed())) == (1, 1, 2, 2)


def test_settings_refresh_or_switch_off() -> None:
    """`tasks_refresh_cache` and `tasks_disable_caching` hold for tasks that do not say."""
    calls: list[int] = []
    for name, expected in (("tasks_refresh_cache", 2), ("tasks_disable_caching", 2)):
        calls.clear()
        work = task(cache_key_fn=lambda *_: "key")(lambda: calls.append(1))
        with temporary_settings({name: True}):
            run(lambda work=work: (work(), work()))
        assert len(calls) == expected
        assert getattr(get_current_settings(), name) is False


def test_no_cache_stores_but_never_serves(counter: Counter, record: Record) -> None:
    """NO_CACHE with stored results runs each time and keeps each result."""
    work = counter.task(cache_policy=NO_CACHE, persist_result=True)
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 2
    keys = [each.details.get("result_key") for each in record.tasks().values()]
    assert len({*keys} - {None}) == 2


def test_failures_are_not_cached() -> None:
    """Only results are kept: a task that failed is called again."""
    calls: list[int] = []

    @task(cache_key_fn=lambda *_: "key")
    def work() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return 5

    with pytest.raises(ValueError):  # noqa: PT011 - it says nothing
        work()
    assert [work(), work()] == [5, 5]
    assert len(calls) == 2


def test_a_storage_key_names_the_result(
    counter: Counter, engine: Engine, record: Record
) -> None:
    """`result_storage_key` is a template for the key, which is also what is cached under it."""
    work = counter.task(result_storage_key="twice-{parameters[number]}-{flow_run.flow_name}-{task_run.name}")  # fmt: skip
    run(lambda: work(4))
    assert engine.results.load("twice-4-around-work-0") == 8
    assert record.tasks()["work-0"].details["result_key"] == "twice-4-around-work-0"
    run(lambda: work(4))
    assert len(counter.calls) == 1


def test_persist_result_false_wins(counter: Counter) -> None:
    """A task that must not store does not cache, whatever else it says."""
    work = counter.task(persist_result=False, cache_policy=INPUTS)
    run(lambda: (work(1), work(1)))
    assert len(counter.calls) == 2


def test_flows_decide_for_tasks_that_do_not_say(
    counter: Counter, record: Record
) -> None:
    """`persist_result` of a flow holds for its tasks and nested flows."""
    work = counter.task()
    inner = flow(name="inner")(lambda: (work(1), work(1)))
    flow(persist_result=True, name="outer")(lambda: inner())()
    assert len(counter.calls) == 1
    assert "result_key" in record.flow("inner").details
    assert "result_key" in record.flow("outer").details


def test_a_lost_file_is_made_again(counter: Counter, home: Path) -> None:
    """A cached result whose file is gone means that the task runs."""
    work = counter.task(cache_policy=INPUTS)
    big = "x" * 20_000
    assert run(lambda: work(big)) == big * 2
    for file in (home / "storage").rglob("*"):
        if file.is_file():
            file.unlink()
    assert run(lambda: work(big)) == big * 2
    assert len(counter.calls) == 2
    assert run(lambda: work(big)) == big * 2
    assert len(counter.calls) == 2


def test_a_damaged_file_is_made_again(
    counter: Counter, home: Path, record: Record
) -> None:
    """A cached result that is not what was written is logged, and the task runs."""
    work = counter.task(cache_policy=INPUTS)
    big = "x" * 20_000
    run(lambda: work(big))
    for file in (home / "storage").rglob("*"):
        if file.is_file():
            file.write_bytes(b"rubbish")
    assert run(lambda: work(big)) == big * 2
    assert len(counter.calls) == 2
    assert any("a kept result cannot be used" in line for line in record.logs())


def test_default_is_what_prefect_calls_default() -> None:
    """The default policy names inputs, source and run."""
    assert {type(policy).__name__ for policy in DEFAULT.policies} == {
        "Inputs", "TaskSource", "RunId",
    }  # fmt: skip


def test_a_storage_key_that_cannot_be_made_fails_the_task(counter: Counter) -> None:
    """A result that is to be stored and cannot be fails its task, before the function is called."""
    work = counter.task(result_storage_key="sk-{parameters[nope]}")
    with pytest.raises(StorageKeyError, match=r"KeyError: 'nope'. There are {parameters\[number\]}, {parameters\[note\]}"):  # fmt: skip
        run(lambda: work(1))
    assert counter.calls == []
