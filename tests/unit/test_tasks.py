"""Tasks: what a call, a submission and a map do, and what they leave on record."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from caudal import allow_failure, flow, quote, tags, task, unmapped
from caudal.exceptions import (
    CancelledRun,
    FailedRun,
    MappingLengthMismatch,
    MappingMissingIterable,
    ParameterBindError,
    ReservedArgumentError,
    UpstreamTaskError,
)
from caudal.futures import Future, FutureList
from caudal.states import Cancelled, Completed, Failed, State
from caudal.task_options import NotSet
from caudal.utilities.annotations import opaque

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caudal.model.views import TaskRun
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task
def fail(text: str = "no") -> None:
    """Fail."""
    raise ValueError(text)


@task
async def adouble(number: int) -> int:
    """Return twice the number, later."""
    await asyncio.sleep(0)
    return 2 * number


def in_flow(body: Any) -> State[Any]:
    """Run a function as a flow and return the state it ended in."""
    return flow(body, name="around")(return_state=True)


def test_a_call_returns_what_the_function_returns(record: Record) -> None:
    """A task called in a flow gives its value, and its run is recorded with every state."""
    assert in_flow(lambda: double(4)).result() == 8
    run = record.tasks()["double-0"]
    assert run.state_name == "Completed"
    assert run.task_name == run.task_key == "double"
    assert run.dynamic_key == "double-0"
    assert run.run_count == 1
    assert run.flow_run_id == record.flow().id
    assert run.duration_seconds is not None
    assert record.states(run) == ["Pending", "Running", "Completed"]


def test_a_call_outside_flows_is_recorded_too(record: Record) -> None:
    """A task run may belong to no flow run."""
    assert double(4) == 8
    run = record.task("double")
    assert run.flow_run_id is None
    assert run.state_name == "Completed"


def test_the_function_itself_stays_callable(record: Record) -> None:
    """`fn` is the plain function: calling it records nothing."""
    assert double.fn(4) == 8
    assert record.client.read_task_runs() == []


def test_calls_are_numbered_by_task() -> None:
    """Each task counts its own calls in a flow run."""

    def body() -> list[str]:
        futures = [double.submit(1), adouble.submit(1), double.submit(2)]
        return [future.run.name for future in futures]

    assert in_flow(body).result() == ["double-0", "adouble-0", "double-1"]


def test_an_exception_comes_through_as_it_is(record: Record) -> None:
    """A failed task raises the very exception of its function."""
    given = ValueError("mine")

    @task
    def failing() -> None:
        raise given

    with pytest.raises(ValueError, match="mine") as caught:
        flow(lambda: failing(), name="around")()
    assert caught.value is given
    run = record.tasks()["failing-0"]
    assert run.state_name == "Failed"
    assert run.state.message == ("Task run encountered an exception ValueError: mine")
    assert run.details["error"]["type"] == "ValueError"
    assert "raise given" in run.details["error"]["traceback"]
    assert "caudal/engine" not in run.details["error"]["traceback"]


def test_return_state_does_not_raise() -> None:
    """With `return_state=True` a failure is a value."""
    state = fail(return_state=True)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), ValueError)
    with pytest.raises(ValueError, match="no"):
        state.result()


def test_submit_with_return_state_waits() -> None:
    """`submit(..., return_state=True)` returns the last state."""
    state = in_flow(lambda: double.submit(2, return_state=True).result())
    assert state.result() == 4


def test_wrong_arguments_are_an_error_before_there_is_a_run(record: Record) -> None:
    """Arguments that do not fit name the function and what it takes."""
    with pytest.raises(ParameterBindError, match=r"'double' .* takes \(number: "):
        double(1, 2)
    with pytest.raises(ParameterBindError):
        double.submit()
    with pytest.raises(ParameterBindError):
        double.map([1], other=[2])
    assert record.client.read_task_runs() == []


def test_every_kind_of_parameter_arrives() -> None:
    """Positional-only, keyword-only, defaults, and surplus arguments."""

    @task
    def collect(
        first: int,
        /,
        second: int,
        third: int = 3,
        *rest: int,
        named: int,
        other: int = 6,
        **more: int,
    ) -> Any:
        return first, second, third, rest, named, other, more

    def body() -> None:
        few = (1, 2, 3, (), 5, 6, {})
        assert collect(1, 2, named=5) == few
        assert collect.submit(1, second=2, named=5).result() == few
        many = (1, 2, 0, (9, 9), 5, 7, {"x": 8})
        assert collect(1, 2, 0, 9, 9, named=5, other=7, x=8) == many

    in_flow(body).result()


def test_decorators_check_what_they_are_given() -> None:
    """A wrong use of the decorator is an error where it stands."""
    with pytest.raises(TypeError, match="decorates functions"):
        task(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="has no option colour"):
        task(colour="red")(double.fn)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="on_failure takes a list"):
        task(on_failure=print)(double.fn)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="retries must be 0 or more"):
        task(retries=-1)(double.fn)
    with pytest.raises(ReservedArgumentError, match="'wait_for'"):
        task(lambda wait_for: wait_for)


def test_with_options_changes_some_and_keeps_the_rest() -> None:
    """`with_options` makes a new task; what is not named, or None, stays."""
    seen: list[str] = []

    @task(name="first", tags=["a"], retries=1, description="words")
    def work() -> None:
        raise ValueError

    @work.on_failure
    def note(_task: Any, run: TaskRun, _state: State[Any]) -> None:
        seen.append(run.name)

    other = work.with_options(name="second", retries=None)
    assert (work.name, other.name) == ("first", "second")
    assert other.description == "words"
    state = other(return_state=True)
    assert state.is_failed()
    assert seen == ["second-0"]


def test_with_options_keeps_the_number_of_retries(record: Record) -> None:
    """An option given as None keeps its value, as in Prefect."""
    fail.with_options(retries=2).with_options(retries=None)(return_state=True)
    assert record.task("fail").run_count == 3


def test_methods_can_be_tasks() -> None:
    """A task on a class is bound as a method is."""

    class Well:
        def __init__(self, depth: int) -> None:
            self.depth = depth

        @task
        def deeper(self, by: int) -> int:
            return self.depth + by

        @staticmethod
        @task
        def shallow() -> int:
            return 1

    def body() -> Any:
        well = Well(10)
        return well.deeper(1), well.deeper.submit(2).result(), Well.shallow()

    assert in_flow(body).result() == (11, 12, 1)


def test_coroutine_functions_are_awaited(record: Record) -> None:
    """An async task is awaited in an async flow."""

    @flow
    async def around() -> int:
        return await adouble(3) + double(1)

    assert asyncio.run(around()) == 8
    assert {run.state_name for run in record.tasks().values()} == {"Completed"}


def test_a_thousand_async_tasks_at_once(record: Record) -> None:
    """`asyncio.gather` over a thousand task calls runs them on the flow's own loop."""

    @flow
    async def around() -> list[int]:
        return await asyncio.gather(*[adouble(number) for number in range(1000)])

    assert asyncio.run(around()) == [2 * number for number in range(1000)]
    run = record.flow()
    assert (run.task_count, run.task_completed) == (1000, 1000)


def test_async_tasks_are_submitted_from_sync_flows() -> None:
    """A sync flow submits coroutine functions and gets their results."""

    def body() -> list[int]:
        return adouble.map(range(50)).result()

    assert in_flow(body).result() == [2 * number for number in range(50)]


def test_async_flows_submit_tasks_of_both_kinds() -> None:
    """An async flow submits plain and coroutine functions."""

    @flow
    async def around() -> list[int]:
        await asyncio.sleep(0)
        return [double.submit(1).result(), adouble.submit(2).result()]

    assert asyncio.run(around()) == [2, 4]


def test_tasks_may_call_tasks(record: Record) -> None:
    """A task called in a task is a run of its own below the first one."""

    @task
    def outer(number: int) -> int:
        return double(number) + double.submit(number).result()

    assert in_flow(lambda: outer(3)).result() == 12
    paths = {run.dynamic_key for run in record.tasks().values()}
    assert paths == {"outer-0", "outer-0/double-0", "outer-0/double-1"}


def test_futures_are_found_in_containers() -> None:
    """Futures in lists, tuples, sets, dicts and dataclasses become results; the container's kind stays."""

    @dataclass
    class Box:
        content: Any

    class Pair(NamedTuple):
        left: Any
        right: Any

    @task
    def same(value: Any) -> Any:
        return value

    def body() -> None:
        one, two = double.submit(1), adouble.submit(2)
        shapes = {
            "list": ([one, [two]], [2, [4]]),
            "tuple": ((one, 0), (2, 0)),
            "named": (Pair(one, two), Pair(2, 4)),
            "set": ({one}, {2}),
            "dict": ({"a": {"b": two}}, {"a": {"b": 4}}),
            "dataclass": (Box([one]), Box([2])),
        }
        for name, (given, expected) in shapes.items():
            found = same.submit(given).result()
            assert (name, found) == (name, expected)
            assert type(found) is type(expected)
            assert same(given) == expected

    in_flow(body).result()


def test_a_future_is_resolved_when_the_task_is_called_directly() -> None:
    """A direct call waits for the futures among its arguments."""
    assert in_flow(lambda: double(double.submit(double.submit(1)))).result() == 8


def test_states_given_as_arguments_become_results() -> None:
    """A completed state stands for its result, a failed one keeps the task from running."""

    def body() -> None:
        assert double(double(2, return_state=True)) == 8
        state = double(fail(return_state=True), return_state=True)
        assert (state.type.value, state.name) == ("PENDING", "NotReady")

    in_flow(body).result()


def test_quote_hides_futures() -> None:
    """A quoted value arrives untouched."""

    @task
    def kind(value: Any) -> str:
        return type(value[0]).__name__

    def body() -> str:
        one = double.submit(1)
        quoted = quote([one])
        assert kind(quoted) == kind.submit(quoted).result() == "Future"
        return kind([one])

    assert in_flow(body).result() == "int"


def test_what_is_opaque_is_not_looked_into() -> None:
    """A future is replaced by its result; one in a container stays what it is."""

    @task
    def kinds(value: Any, inside: Any) -> tuple[str, str]:
        return type(value).__name__, type(inside[0]).__name__

    def body() -> tuple[tuple[str, str], list[tuple[str, str]]]:
        one = double.submit(1)
        called = kinds.submit(opaque(one), opaque([one])).result()
        return called, kinds.map(opaque([one]), unmapped([1])).result()

    assert in_flow(body).result() == (("int", "Future"), [("int", "int")])


def test_marks_are_taken_off_wherever_they_are() -> None:
    """A task never sees a mark, also when there is no future in it."""

    @task
    def same(*values: Any) -> Any:
        return values

    def body() -> None:
        marked = (quote(1), [unmapped(2)], {"a": allow_failure(3)})
        assert same(*marked) == same.submit(*marked).result() == (1, [2], {"a": 3})

    in_flow(body).result()


def test_a_failed_input_keeps_a_task_from_running(record: Record) -> None:
    """A task whose input failed is NotReady, and so is what comes after it."""

    def body() -> None:
        second = double.submit(fail.submit())
        third = double.submit(second)
        for future in (second, third):
            future.wait()
            assert future.state.type == "PENDING"
            assert future.state.name == "NotReady"
            with pytest.raises(UpstreamTaskError):
                future.result()
        assert second.state.message is not None
        assert "did not reach a 'COMPLETED' state" in second.state.message

    in_flow(body).result()
    names = {name: run.state_name for name, run in record.tasks().items()}
    assert names == {"fail-0": "Failed", "double-0": "NotReady", "double-1": "NotReady"}
    assert record.tasks()["double-0"].run_count == 0


def test_allow_failure_passes_the_exception_on() -> None:
    """An input wrapped in `allow_failure` may fail: the task gets the exception, or the result."""

    @task
    def kinds(values: Any) -> list[str]:
        return [type(value).__name__ for value in values]

    def body() -> list[str]:
        return kinds(allow_failure([fail.submit(), double.submit(1)]))

    assert in_flow(body).result() == ["ValueError", "int"]


def test_wait_for_orders_runs_without_passing_values() -> None:
    """A task starts after the runs it waits for, alone or in a list."""
    order: list[str] = []

    @task
    def step(name: str) -> None:
        order.append(name)

    @task
    async def slow_step(name: str) -> None:
        await asyncio.sleep(0.02)
        order.append(name)

    def body() -> None:
        first = slow_step.submit("first")
        second = step.submit("second", wait_for=first)
        step.submit("third", wait_for=[second, first])
        step("fourth", wait_for=[second])

    in_flow(body).result()
    assert order[:2] == ["first", "second"]
    assert sorted(order[2:]) == ["fourth", "third"]


def test_wait_for_a_failed_run_is_not_ready() -> None:
    """A task that waits for a run which fails does not run, unless failure is allowed."""

    def body() -> Any:
        failing = fail.submit()
        state = double(1, wait_for=[failing], return_state=True)
        assert state.name == "NotReady"
        return double(1, wait_for=[allow_failure(failing)])

    assert in_flow(body).result() == 2


def test_map_calls_the_task_once_an_item() -> None:
    """Lists, tuples, ranges, sets, generators and iterators can be mapped over."""

    def numbers() -> Iterator[int]:
        yield from (1, 2, 3)

    def body() -> None:
        for given in ([1, 2, 3], (1, 2, 3), range(1, 4), numbers(), iter([1, 2, 3])):
            futures = double.map(given)
            assert isinstance(futures, FutureList)
            assert futures.result() == [2, 4, 6]
        assert sorted(double.map({1, 2}).result()) == [2, 4]
        assert double.map(number=[4]).result() == [8]

    in_flow(body).result()


def test_map_shares_what_is_no_iterable() -> None:
    """Numbers, texts and unmapped values go to every call whole."""

    @task
    def join(*values: Any, **named: Any) -> Any:
        return values, named

    def body() -> Any:
        shared = unmapped([9])
        return join.map(
            [1, 2], "ab", 5, None, shared, key=[7, 8], other=shared
        ).result()

    assert in_flow(body).result() == [
        ((1, "ab", 5, None, [9]), {"key": 7, "other": [9]}),
        ((2, "ab", 5, None, [9]), {"key": 8, "other": [9]}),
    ]


def test_map_over_nothing_is_nothing() -> None:
    """An empty iterable gives an empty list, not an error."""
    assert in_flow(lambda: double.map([]).result()).result() == []


def test_map_needs_iterables_of_one_length() -> None:
    """What cannot be mapped over is said with lengths and names."""
    pair = task(lambda left, right: (left, right), name="pair")
    with pytest.raises(MappingLengthMismatch, match="left: 2, right: 3"):
        pair.map([1, 2], right=[1, 2, 3])
    with pytest.raises(MappingMissingIterable, match="got only left, right"):
        pair.map(1, right="text")
    with pytest.raises(MappingMissingIterable):
        pair.map(unmapped([1]), right="text")
    rest = task(lambda *rest: rest, name="rest")
    with pytest.raises(MappingLengthMismatch, match="argument 0: 1, argument 1: 2"):
        rest.map([1], [2, 3])


def test_what_is_quoted_is_mapped_over_and_not_looked_into() -> None:
    """Each item arrives untouched, as a quoted value does."""
    kind = task(lambda item: type(item).__name__, name="kind")

    def body() -> Any:
        return kind.map(quote([double.submit(1), 2])).result()

    assert in_flow(body).result() == ["Future", "int"]


def test_a_failed_future_is_not_mapped_over() -> None:
    """The error names its run; with `allow_failure` what it raised is no iterable."""
    pair = task(lambda left, right: (left, type(right).__name__), name="pair")

    def refused() -> None:
        with pytest.raises(UpstreamTaskError, match="'fail-0' did not complete"):
            double.map(fail.submit())

    def allowed() -> Any:
        failed = allow_failure(fail.submit())
        with pytest.raises(MappingMissingIterable):
            double.map(failed)
        return pair.map([1, 2], failed).result()

    in_flow(refused)
    assert in_flow(allowed).result() == [(1, "ValueError"), (2, "ValueError")]


def test_map_takes_futures() -> None:
    """A future of a list is mapped over, futures in a list are waited for, an unmapped future is shared."""

    @task
    def numbers() -> list[int]:
        return [1, 2]

    @task
    def add(left: int, right: int) -> int:
        return left + right

    def body() -> Any:
        listed = numbers.submit()
        doubled = double.map(listed)
        return add.map(doubled, unmapped(double.submit(5))).result()

    assert in_flow(body).result() == [12, 14]


def test_map_waits_and_returns_states() -> None:
    """`map` takes `wait_for` and `return_state`."""

    def body() -> None:
        states = double.map([1, 2], wait_for=[adouble.submit(1)], return_state=True)
        assert [state.result() for state in states] == [2, 4]
        refused = double.map([1, 2], wait_for=[fail.submit()], return_state=True)
        assert [state.name for state in refused] == ["NotReady", "NotReady"]

    in_flow(body).result()


def test_a_failed_item_of_a_map_fails_alone(record: Record) -> None:
    """The other items complete; the result of the list raises, or holds the exception in its place."""

    @task
    def check(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    def body() -> None:
        futures = check.map([1, 2, 3])
        kept = futures.result(raise_on_failure=False)
        assert [kept[0], kept[2]] == [1, 3]
        assert isinstance(kept[1], ValueError)
        with pytest.raises(ValueError, match="2"):
            futures.result()
        after = double.map(allow_failure(check.map([1, 3])))
        assert after.result() == [2, 6]

    in_flow(body).result()
    assert record.flow().task_failed == 1


def test_tags_add_up(record: Record) -> None:
    """A task run has the tags of its task, of the blocks around the call and of its flow run."""

    @task(tags={"own"})
    def tagged() -> None: ...

    @flow
    def around() -> None:
        with tags("block", "own"):
            tagged()
            with tags("inner"):
                tagged.submit()
        tagged()

    with tags("outer"):
        around()
    assert record.flow().tags == ["outer"]
    assert [run.tags for run in record.tasks().values()] == [
        ["block", "outer", "own"],
        ["block", "inner", "outer", "own"],
        ["outer", "own"],
    ]


def test_run_names_are_made_from_parameters(record: Record) -> None:
    """A template, a function, or a function of the parameters names the run."""

    @task(task_run_name="load {day} of {task_name}")
    def template(day: str, part: int = 3) -> None: ...

    @task(task_run_name=lambda: "by function")
    def function(day: str) -> None: ...

    @task(task_run_name=lambda parameters: f"by {parameters['part']}")
    def parameters(day: str, part: int = 3) -> None: ...

    def body() -> None:
        template(task(lambda: "monday").submit())
        function.submit("monday")
        parameters("monday")

    in_flow(body).result()
    assert {"load monday of template", "by function", "by 3"} < set(record.tasks())


def test_a_template_that_cannot_be_filled_says_what_there_is() -> None:
    """A run name with an unknown parameter is a readable error."""

    @task(task_run_name="load-{night}")
    def load(day: str) -> str:
        return day

    with pytest.raises(ValueError, match=r"'load-{night}' .* there is day"):
        load("monday")


def test_a_task_that_returns_a_state_ends_in_it(record: Record) -> None:
    """States made by the task's code decide how its run ends; the call gives the state's data."""
    states = {
        "good": Completed(data=4, message="fine", name="Good"),
        "bad": Failed(message="not today"),
        "ended": Cancelled(),
    }

    @task
    def returns(name: str) -> Any:
        return states[name]

    def body() -> None:
        assert returns("good") == 4
        with pytest.raises(FailedRun, match="not today"):
            returns("bad")
        with pytest.raises(CancelledRun):
            returns("ended")

    in_flow(body).result()
    assert [run.state_name for run in record.tasks().values()] == [
        "Good", "Failed", "Cancelled",
    ]  # fmt: skip


def test_tasks_are_pickled_by_name_or_by_value() -> None:
    """A task that can be imported travels as its name, another one whole."""
    assert isinstance(double.submit(1), Future)
    data = pickle.dumps(quote(1))
    assert pickle.loads(data) == quote(1)  # noqa: S301
    assert pickle.loads(pickle.dumps(NotSet)) is NotSet  # noqa: S301
