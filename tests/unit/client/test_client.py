"""The client: reading what the ledger knows about runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from caudal import flow, get_client, get_run_logger, task
from caudal.exceptions import (
    AmbiguousNameError,
    ConfigurationError,
    LedgerError,
    ObjectNotFound,
)
from caudal.testing.utilities import caudal_test_harness

if TYPE_CHECKING:
    from caudal.model.views import FlowRun
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def step(number: int) -> int:
    """Return the number, or fail."""
    get_run_logger().info("step %s", number)
    if number < 0:
        raise ValueError(number)
    return number


@flow(flow_run_name="count-{numbers[0]}")
def count(numbers: list[int]) -> None:
    """Run a step a number."""
    get_run_logger().info("counting")
    for number in numbers:
        step(number, return_state=True)


def test_runs_are_found_by_id_start_of_id_and_name() -> None:
    """People give as much of an id as they like, or a name."""
    count([1])
    with get_client(sync_client=True) as client:
        run = client.read_flow_runs()[0]
        assert client.read_flow_run(run.id) == run
        assert client.read_flow_run(str(run.id)) == run
        assert client.read_flow_run(str(run.id)[:13]) == run
        assert client.read_flow_run("count-1") == run
        task_run = client.read_task_runs(flow_run_id=run.id)[0]
        assert client.read_task_run(task_run.id) == task_run
        assert client.read_task_run(str(task_run.id)) == task_run
        assert client.read_task_run("step-0") == task_run


def test_what_is_not_there_is_an_error(record: Record) -> None:
    """The error says what was looked for and which command lists what there is."""
    for given in ("nothing", uuid4(), str(uuid4())):
        with pytest.raises(ObjectNotFound, match="caudal flow-run ls"):
            record.client.read_flow_run(given)
        with pytest.raises(ObjectNotFound, match="no task run"):
            record.client.read_task_run(given)


def test_what_fits_several_runs_is_an_error(record: Record) -> None:
    """A name that several runs have needs an id."""
    count([1])
    count([1])
    with pytest.raises(AmbiguousNameError, match="more than one flow run"):
        record.client.read_flow_run("count-1")
    with pytest.raises(AmbiguousNameError, match="more than one task run"):
        record.client.read_task_run("step-0")


def test_lists_can_be_narrowed_and_paged(record: Record) -> None:
    """By flow, task and state; newest flow runs first, a flow run's tasks oldest first."""
    for first in (1, 2, 3):
        count([first, -1])
    flow(lambda: None, name="other")()
    client = record.client
    assert [run.name for run in client.read_flow_runs(flow_name="count")] == [
        "count-3", "count-2", "count-1",
    ]  # fmt: skip
    page = client.read_flow_runs(flow_name="count", limit=2)
    rest = client.read_flow_runs(flow_name="count", before=page[-1].id)
    assert [run.name for run in rest] == ["count-1"]
    assert client.read_flow_runs(state_types=("FAILED",)) == []
    assert len(client.read_flow_runs(state_names=("Completed",))) == 4
    tasks = client.read_task_runs(flow_run_id=page[0].id)
    assert [run.name for run in tasks] == ["step-0", "step-1"]
    later = client.read_task_runs(flow_run_id=page[0].id, after=tasks[0].id, limit=1)
    assert [run.name for run in later] == ["step-1"]
    failed = client.read_task_runs(task_name="step", state_types=("FAILED",))
    assert [run.state_name for run in failed] == ["Failed"] * 3


def test_times_are_aware_and_in_utc(record: Record) -> None:
    """Every time of a run says its zone."""
    count([1])
    run = record.flow()
    for at in (run.created, run.start_time, run.end_time, run.state.timestamp):
        assert at is not None
        assert at.tzinfo is UTC
    assert run.duration_seconds == (run.end_time - run.start_time).total_seconds()  # type: ignore[operator]


def test_logs_are_read_in_order_from_a_position(record: Record) -> None:
    """All lines of a flow run with its tasks, or those of one task run."""
    count([1, 2])
    run = record.flow()
    lines = record.client.read_logs(flow_run_id=run.id)
    messages = [row.message for _, row in lines]
    assert [text for text in messages if text[:4] in {"coun", "step"}] == [
        "counting", "step 1", "step 2",
    ]  # fmt: skip
    position = lines[messages.index("step 1")][0]
    after = record.client.read_logs(flow_run_id=run.id, since=position)
    assert after[0][1].message == "step 2"
    assert len(record.client.read_logs(limit=1)) == 1
    second = record.tasks()["step-1"]
    assert record.logs(second) == ["step 2"]


def test_a_flow_is_found_by_its_name(record: Record) -> None:
    """Once there is a run of it."""
    with pytest.raises(ObjectNotFound, match="'named'"):
        record.client.read_flow_by_name("named")

    @flow
    def named() -> None: ...

    named()
    assert record.client.read_flow_by_name("named").name == "named"


def test_a_client_says_whether_the_ledger_can_be_read() -> None:
    """None is well; else it is the error."""
    with caudal_test_harness() as client:
        assert client.api_healthcheck() is None
        client._engine.ledger.close()
        assert isinstance(client.api_healthcheck(), LedgerError)


def test_histories_of_wide_flow_runs_are_whole(record: Record) -> None:
    """However many events a flow run has, its own states and those of its last task runs are read."""

    @task
    def nothing(_: int) -> None:
        pass

    @flow
    def wide() -> None:
        nothing.map(range(10_001)).wait()

    wide()
    client, run = record.client, record.flow()
    names = [state.name for state in client.read_flow_run_states(run.id)]
    assert names == ["Pending", "Running", "Completed"]
    last = client.read_task_run("nothing-10000")
    names = [state.name for state in client.read_task_run_states(last.id)]
    assert names == ["Pending", "Running", "Completed"]


def test_a_task_run_outside_flows_has_a_history(record: Record) -> None:
    """Its own states, and no others."""
    step(1)
    step(2)
    run = record.client.read_task_runs(task_name="step")[0]
    states = record.client.read_task_run_states(run.id)
    assert [state.name for state in states] == ["Pending", "Running", "Completed"]
    assert {state.state_details.task_run_id for state in states} == {run.id}


def test_a_client_is_awaited_where_code_can_await() -> None:
    """As every name that takes time; ``with``, ``async with`` and ``sync_client`` say which it is to be."""
    count([1])

    async def read() -> list[list[FlowRun]]:
        with get_client() as blocking:
            found = [blocking.read_flow_runs()]
        client: Any = get_client()
        found += [await client.read_flow_runs(), get_client(sync_client=True).read_flow_runs()]  # fmt: skip
        async with get_client() as awaited, get_client(sync_client=True) as same:
            return [*found, await awaited.read_flow_runs(), await same.read_flow_runs()]

    expected = get_client().read_flow_runs()
    assert asyncio.run(read()) == [expected] * 5

    @flow
    def plain() -> list[FlowRun]:
        return get_client().read_flow_runs(flow_name="count")

    async def calls_it() -> list[FlowRun]:
        return plain()

    assert asyncio.run(calls_it()) == expected

    async def awaits() -> list[FlowRun]:
        return await get_client(sync_client=False).read_flow_runs(flow_name="count")

    assert asyncio.run(awaits()) == expected


def test_settings_for_http_are_refused() -> None:
    """None are needed, and ones that do nothing would mislead."""
    get_client(None)
    with pytest.raises(ConfigurationError, match=r"httpx_settings=\{'timeout': 1\}"):
        get_client({"timeout": 1})  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_a_client_outlives_its_harness_without_a_riddle() -> None:
    """The error says that the record is gone, and how to get another client."""
    with caudal_test_harness() as client:
        count([1])
    with pytest.raises(LedgerError, match=r"it was closed.*get_client\(\) again"):
        client.read_flow_runs()


def test_runs_tell_what_prefects_tell(record: Record) -> None:
    """Versions and times by the same names."""
    count.with_options(version="7")([1])
    run, task_run = record.flow(), record.tasks()["step-0"]
    assert run.flow_version == "7"
    for each in (run, task_run):
        assert each.expected_start_time == each.created
        assert each.updated == each.end_time == each.state.timestamp
        assert each.total_run_time == each.end_time - each.start_time  # type: ignore[operator]
    made = record.client.create_flow_run(count, parameters={"numbers": [1]})
    assert (made.total_run_time, made.updated) == (timedelta(), made.created)


def test_hooks_are_told_the_version_of_the_flow() -> None:
    """The run that a hook is given has it too."""
    seen: list[str | None] = []

    @flow(version="8", on_completion=[lambda _, run, __: seen.append(run.flow_version)])
    def versioned() -> None: ...

    versioned()
    assert seen == ["8"]
