"""Retries of tasks and flows: how often, when, and what is left on record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.settings import temporary_settings
from caudal.states import Cancelled, Completed, Failed, State
from caudal.tasks import exponential_backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.model.views import TaskRun
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


def failing(times: int) -> Callable[[], int]:
    """Return a function that fails some times and then returns how often it was called."""
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        if len(calls) <= times:
            msg = f"call {len(calls)}"
            raise ValueError(msg)
        return len(calls)

    return work


def test_a_failed_task_is_tried_again_at_once(record: Record) -> None:
    """Without a delay a retry follows its failure, and its state is named Retrying."""
    work = task(retries=2)(failing(2))
    assert flow(lambda: work(), name="around")() == 3
    run = record.tasks()["work-0"]
    assert record.states(run) == [
        "Pending", "Running", "Retrying", "Retrying", "Completed",
    ]  # fmt: skip
    assert run.run_count == 3
    assert run.state.message is None


def test_a_delayed_retry_waits_in_a_state_of_its_own(record: Record) -> None:
    """With a delay the run is AwaitingRetry in between."""
    work = task(retries=1, retry_delay_seconds=0.01)(failing(1))
    assert flow(lambda: work(), name="around")() == 2
    run = record.tasks()["work-0"]
    assert record.states(run) == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    warning = "encountered an exception ValueError: call 1. Retry 1/1 will start in"
    assert any(warning in line for line in record.logs(run))


def test_the_last_failure_is_the_outcome(record: Record) -> None:
    """When no retry is left the run fails with what its last attempt raised."""
    work = task(retries=2)(failing(9))
    with pytest.raises(ValueError, match="call 3"):
        flow(lambda: work(), name="around")()
    run = record.tasks()["work-0"]
    assert record.states(run)[-2:] == ["Retrying", "Failed"]
    assert run.details["error"]["message"] == "call 3"


@pytest.mark.parametrize(
    "delays",
    [
        0.001,
        [0.001],
        [0.001, 0.002, 0.003, 0.004],
        lambda retries: [0.001 * place for place in range(1, retries + 1)],
        exponential_backoff(backoff_factor=0.001),
    ],
    ids=["number", "one", "list", "callable", "exponential"],
)
def test_delays_are_given_in_many_ways(delays: Any, record: Record) -> None:
    """A number, a list, a function of the number of retries: each retry finds its delay."""
    work = task(retries=3, retry_delay_seconds=delays, retry_jitter_factor=0.5)(
        failing(3)
    )
    assert flow(lambda: work.submit().result(), name="around")() == 4
    assert record.states(record.tasks()["work-0"]).count("AwaitingRetry") == 3


def test_submitted_and_mapped_tasks_are_retried_on_their_own(record: Record) -> None:
    """Each run of a map has its own retries, and none holds up the others."""
    seen: set[int] = set()

    @task(retries=1, retry_delay_seconds=0.01)
    def once(number: int) -> int:
        if number % 2 and number not in seen:
            seen.add(number)
            raise ValueError(number)
        return number

    assert flow(lambda: once.map(range(10)).result(), name="around")() == [*range(10)]
    counts = [run.run_count for run in record.tasks().values()]
    assert sorted(counts) == [1] * 5 + [2] * 5


def test_coroutine_functions_are_retried(record: Record) -> None:
    """Async tasks follow the same rules, called and submitted."""
    fails = failing(1), failing(1)

    @task(retries=1, retry_delay_seconds=0.001)
    async def work(which: int) -> int:
        await asyncio.sleep(0)
        return fails[which]()

    @flow
    async def around() -> list[int]:
        return [await work(0), work.submit(1).result()]

    assert asyncio.run(around()) == [2, 2]
    for run in record.tasks().values():
        assert "AwaitingRetry" in record.states(run)


def test_a_condition_decides_whether_a_retry_is_worth_it() -> None:
    """`retry_condition_fn` gets task, run and failed state; false ends the run."""
    asked: list[tuple[str, str, str]] = []

    def only_first(_task: Any, run: TaskRun, state: State[Any]) -> bool:
        error = state.result(raise_on_failure=False)
        asked.append((run.name, state.name, str(error)))
        return len(asked) < 2

    work = task(retries=5, retry_condition_fn=only_first)(failing(9))
    with pytest.raises(ValueError, match="call 2"):
        flow(lambda: work(), name="around")()
    assert asked == [("work-0", "Failed", "call 1"), ("work-0", "Failed", "call 2")]


def test_a_condition_may_be_a_coroutine_function() -> None:
    """An async condition is awaited, in sync and in async runs."""

    async def never(*_: Any) -> bool:
        await asyncio.sleep(0)
        return False

    work = task(retries=5, retry_condition_fn=never)(failing(9))

    @task(retries=5, retry_condition_fn=never)
    async def awork() -> int:
        return failing(1)()

    with pytest.raises(ValueError, match="call 1"):
        work()
    with pytest.raises(ValueError, match="call 1"):
        asyncio.run(awork())


def test_a_condition_that_fails_says_no(record: Record) -> None:
    """An exception in the condition is logged and ends the retries, as in Prefect."""

    def broken(*_: Any) -> bool:
        raise RuntimeError

    work = task(retries=5, retry_condition_fn=broken)(failing(9))
    with pytest.raises(ValueError, match="call 1"):
        flow(lambda: work(), name="around")()
    assert any("retry_condition_fn failed" in line for line in record.logs())


def test_failed_states_are_retried_and_cancelled_ones_are_not(record: Record) -> None:
    """A task that returns a Failed state is tried again; one that returns Cancelled is not."""
    states: dict[str, list[State[Any]]] = {
        "failed": [Failed(message="again"), Completed(data=5)],
        "cancelled": [Cancelled(), Completed(data=5)],
    }

    @task(retries=1)
    def work(name: str) -> Any:
        return states[name].pop(0)

    assert work("failed") == 5
    assert work("cancelled", return_state=True).is_cancelled()
    runs = record.client.read_task_runs()
    assert sorted(run.run_count for run in runs) == [1, 2]


def test_settings_give_retries_to_tasks_that_do_not_say() -> None:
    """`tasks_default_retries` and its delay apply where the decorator says nothing."""
    with temporary_settings({"tasks_default_retries": 2}):
        assert task(failing(2))() == 3
        with pytest.raises(ValueError, match="call 1"):
            task(retries=0)(failing(1))()


def test_more_than_fifty_delays_are_refused() -> None:
    """As in Prefect, at most 50 delays can be given."""
    with pytest.raises(ValueError, match="50"):
        task(retries=60, retry_delay_seconds=[1.0] * 51)(failing(1))
    with pytest.raises(ValueError, match="retry_jitter_factor"):
        task(retries=1, retry_jitter_factor=-1)(failing(1))


def test_a_failed_flow_is_tried_again(record: Record) -> None:
    """The whole flow runs once more, its task calls counted from the start."""
    work = failing(1)
    step = task(name="step")(lambda: 1)

    @flow(retries=2, retry_delay_seconds=0.01)
    def around() -> int:
        step()
        return work()

    assert around() == 2
    run = record.flow()
    assert record.states(run) == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    assert run.run_count == 2
    assert run.task_count == 1
    assert run.state.message is None


def test_a_retried_flow_does_stored_work_once() -> None:
    """Tasks with stored results return them in the flow's next attempt; the others run again."""
    calls: list[str] = []
    work = failing(2)

    @task(persist_result=True)
    def kept() -> str:
        calls.append("kept")
        return "value"

    @task
    def forgotten() -> str:
        calls.append("forgotten")
        return "value"

    @flow(retries=2)
    def around() -> list[str]:
        values = [kept(), kept.submit().result(), forgotten()]
        work()
        return values

    assert around() == ["value"] * 3
    assert calls == ["kept", "forgotten", "forgotten", "forgotten"]


def test_a_flow_that_fails_for_good_raises_its_last_failure(record: Record) -> None:
    """When no retry is left the flow fails."""
    work = failing(9)
    with pytest.raises(ValueError, match="call 2"):
        flow(retries=1, name="around")(work)()
    assert record.states(record.flow())[-1] == "Failed"


def test_settings_give_retries_to_flows_that_do_not_say() -> None:
    """`flows_default_retries` applies where the decorator says nothing."""
    with temporary_settings({"flows_default_retries": 1}):
        assert flow(failing(1))() == 2


def test_async_flows_are_retried() -> None:
    """A coroutine function's flow follows the same rules."""
    work = failing(1)

    @flow(retries=1, retry_delay_seconds=0.001)
    async def around() -> int:
        await asyncio.sleep(0)
        return work()

    assert asyncio.run(around()) == 2
