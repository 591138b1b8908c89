"""The client: reading what the ledger knows about runs."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from caudal import flow, get_client, get_run_logger, task
from caudal.exceptions import AmbiguousNameError, LedgerError, ObjectNotFound
from caudal.testing.utilities import caudal_test_harness

if TYPE_CHECKING:
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


def test_a_list_is_not_asked_for_what_it_does_not_know(record: Record) -> None:
    """A filter that has no effect would show runs that nobody asked for."""
    unknown: Any = {"deployment_filter": None}
    for method in (
        "read_flow_runs",
        "count_flow_runs",
        "read_task_runs",
        "count_task_runs",
    ):
        with pytest.raises(
            TypeError, match=rf"{method}\(\) cannot be asked for deployment_filter"
        ):
            getattr(record.client, method)(**unknown)


def test_a_run_says_how_long_it_took_and_of_which_version(record: Record) -> None:
    """Under Prefect's names."""
    count.with_options(version="3")([1])

    run = record.flow()
    assert run.flow_version == "3"
    assert run.total_run_time == timedelta(seconds=run.duration_seconds or 0)
    assert (
        record.client.create_flow_run(count, parameters={"numbers": []}).total_run_time
        == timedelta()
    )
