"""What lists are asked for: a mistake is an error, never a list of everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_run_logger, task
from caudal.client.schemas.filters import FlowRunFilter, LogFilter, TaskRunFilter
from caudal.client.schemas.sorting import FlowRunSort, LogSort, TaskRunSort
from caudal.model.states import StateType

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
    for number in numbers:
        step(number, return_state=True)


@pytest.fixture
def client(record: Record) -> Any:
    """Give a client, untyped, of a ledger with two flow runs."""
    count([1])
    count([2, -1])
    return record.client


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("read_flow_runs", {"state_type": "FAILED"}, "no option 'state_type'.*state_types"),
        ("read_flow_runs", {"task_name": "step"}, "no option 'task_name'"),
        ("read_task_runs", {"nonsense": 1}, "no option 'nonsense'"),
        ("count_flow_runs", {"foo": 2}, "no option 'foo'"),
        ("count_task_runs", {"limit": 2}, "no option 'limit'"),
        ("read_flow_runs", {"state_types": "FAILED"}, r"state_types=\('FAILED',\)"),
        ("read_task_runs", {"state_names": "Failed"}, "no tuple of texts"),
        ("read_task_runs", {"state_names": (1,)}, "1 is no text"),
        ("read_flow_runs", {"flow_name": 1}, "flow_name: 1 is no text"),
        ("read_flow_runs", {"limit": "3"}, "limit='3' is no whole number"),
        ("read_flow_runs", {"limit": 2.5}, "is no whole number"),
        ("read_logs", {"since": 1, "offset": 1}, "since without"),
        ("read_logs", {"since": 1, "sort": LogSort.TIMESTAMP_ASC}, "since without"),
    ],
)  # fmt: skip
def test_options_that_there_are_not_are_type_errors(
    client: Any, method: str, options: dict[str, Any], words: str
) -> None:
    """The message says what was given, and what there is."""
    with pytest.raises(TypeError, match=words):
        getattr(client, method)(**options)


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("read_flow_runs", {"state_types": ("FAILD",)}, "'FAILD' is not known as state_types.*'FAILED'"),
        ("read_task_runs", {"state_types": ["failed"]}, "'failed' is not known"),
        ("read_flow_runs", {"sort": "NOPE"}, "'NOPE' is not known as sort.*'NAME_ASC'"),
        ("read_task_runs", {"sort": "START_TIME_ASC"}, "not known as sort"),
        ("read_logs", {"sort": "DESC"}, "'TIMESTAMP_DESC'"),
        ("read_flow_runs", {"limit": -1}, "limit=-1 is negative"),
        ("read_task_runs", {"offset": -1}, "offset=-1 is negative"),
        ("read_logs", {"limit": -1}, "limit=-1 is negative"),
        ("read_logs", {"offset": -1}, "offset=-1 is negative"),
        ("read_artifacts", {"limit": -1}, "limit=-1 is negative"),
        ("read_variables", {"limit": -1}, "limit=-1 is negative"),
        ("read_global_concurrency_limits", {"offset": -1}, "offset=-1 is negative"),
        ("read_flow_runs", {"flow_run_filter": TaskRunFilter()}, "FlowRunFilter"),
        ("read_logs", {"log_filter": {"lvl": 1}}, "lvl"),
    ],
)  # fmt: skip
def test_values_that_there_are_not_are_value_errors(
    client: Any, method: str, options: dict[str, Any], words: str
) -> None:
    """The message says what was given, and what there is."""
    with pytest.raises(ValueError, match=words):
        getattr(client, method)(**options)


def test_the_client_that_is_awaited_refuses_the_same(client: Any) -> None:
    """Its methods check what they are given as the others do."""

    async def read() -> None:
        async with client as awaited:
            await awaited.read_flow_runs(state_type="FAILED")

    with pytest.raises(TypeError, match="state_types"):
        asyncio.run(read())


def test_what_is_right_is_taken_in_any_form(client: Any) -> None:
    """Kinds and orders as text or as members, in any collection, filters as mappings."""
    read = client.read_task_runs
    for kinds in (("FAILED",), ["FAILED"], {StateType.FAILED}):
        assert [run.name for run in read(state_types=kinds)] == ["step-1"]
    for sort in ("NAME_ASC", FlowRunSort.NAME_ASC):
        runs = client.read_flow_runs(sort=sort)
        assert [run.name for run in runs] == ["count-1", "count-2"]
    assert read(state_types=None, state_names=None, limit=0) == []
    named = {"name": {"like_": "2"}}
    assert client.count_flow_runs(flow_run_filter=named) == 1
    assert len(read(flow_run_filter=FlowRunFilter(**named), sort=TaskRunSort.ID_ASC)) == 2  # fmt: skip
    runs = client.read_flow_runs(limit=1)
    assert client.read_flow_runs(before=str(runs[0].id))[0].name == "count-1"


def test_log_lines_of_a_run_can_be_sorted_and_filtered(client: Any) -> None:
    """A filter, a sort or an offset leaves the run that was given in force."""
    run = client.read_flow_runs()[0]
    lines = client.read_logs(flow_run_id=run.id, sort=LogSort.TIMESTAMP_DESC)
    assert {line.flow_run_id for line in lines} == {run.id}
    assert lines[0].timestamp >= lines[-1].timestamp
    errors = LogFilter(level={"ge_": 40})  # type: ignore[arg-type]
    first = client.read_flow_run("count-1")
    assert client.read_logs(errors, flow_run_id=first.id) == []
    assert client.read_logs(errors, flow_run_id=run.id) != []
    task_run = client.read_task_runs(flow_run_id=run.id)[0]
    lines = client.read_logs(task_run_id=task_run.id, sort="TIMESTAMP_ASC")
    assert lines[0].message == "step 2"


def test_runs_are_given_as_text_as_runtime_tells_them(client: Any) -> None:
    """Ids of runs, as text or not, whole or not, and names."""
    run = client.read_flow_run("count-2")
    expected = client.read_logs(flow_run_id=run.id)
    assert len(expected) > 1
    for given in (str(run.id), str(run.id)[:20], "count-2"):
        assert client.read_logs(flow_run_id=given) == expected
    task_run = client.read_task_runs(flow_run_id=str(run.id))[0]
    assert client.read_logs(task_run_id=str(task_run.id))[0].message == "step 2"
    client.create_flow_run_input(str(run.id), "answer", '{"value": 42}')
    assert client.read_flow_run_input(str(run.id), "answer") == '{"value": 42}'
    found = client.filter_flow_run_input(str(run.id), "answ", 10)
    assert [(each.flow_run_id, each.key) for each in found] == [(run.id, "answer")]
    client.delete_flow_run_input("count-2", "answer")
    assert client.filter_flow_run_input(run.id, "answ", 10) == []
