"""What code can learn of its surroundings, and take along to threads and processes of its own."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_run_logger, runtime, tags, task
from caudal.context import (
    FlowRunContext,
    TagsContext,
    TaskRunContext,
    get_run_context,
    hydrated_context,
    serialize_context,
    with_context,
)
from caudal.exceptions import MissingContextError
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from tests.conftest import Record


def test_a_flow_knows_its_context() -> None:
    """Flow, run, parameters and options are there."""
    runner = ThreadPoolTaskRunner(max_workers=2)

    @flow(task_runner=runner, persist_result=True, log_prints=True)
    def outer(size: int) -> None:
        assert size == 3
        context = get_run_context()
        assert isinstance(context, FlowRunContext)
        assert TaskRunContext.get() is None
        assert context.flow_run.state_name == "Running"
        assert context.parameters == {"size": size}
        assert context.start_time == context.flow_run.start_time
        assert (context.persist_result, context.log_prints) == (True, True)
        assert context.task_runner is runner
        assert context.flow is outer

    outer(3)


@pytest.mark.parametrize("runner", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_a_task_knows_its_context_in_every_runner(runner: Any) -> None:
    """The innermost run is the one in charge; the flow run around it is known too."""

    @task(tags=["own"])
    def step(number: int) -> dict[str, Any]:
        assert number == 3
        context = get_run_context()
        around = FlowRunContext.get()
        assert isinstance(context, TaskRunContext)
        assert around is not None
        return {
            "task": context.task.name,
            "run": context.task_run.name,
            "parameters": context.parameters,
            "flow": around.flow_run.name,
            "flow_parameters": around.parameters,
            "tags": TagsContext.get().current_tags | set(runtime.task_run.tags),
            "parent": runtime.flow_run.parent_flow_run_id,
            "root": runtime.flow_run.root_flow_run_id,
        }

    @flow(task_runner=runner(max_workers=1))
    def inner(size: int) -> tuple[str | None, dict[str, Any]]:
        with tags("around"):
            return runtime.flow_run.name, step.submit(size).result()

    @flow
    def outer() -> tuple[str | None, tuple[str | None, dict[str, Any]]]:
        return runtime.flow_run.id, inner(3)

    with tags("outside"):
        outer_id, (inner_name, seen) = outer()
    assert seen["task"] == "step"
    assert seen["run"] == "step-0"
    assert seen["parameters"] == {"number": 3}
    assert seen["flow"] == inner_name
    assert seen["flow_parameters"] == {"size": 3}
    assert seen["tags"] == {"own", "around", "outside"}
    assert (seen["parent"], seen["root"]) == (outer_id, outer_id)


@pytest.mark.parametrize("runner", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_a_task_knows_its_flow_run_whole_in_every_runner(runner: Any) -> None:
    """Counts, state, times, tags, the flow itself and its runner are the same in threads and in processes."""

    @task(tags=["own"], retries=1)
    def step() -> dict[str, Any]:
        context, own = FlowRunContext.get(), TaskRunContext.get()
        assert context is not None
        assert own is not None
        if own.task_run.run_count == 1:
            raise ValueError
        assert context.flow is not None
        return {
            "run": (context.flow_run.state_name, runtime.flow_run.run_count),
            "times": (context.flow_run.created, context.flow_run.start_time, own.task_run.created, own.start_time),
            "tags": (runtime.flow_run.tags, runtime.task_run.tags, own.task_run.tags, TagsContext.get().current_tags),
            "flow": (context.flow.name, context.flow.fn.__name__, context.task_runner),
        }  # fmt: skip

    @flow(task_runner=runner(max_workers=1), name="Around")
    def around() -> tuple[Any, Any]:
        with tags("inner"):
            future = step.submit()
        return future.result(), get_run_context()

    with tags("outer"):
        seen, context = around()
    assert seen["run"] == ("Running", 1)
    created, started, task_created, task_started = seen["times"]
    assert (created, started) == (context.flow_run.created, context.flow_run.start_time)
    assert started <= task_created <= task_started
    run_tags = ["inner", "outer", "own"]
    assert seen["tags"] == (["outer"], run_tags, run_tags, {"inner", "outer"})
    assert seen["flow"] == ("Around", "around", runner(max_workers=1))


def test_outside_of_runs_there_is_no_context() -> None:
    """Asking for it is an error, looking for it is not."""
    assert FlowRunContext.get() is None
    assert TaskRunContext.get() is None
    assert TagsContext.get().current_tags == set()
    with pytest.raises(MissingContextError):
        get_run_context()


def test_a_task_outside_of_flows_has_no_flow_context(record: Record) -> None:
    """It is a run of its own."""

    @task
    def step() -> str:
        assert FlowRunContext.get() is None
        return get_run_context().task_run.name  # type: ignore[union-attr]

    assert step() == record.task("step").name


def look(number: int) -> tuple[int, str | None, str | None]:
    """Log a line and return what is known of the surroundings."""
    get_run_logger().info("look %d", number)
    return number, runtime.flow_run.name, runtime.task_run.name


def test_pools_of_a_task_can_take_its_context_along(record: Record) -> None:
    """Lines that they log belong to the run, in threads and in processes."""

    @task
    def fan_out() -> list[Any]:
        work = with_context(look)
        with ThreadPoolExecutor(1) as threads:
            seen = list(threads.map(work, [1]))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
            return seen + list(processes.map(work, [2]))

    @flow
    def outer() -> list[Any]:
        return fan_out()

    seen = outer()
    name = record.flow().name
    assert seen == [(1, name, "fan_out-0"), (2, name, "fan_out-0")]
    lines = record.logs(record.task("fan_out"))
    assert [line for line in lines if line.startswith("look")] == ["look 1", "look 2"]


def test_a_flow_can_hand_its_context_on(record: Record) -> None:
    """Tasks that are called in it are tasks of the flow run."""

    @task
    def step() -> int:
        return 1

    @flow
    def outer() -> None:
        context = serialize_context()

        def work() -> str | None:
            with hydrated_context(context):
                step()
                return runtime.flow_run.name

        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(work).result() == runtime.flow_run.name

    outer()
    assert record.task("step").flow_run_id == record.flow().id


def test_tags_alone_are_a_context() -> None:
    """Outside of runs only tags travel."""
    with tags("nightly"):
        context = serialize_context()
    with hydrated_context(context):
        assert TagsContext.get().current_tags == {"nightly"}
    with hydrated_context(None):
        assert TagsContext.get().current_tags == set()
