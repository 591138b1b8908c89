"""Hooks: when they run, with what, and that their failures change nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_run_logger, runtime, task
from caudal.artifacts import Artifact, create_markdown_artifact
from caudal.concurrency.sync import concurrency
from caudal.context import FlowRunContext, TaskRunContext, get_run_context
from caudal.states import Cancelled, Failed, StateType
from caudal.transactions import transaction
from caudal.variables import Variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

Seen = list[tuple[str, str, str]]


def noting(seen: Seen, label: str) -> Callable[..., None]:
    """Return a hook that notes its label, the run's task or flow, and the state."""

    def hook(decorated: Any, run: Any, state: Any) -> None:
        assert run.state_name == state.name
        assert run.name
        seen.append((label, decorated.name, state.name))

    return hook


def all_moments(seen: Seen, moments: str) -> dict[str, Any]:
    """Return decorator options with a noting hook at each moment."""
    return {f"on_{moment}": [noting(seen, moment)] for moment in moments.split()}


def test_task_hooks_run_in_order() -> None:
    """Running at each attempt, failure once at the end, with the state of the time."""
    seen: Seen = []

    @task(retries=1, **all_moments(seen, "running completion failure"))
    def work(name: str) -> None:
        raise ValueError(name)

    flow(lambda: work("x"), name="around")(return_state=True)
    assert seen == [
        ("running", "work", "Running"),
        ("running", "work", "Retrying"),
        ("failure", "work", "Failed"),
    ]


def test_completion_hooks_see_the_result() -> None:
    """A hook of a completed run gets the state with its result."""
    seen: list[Any] = []

    @task(on_completion=[lambda _task, _run, state: seen.append(state.result())])
    def work() -> int:
        return 5

    flow(lambda: [work(), work.submit().result()], name="around")()
    assert seen == [5, 5]


def test_failure_hooks_see_the_exception() -> None:
    """A hook of a failed run can get the exception."""
    seen: list[Any] = []

    @task(
        on_failure=[lambda *hook: seen.append(hook[2].result(raise_on_failure=False))]
    )
    def work() -> None:
        raise ValueError("no")

    work(return_state=True)
    assert isinstance(seen[0], ValueError)


def test_decorator_forms_add_hooks() -> None:
    """`@task.on_completion` and its like add to what the decorator was given, in order."""
    seen: Seen = []
    work = task(name="work", on_completion=[noting(seen, "first")])(lambda: 1)
    work.on_completion(noting(seen, "second"))
    work.on_running(noting(seen, "running"))
    work()
    assert [label for label, *_ in seen] == ["running", "first", "second"]


def test_a_failing_hook_is_logged_and_changes_nothing(record: Record) -> None:
    """The run keeps its state, the other hooks run, and the log says which hook failed."""
    seen: Seen = []

    def broken(*_: Any) -> None:
        raise RuntimeError

    @task(on_running=[broken], on_completion=[broken, noting(seen, "after")])
    def work() -> int:
        return 1

    @flow(on_completion=[broken], on_running=[broken])
    def around() -> int:
        return work()

    assert around() == 1
    assert seen == [("after", "work", "Completed")]
    assert record.flow().state_name == "Completed"
    assert sum("hook 'broken' failed" in line for line in record.logs()) == 4


def test_hooks_may_be_coroutine_functions() -> None:
    """Async hooks are awaited in sync and async runs."""
    seen: list[str] = []

    async def hook(_decorated: Any, run: Any, _state: Any) -> None:
        await asyncio.sleep(0)
        seen.append(run.name.split("-")[0])

    work = task(name="work", on_completion=[hook])(lambda: 1)

    @task(name="awork", on_completion=[hook])
    async def awork() -> int:
        return 1

    @flow(flow_run_name="around", on_completion=[hook])
    async def around() -> None:
        work()
        await awork()

    flow(lambda: work(), name="sync")()
    asyncio.run(around())
    assert seen == ["work", "work", "awork", "around"]


def test_flow_hooks_run_at_their_moments() -> None:
    """Each end of a flow has its hook; running comes first, and again at a retry."""
    seen: Seen = []
    given = all_moments(seen, "running completion failure cancellation crashed")

    @flow(**given)
    def works() -> None: ...

    @flow(retries=1, **given)
    def fails() -> None:
        raise ValueError

    @flow(**given)
    def interrupted() -> None:
        raise KeyboardInterrupt

    @flow(**given)
    def exits() -> None:
        raise SystemExit(3)

    @flow(**given)
    def cancels() -> Any:
        return Cancelled()

    works()
    fails(return_state=True)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(SystemExit):
        exits()
    cancels(return_state=True)
    ends = [entry for entry in seen if entry[0] != "running"]
    assert ends == [
        ("completion", "works", "Completed"),
        ("failure", "fails", "Failed"),
        ("cancellation", "interrupted", "Cancelled"),
        ("crashed", "exits", "Crashed"),
        ("cancellation", "cancels", "Cancelled"),
    ]
    assert [name for label, name, _ in seen if label == "running"] == [
        "works", "fails", "fails", "interrupted", "exits", "cancels",
    ]  # fmt: skip


def test_flow_hooks_run_when_the_end_is_durable(record: Record) -> None:
    """A completion hook finds the run's end in the ledger."""
    seen: list[str] = []

    def hook(_flow: Any, run: Any, _state: Any) -> None:
        seen.append(record.client.read_flow_run(run.id).state_name)

    flow(on_completion=[hook], name="around")(lambda: 1)()
    assert seen == ["Completed"]


def test_flow_hooks_get_the_flow_run() -> None:
    """The hook's flow run has id, name, parameters and tags."""
    seen: list[Any] = []

    @flow(on_completion=[lambda _flow, run, _state: seen.append(run)])
    def around(number: int) -> None: ...

    around("5")
    run = seen[0]
    assert (run.flow_name, run.parameters, run.run_count) == (
        "around",
        {"number": 5},
        1,
    )


def test_a_hook_of_a_task_that_returns_a_failed_state_is_the_failure_hook() -> None:
    """The state decides which hooks run."""
    seen: Seen = []

    @task(**all_moments(seen, "completion failure"))
    def work() -> Any:
        return Failed(message="no")

    work(return_state=True)
    assert seen == [("failure", "work", "Failed")]


def test_hooks_of_a_not_ready_task_do_not_run() -> None:
    """A task that did not start has neither failed nor completed."""
    seen: Seen = []

    @task
    def fails() -> None:
        raise ValueError

    @task(**all_moments(seen, "running completion failure"))
    def work(_: Any) -> None: ...

    flow(lambda: work.submit(fails.submit()).wait(), name="around")()
    assert seen == []


def test_hooks_run_for_results_from_the_cache() -> None:
    """A run that ends Cached has completed."""
    seen: Seen = []

    @task(persist_result=True, **all_moments(seen, "running completion"))
    def work() -> int:
        return 1

    flow(lambda: (work(), work()), name="around")()
    assert [entry[::2] for entry in seen] == [
        ("running", "Running"),
        ("completion", "Completed"),
        ("completion", "Cached"),
    ]


def test_hooks_have_their_run_in_charge(record: Record) -> None:
    """Logger, context and runtime of a hook are those of the run it is called for, in and outside of flows."""
    seen: list[Any] = []

    def hook(_decorated: Any, run: Any, state: Any) -> None:
        context = get_run_context()
        assert runtime.flow_run.id is not None or isinstance(context, TaskRunContext)
        get_run_logger().info("%s of %s", state.name, run.name)
        seen.append((type(context), context.parameters))

    async def ahook(*given: Any) -> None:
        await asyncio.sleep(0)
        hook(*given)

    both: dict[str, Any] = {
        "on_running": [hook],
        "on_completion": [ahook],
        "on_failure": [hook],
    }

    @task(task_run_name="step-{number}", **both)
    def step(number: int) -> None:
        if number:
            raise ValueError

    @flow(flow_run_name="around", **both)
    def around(numbers: list[int]) -> Any:
        return step.map(numbers)

    around([0, 1], return_state=True)
    step(2, return_state=True)
    logged = {line for line in record.logs() if " of " in line}
    assert logged == {
        "Running of around", "Failed of around", "Running of step-0", "Completed of step-0",
        "Running of step-1", "Failed of step-1", "Running of step-2", "Failed of step-2",
    }  # fmt: skip
    assert seen[-1] == (TaskRunContext, {"number": 2})
    assert (FlowRunContext, {"numbers": [0, 1]}) in seen


def test_what_a_hook_of_an_ended_flow_logs_is_durable_when_the_call_returns(
    engine: Engine,
) -> None:
    """The line is in the ledger although nobody waits for it."""

    @flow(on_completion=[lambda *_: get_run_logger().info("sent")])
    def around() -> None: ...

    around()
    assert "sent" in [row.message for _, row in engine.ledger.logs()]


def test_hooks_of_an_ended_flow_call_tasks_and_flows_and_keep_things(
    record: Record,
) -> None:
    """What they call is no part of the run that has ended; what they keep bears its id."""
    seen: list[Any] = []
    alert = task(name="alert")(lambda text: text.upper())
    page = flow(name="page")(lambda: alert.submit("flow").result())

    def hook(_flow: Any, run: Any, _state: Any) -> None:
        seen.extend([alert("task"), alert.submit("later").result(), page()])
        create_markdown_artifact("# failed", key="report")
        with concurrency("mail"):
            seen.append(run.id)

    @flow(on_failure=[hook])
    def around() -> None:
        raise ValueError

    record.client.upsert_global_concurrency_limit_by_name("mail", 1)
    around(return_state=True)
    run_id = record.flow("around").id
    assert seen == ["TASK", "LATER", "FLOW", run_id]
    artifact = Artifact.get("report")
    assert artifact is not None
    assert artifact.flow_run_id == run_id
    assert record.flow("page").parent_flow_run_id is None


@pytest.mark.parametrize("is_async", [False, True])
def test_an_async_hook_can_await_names_without_an_a(*, is_async: bool) -> None:
    """Whether it can await is a matter of the hook, not of the function of its run."""
    seen: list[Any] = []

    async def hook(*_: Any) -> None:
        await Variable.set("place", "here")  # pyright: ignore[reportGeneralTypeIssues] - awaitable there
        seen.append(Variable.get("place"))
        seen[-1] = await seen[-1]

    async def awork() -> None: ...

    given: dict[str, Any] = {"name": "work", "on_completion": [hook]}
    if is_async:
        asyncio.run(task(**given)(awork)())
    else:
        task(**given)(lambda: None)()
    assert seen == ["here"]


def test_hooks_get_when_the_run_started_and_ended(record: Record) -> None:
    """The run that a hook gets has the times that the record has, and a kind of state that is more than text."""
    seen: dict[str, Any] = {}

    def hook(_decorated: Any, run: Any, state: Any) -> None:
        seen[f"{run.name} {state.name}"] = run

    both: dict[str, Any] = {"on_running": [hook], "on_completion": [hook]}
    step = task(name="step", tags=["own"], **both)(lambda: None)

    @flow(flow_run_name="around", **both)
    def around() -> None:
        step.submit().wait()

    around()
    for kept in (record.flow(), record.tasks()["step-0"]):
        ended, running = seen[f"{kept.name} Completed"], seen[f"{kept.name} Running"]
        assert (ended.start_time, ended.end_time) == (kept.start_time, kept.end_time)
        assert (running.start_time, running.end_time) == (kept.start_time, None)
        assert ended.state_type is StateType.COMPLETED
        assert ended.state_type == "COMPLETED"
        assert kept.state_type is StateType.COMPLETED


def test_the_log_line_of_a_failed_hook_begins_at_its_code(record: Record) -> None:
    """Where caudal called it from is of no use to whoever looks for the mistake."""

    def broken(*_: Any) -> None:
        raise RuntimeError

    task(name="work", on_completion=[broken])(lambda: None)()
    line = next(line for line in record.logs() if "hook 'broken' failed" in line)
    assert line.count("  File ") == 1
    assert "in broken" in line


def test_hooks_of_transactions_log_for_their_task_run(record: Record) -> None:
    """Also where no flow is around."""
    step = task(name="step")(lambda: 1)
    step.on_commit(lambda _: get_run_logger().info("kept"))
    step.on_rollback(lambda _: get_run_logger().info("undone"))
    step()
    with suppress(ValueError), transaction():
        step()
        raise ValueError
    lines = record.client.read_logs()
    assert {line.message for line in lines if line.task_run_id} >= {"kept", "undone"}
