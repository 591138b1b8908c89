"""Flows: what a call does, what it leaves on record, and how flows work within flows."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from caudal import allow_failure, flow, task
from caudal.exceptions import (
    CancelledRun,
    ParameterBindError,
    ParameterTypeError,
    ReservedArgumentError,
    UpstreamTaskError,
)

if TYPE_CHECKING:
    from caudal.states import State
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task
def fail() -> None:
    """Fail."""
    raise ValueError("no")


def test_a_call_returns_the_result_and_is_on_record(record: Record) -> None:
    """A completed flow gives its value; the record has names, times, parameters and states."""

    @flow(description="Words.", version="7")
    def load_orders(day: str, part: int = 2) -> str:
        return f"{day}/{part}"

    assert load_orders("monday") == "monday/2"
    run = record.flow()
    assert run.flow_name == load_orders.name == "load-orders"
    assert run.state_name == "Completed"
    assert record.states(run) == ["Pending", "Running", "Completed"]
    assert run.parameters == {"day": "monday", "part": 2}
    assert run.details["version"] == "7"
    assert "test_flows.py:" in run.details["entrypoint"]
    assert load_orders.description == "Words."
    assert run.start_time is not None
    assert run.end_time is not None
    assert run.start_time <= run.end_time
    assert run.attempt == run.run_count == 1


def test_a_failed_call_raises_the_flow_s_own_exception(record: Record) -> None:
    """The exception object comes through; the record has its text and traceback."""
    given = ValueError("mine")

    @flow
    def around() -> None:
        raise given

    with pytest.raises(ValueError, match="mine") as caught:
        around()
    assert caught.value is given
    run = record.flow()
    assert run.state_name == "Failed"
    assert run.state.message == "Flow run encountered an exception: ValueError: mine"
    assert "raise given" in run.details["error"]["traceback"]


def test_return_state_gives_the_last_state(record: Record) -> None:
    """With `return_state=True` success and failure are values."""
    good = flow(lambda: 5, name="good")(return_state=True)
    assert (good.is_completed(), good.result()) == (True, 5)
    assert good.state_details.flow_run_id == record.flow("good").id
    bad = flow(lambda: 1 // 0, name="bad")(return_state=True)
    assert bad.is_failed()
    with pytest.raises(ZeroDivisionError):
        bad.result()


def test_coroutine_functions_are_awaited(record: Record) -> None:
    """An async flow returns an awaitable of its result or state."""

    @flow
    async def around(number: int) -> int:
        await asyncio.sleep(0)
        return double(number)

    async def main() -> tuple[int, State[int]]:
        return await around(2), await around(3, return_state=True)

    value, state = asyncio.run(main())
    assert (value, state.is_completed()) == (4, True)
    assert record.flow().task_completed == 1


def test_async_flows_run_side_by_side(record: Record) -> None:
    """Flows gathered on one loop each have their own tasks."""

    @flow
    async def inner(number: int) -> int:
        await asyncio.sleep(0.001)
        return double(number)

    @flow
    async def outer() -> list[int]:
        return await asyncio.gather(*[inner(number) for number in range(20)])

    assert asyncio.run(outer()) == [2 * number for number in range(20)]
    inners = record.client.read_flow_runs(flow_name="inner")
    assert [run.task_count for run in inners] == [1] * 20


def test_a_flow_waits_for_the_tasks_it_submitted(record: Record) -> None:
    """Nobody has to ask for a submitted task's result: the flow ends after its tasks."""
    ended: list[str] = []

    @task
    def slow() -> None:
        time.sleep(0.05)
        ended.append("thread")

    @task
    async def aslow() -> None:
        await asyncio.sleep(0.05)
        ended.append("loop")

    @flow
    def around() -> None:
        slow.submit()
        aslow.submit()

    around()
    assert sorted(ended) == ["loop", "thread"]
    run = record.flow()
    assert (run.task_count, run.task_completed, run.task_running) == (2, 2, 0)


def test_a_failing_flow_waits_for_running_tasks_and_starts_no_more(
    record: Record,
) -> None:
    """What executes may end; what waits for it does not start."""
    started, release = threading.Event(), threading.Event()

    @task
    def slow() -> int:
        started.set()
        release.wait(10)
        return 1

    @flow
    def around() -> None:
        double.submit(slow.submit())
        started.wait(10)
        threading.Timer(0.05, release.set).start()
        raise ValueError

    assert around(return_state=True).is_failed()
    states = {name: run.state_name for name, run in record.tasks().items()}
    assert states == {"slow-0": "Completed", "double-0": "Cancelled"}


def test_an_inline_async_task_left_behind_is_closed(record: Record) -> None:
    """A coroutine that `gather` leaves running when another one fails does not stay open in an ended flow."""

    @task
    async def endless() -> None:
        await asyncio.sleep(60)

    @task
    async def bad() -> None:
        await asyncio.sleep(0.01)
        raise ValueError

    @flow
    async def around() -> None:
        await asyncio.gather(endless(), bad())

    assert asyncio.run(around(return_state=True)).is_failed()
    states = {name: run.state_name for name, run in record.tasks().items()}
    assert states == {"endless-0": "Cancelled", "bad-0": "Failed"}


def test_nested_flows_know_their_parents(record: Record) -> None:
    """A flow called in a flow, or in a task, is a run of its own with its parent on record."""

    @flow
    def inner() -> int:
        return double(1)

    @task
    def calls_flow() -> int:
        return inner()

    @flow
    def outer() -> int:
        return inner() + calls_flow()

    assert outer() == 4
    parent = record.flow("outer")
    in_task, in_flow = record.client.read_flow_runs(flow_name="inner")
    assert in_flow.parent_flow_run_id == in_task.parent_flow_run_id == parent.id
    assert in_flow.parent_task_run_id is None
    assert in_task.parent_task_run_id == record.tasks("outer")["calls_flow-0"].id
    assert parent.task_count == 1


def test_nested_flows_run_in_parallel_threads(record: Record) -> None:
    """Flows called in threads with the flow's context, or in submitted tasks, belong to it."""
    meeting = threading.Barrier(4)

    @flow
    def inner(number: int) -> int:
        meeting.wait(10)
        return double.submit(number).result()

    inner_task = task(inner, name="inner-task")

    @flow
    def outer() -> list[int]:
        submitted = inner_task.map([1, 2])
        with ThreadPoolExecutor() as threads:
            called = [
                threads.submit(copy_context().run, inner, number) for number in (3, 4)
            ]
        return [*submitted.result(), *[each.result() for each in called]]

    assert outer() == [2, 4, 6, 8]
    parent = record.flow("outer")
    inners = record.client.read_flow_runs(flow_name="inner")
    assert {run.parent_flow_run_id for run in inners} == {parent.id}
    assert {run.state_name for run in inners} == {"Completed"}


def test_a_nested_flow_s_failure_can_be_caught(record: Record) -> None:
    """It is an exception like any other."""

    @flow
    def inner() -> None:
        fail()

    @flow
    def outer() -> str:
        try:
            inner()
        except ValueError:
            return "caught"
        return "missed"

    assert outer() == "caught"
    assert record.flow("inner").state_name == "Failed"
    assert record.flow("outer").state_name == "Completed"


def test_many_flows_at_once(record: Record) -> None:
    """Flows called from many threads do not disturb each other."""

    @flow
    def around(number: int) -> list[int]:
        return double.map([number] * 5).result()

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(around, range(40)))
    assert results == [[2 * number] * 5 for number in range(40)]
    runs = record.client.read_flow_runs()
    assert {(run.state_name, run.task_completed) for run in runs} == {("Completed", 5)}
    assert len({run.id for run in runs}) == 40


def test_run_names_are_drawn_or_made(record: Record) -> None:
    """A template or a function names the run; else it gets two words."""
    flow(lambda: None, name="drawn")()
    assert len(record.flow("drawn").name.split("-")) == 2

    @flow(flow_run_name="load-{day}-of-{flow_name}")
    def template(day: str) -> None: ...

    template("monday")
    assert record.flow("template").name == "load-monday-of-template"
    flow(flow_run_name=lambda: "made", name="function")(lambda: None)()
    assert record.flow("function").name == "made"


def test_a_name_function_that_returns_no_text_is_an_error() -> None:
    """The message says what it returned."""
    with pytest.raises(ValueError, match="returned 5, which is no text"):
        flow(flow_run_name=lambda: 5, name="around")(lambda: None)()  # type: ignore[arg-type, return-value]


def test_wrong_arguments_are_an_error_before_there_is_a_run(record: Record) -> None:
    """Arguments that do not fit name the function and what it takes."""
    around = flow(lambda number: number, name="around")
    with pytest.raises(ParameterBindError, match=r"'around' .* takes \(number\)"):
        around(1, 2)
    assert record.client.read_flow_runs() == []


def test_parameters_that_do_not_fit_fail_the_run_before_its_code(
    record: Record,
) -> None:
    """The error names each wrong parameter; nothing of the flow was run."""
    ran: list[int] = []

    @flow
    def around(number: int, names: list[str]) -> None:
        ran.append(number + len(names))

    with pytest.raises(ParameterTypeError, match="nothing was run") as caught:
        around("five", names=[1, "a"])
    assert "number: " in str(caught.value)
    assert "names.0: " in str(caught.value)
    run = record.flow()
    assert run.state_name == "Failed"
    assert str(run.state.message).startswith("Validation of flow parameters failed")
    assert record.states(run) == ["Pending", "Failed"]
    state = around("five", names=[], return_state=True)
    assert isinstance(state.result(raise_on_failure=False), ParameterTypeError)
    assert ran == []


def test_futures_given_to_a_flow_are_waited_for() -> None:
    """A nested flow takes futures, also in containers, and states."""

    @flow
    def inner(one: int, more: list[int]) -> int:
        return one + sum(more)

    @flow
    def outer() -> int:
        return inner(double.submit(1), [double.submit(2), double(3, return_state=True)])

    assert outer() == 12


def test_a_failed_future_keeps_a_flow_from_running(record: Record) -> None:
    """As for tasks: the flow does not run, unless failure is allowed."""

    @flow
    def inner(value: Any = None) -> str:
        return type(value).__name__

    @flow
    def outer() -> None:
        failing = fail.submit()
        with pytest.raises(UpstreamTaskError):
            inner(failing)
        with pytest.raises(UpstreamTaskError):
            inner(wait_for=[failing])
        assert inner(failing, return_state=True).name == "NotReady"
        assert inner(allow_failure(failing)) == "ValueError"
        assert inner(wait_for=[double.submit(1)]) == "NoneType"
        assert inner(wait_for=double.submit(1)) == "NoneType"

    outer()
    ran = [
        run for run in record.client.read_flow_runs(flow_name="inner") if run.run_count
    ]
    assert len(ran) == 3


def test_decorators_check_what_they_are_given() -> None:
    """A wrong use of the decorator is an error where it stands."""
    with pytest.raises(TypeError, match="decorates functions"):
        flow(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="has no option colour"):
        flow(colour="red")(lambda: None)  # type: ignore[call-overload]
    with pytest.raises(ReservedArgumentError, match="'return_state'"):
        flow(lambda return_state: return_state)


def test_with_options_changes_some_and_keeps_the_rest(record: Record) -> None:
    """A copy of the flow has other options; the first one is as it was."""
    first = flow(name="first", retries=0, description="words")(lambda: 1)
    second = first.with_options(name="second", version="2")
    assert (first.name, second.name, second.description) == ("first", "second", "words")
    second()
    assert record.flow().details["version"] == "2"


def test_methods_can_be_flows() -> None:
    """A flow on a class is bound as a method is."""

    class Well:
        depth = 10

        @flow
        def deeper(self, by: int) -> int:
            return self.depth + by

        @staticmethod
        @flow
        def shallow() -> int:
            return 1

    assert (Well().deeper(2), Well.shallow(), Well.deeper.name) == (12, 1, "deeper")


def test_an_interrupt_cancels_the_flow(record: Record) -> None:
    """Ctrl-C comes through, after flow and tasks were recorded as cancelled."""
    running = threading.Event()

    @task
    def endless() -> None:
        running.set()
        while True:
            time.sleep(0.001)

    @task
    async def aendless() -> None:
        await asyncio.sleep(60)

    @flow
    def around() -> None:
        double.submit(endless.submit())
        aendless.submit()
        running.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        around()
    run = record.flow()
    assert (run.state_name, run.state.message) == (
        "Cancelled", "The flow run was interrupted.",
    )  # fmt: skip
    states = {name: each.state_name for name, each in record.tasks().items()}
    assert states == {"endless-0": "Cancelled", "double-0": "Cancelled", "aendless-0": "Cancelled"}  # fmt: skip


def test_an_interrupt_in_a_task_cancels_both(record: Record) -> None:
    """Ctrl-C while a task executes in the main thread ends the task, its flow and the flow around it."""

    @task(retries=3)
    def interrupted() -> None:
        raise KeyboardInterrupt

    @flow
    def inner() -> None:
        interrupted()

    @flow
    def outer() -> None:
        inner()

    with pytest.raises(KeyboardInterrupt):
        outer()
    names = record.flow("outer").state_name, record.flow("inner").state_name
    assert names == ("Cancelled", "Cancelled")
    assert record.tasks("inner")["interrupted-0"].state_name == "Cancelled"


def test_cancelling_an_async_flow_cancels_its_run(record: Record) -> None:
    """An asyncio task that is cancelled ends its flow run as Cancelled."""

    @flow
    async def around() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        running = asyncio.create_task(around())
        await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert record.flow().state_name == "Cancelled"


def test_an_exit_crashes_the_flow(record: Record) -> None:
    """`sys.exit` comes through, and is on record as what ended the run."""

    @flow
    def around() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        around()
    assert caught.value.code == 3
    run = record.flow()
    assert run.state_name == "Crashed"
    assert "SystemExit: 3" in str(run.state.message)


def test_an_exit_in_a_submitted_task_crashes_the_task(record: Record) -> None:
    """Only the task is ended; who asks for its result gets the exit."""

    @task
    def exits() -> None:
        raise SystemExit(3)

    @flow
    def around() -> str:
        return exits.submit(return_state=True).name

    assert around() == "Crashed"
    assert record.tasks()["exits-0"].state_type == "CRASHED"


def test_nothing_starts_once_a_flow_is_stopped(record: Record) -> None:
    """Code that goes on after its flow was interrupted cannot start tasks."""
    outcome: list[BaseException] = []
    going_on = threading.Event()

    @task
    def stubborn() -> None:
        going_on.set()
        try:
            while True:
                time.sleep(0.001)
        except KeyboardInterrupt:
            try:
                double(1)
            except CancelledRun as error:
                outcome.append(error)
            raise

    @flow
    def around() -> None:
        stubborn.submit()
        going_on.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        around()
    assert "was not started" in str(outcome[0])
    assert "double-0" not in record.tasks()


def test_the_record_shows_parameters_that_are_no_json(record: Record) -> None:
    """Values of any kind can be parameters; the record shows them as text."""

    class Thing:
        def __repr__(self) -> str:
            return "<thing>"

    @flow(validate_parameters=False)
    def around(thing: Thing, numbers: list[float]) -> None: ...

    around(Thing(), [1.0, float("nan")])
    assert record.flow().parameters == {"thing": "<thing>", "numbers": [1.0, "nan"]}
