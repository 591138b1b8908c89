"""Generator functions as flows and tasks: streamed when called, collected when submitted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, runtime, task
from caudal.exceptions import TaskRunTimeoutError, UpstreamTaskError
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tests.conftest import Record


@task
def count_up(limit: int) -> Generator[int, None, str]:
    """Yield numbers and return a word."""
    yield from range(limit)
    return "done"


@task
async def acount_up(limit: int) -> AsyncGenerator[int]:
    """Yield numbers, giving way before each."""
    for number in range(limit):
        await asyncio.sleep(0)
        yield number


def test_a_called_generator_task_streams(record: Record) -> None:
    """Items come one at a time while the run executes; what the generator returns is the run's result."""
    seen: list[int] = []

    def drain() -> Generator[int, None, str]:
        return (yield from count_up(2))

    @flow
    def outer() -> str:
        items = drain()
        while True:
            try:
                seen.append(next(items))
            except StopIteration as stop:
                return stop.value

    assert outer() == "done"
    assert seen == [0, 1]
    assert record.states(record.task("count_up")) == ["Pending", "Running", "Completed"]


def test_nothing_runs_before_the_first_item_is_asked_for(record: Record) -> None:
    """As with any generator, the call alone does nothing."""

    @flow
    def outer() -> None:
        count_up(3)

    outer()
    assert record.tasks() == {}


def test_a_submitted_generator_task_is_collected(record: Record) -> None:
    """Nobody could consume it: the result is a list, plain, async, mapped or in another process."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def elsewhere() -> list[int]:
        return count_up.submit(2).result()

    @flow
    def outer() -> list[Any]:
        mapped = count_up.map([1, 2])
        return [acount_up.submit(2).result(), *mapped.result(), elsewhere()]

    assert outer() == [[0, 1], [0], [0, 1], [0, 1]]
    assert {run.state_name for run in record.tasks("outer").values()} == {"Completed"}


def test_a_generator_that_a_submitted_task_returns_is_collected() -> None:
    """It executes as part of the run, and what it raises fails the run."""

    @task
    def squares(limit: int) -> Any:
        return (10 // (limit - number) for number in range(limit + 1))

    @flow
    def outer() -> Any:
        return squares.submit(2).result()

    with pytest.raises(ZeroDivisionError):
        outer()


def test_return_state_collects() -> None:
    """With ``return_state`` there is a state to return, so the call runs to its end."""
    assert count_up(2, return_state=True).result() == [0, 1]

    @flow
    def numbers() -> Generator[int]:
        yield from range(3)

    assert numbers(return_state=True).result() == [0, 1, 2]


def test_a_failed_generator_is_tried_again(record: Record) -> None:
    """A retry starts from the first item, as in Prefect; what came before was consumed."""

    @task(retries=1)
    def unsteady() -> Generator[int]:
        yield runtime.task_run.run_count
        if runtime.task_run.run_count == 1:
            raise ValueError("once")
        yield 10

    @flow
    def outer() -> list[int]:
        return list(unsteady())

    assert outer() == [1, 2, 10]
    assert record.states(record.task("unsteady")) == [
        "Pending",
        "Running",
        "Retrying",
        "Completed",
    ]


def test_a_generator_that_fails_for_good_raises_at_its_consumer(record: Record) -> None:
    """The consumer gets the items before, then the exception."""

    @task
    def broken() -> Generator[int]:
        yield 1
        raise ValueError("no")

    @flow
    def outer() -> list[int]:
        items = broken()
        first = next(items)
        with pytest.raises(ValueError, match="no"):
            next(items)
        return [first]

    assert outer() == [1]
    assert record.task("broken").state_name == "Failed"


def test_a_consumer_that_stops_early_ends_the_run_well(record: Record) -> None:
    """The generator is closed, with its run in charge, and the run is complete."""
    closed: list[str | None] = []

    @task
    def endless() -> Generator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            closed.append(runtime.task_run.name)

    @flow
    def outer() -> int:
        items = endless()
        for number in items:
            if number == 2:
                items.close()
        return number

    assert outer() == 2
    assert closed == ["endless-0"]
    assert record.task("endless").state_name == "Completed"


def test_the_run_is_in_charge_while_it_executes_only() -> None:
    """Between two items the consumer's own run is in charge again."""

    @task
    def named() -> Generator[str | None]:
        yield runtime.task_run.name

    @flow
    def outer() -> list[str | None]:
        return [name for item in named() for name in (item, runtime.task_run.name)]

    assert outer() == ["named-0", None]


def test_time_of_the_consumer_does_not_count() -> None:
    """The timeout is for the generator's own work."""

    @task(timeout_seconds=0.2)
    def quick() -> Generator[int]:
        yield from range(3)

    @task(timeout_seconds=0.2)
    def slow() -> Generator[int]:
        yield 1
        time.sleep(5)

    @flow
    def outer() -> None:
        for _ in quick():
            time.sleep(0.1)
        with pytest.raises(TaskRunTimeoutError):
            list(slow())

    outer()


def test_passing_an_item_on_makes_an_edge(record: Record) -> None:
    """The run that got an item knows the run that yielded it."""

    @task
    def rows() -> Generator[list[int]]:
        yield [1, 2, 3]

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @flow
    def outer() -> list[int]:
        return [total(row) for row in rows()]

    assert outer() == [6]
    total_run, rows_run = record.task("total"), record.task("rows")
    assert total_run.details["upstream"] == [rows_run.id.hex]


def test_async_generators_stream(record: Record) -> None:
    """Flows and tasks alike; leaving early ends both well."""

    @flow
    async def numbers(limit: int) -> AsyncGenerator[int]:
        async for number in acount_up(limit):
            yield number

    async def main() -> list[int]:
        seen = [number async for number in numbers(3)]
        items = numbers(1000)
        async for number in items:
            if number == 5:
                break
        await items.aclose()
        return seen

    assert asyncio.run(main()) == [0, 1, 2]
    runs = record.client.read_flow_runs(flow_name="numbers")
    assert [run.state_name for run in runs] == ["Completed", "Completed"]


def test_an_async_generator_times_out_and_fails() -> None:
    """Failures of an async generator reach the consumer after the items before."""

    @task(timeout_seconds=0.05)
    async def stuck() -> AsyncGenerator[int]:
        yield 1
        await asyncio.sleep(5)

    @flow
    async def broken() -> AsyncGenerator[int]:
        yield 1
        raise ValueError("no")

    async def consume(items: AsyncGenerator[int], error: type[Exception]) -> list[int]:
        seen: list[int] = []
        with pytest.raises(error):  # noqa: PT012 - what came before the error counts
            async for item in items:
                seen.append(item)  # noqa: PERF401
        return seen

    assert asyncio.run(consume(stuck(), TaskRunTimeoutError)) == [1]
    assert asyncio.run(consume(broken(), ValueError)) == [1]


def test_a_generator_flow_validates_and_is_recorded(record: Record) -> None:
    """Parameters are coerced, and the run ends when the last item was taken."""

    @flow
    def numbers(limit: int) -> Generator[int]:
        yield from range(limit)

    text: Any = "3"
    assert list(numbers(text)) == [0, 1, 2]
    assert record.flow().state_name == "Completed"


def test_a_generator_flow_waits_for_its_inputs() -> None:
    """A future that failed keeps the flow from starting."""

    @task
    def fails() -> None:
        raise ValueError("no")

    @flow
    def numbers(limit: Any) -> Generator[Any]:
        yield limit

    @flow
    def outer() -> None:
        with pytest.raises(UpstreamTaskError):
            list(numbers(fails.submit()))

    outer()


def test_what_is_streamed_is_not_kept() -> None:
    """A kept result could not be yielded again, so a streamed run always executes."""
    calls: list[int] = []

    @task(persist_result=True)
    def numbers() -> Generator[int]:
        calls.append(1)
        yield 1

    @flow
    def outer() -> list[int]:
        return [*numbers(), *numbers()]

    assert outer() == [1, 1]
    assert len(calls) == 2
