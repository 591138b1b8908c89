"""Filters and orders of lists, as users write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from caudal import flow, get_run_logger, tags, task
from caudal.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    LogFilter,
    LogFilterLevel,
    Operator,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterName,
    TaskRunFilterState,
)
from caudal.client.schemas.objects import StateType
from caudal.client.schemas.sorting import FlowRunSort, LogSort, TaskRunSort

if TYPE_CHECKING:
    from caudal.client import SyncClient
    from tests.conftest import Record


@task
def step(number: int) -> int:
    """Return a number, or fail."""
    get_run_logger().warning("step %s", number)
    if number < 0:
        raise ValueError(number)
    return number


@flow(flow_run_name="load-{day}", version="1")
def load(day: str, number: int) -> None:  # noqa: ARG001 - it is in the name
    """Have one step."""
    step(number)


@flow(flow_run_name="publish-{day}", version="2")
def publish(day: str) -> None:
    """Call another flow."""
    load(f"{day}-below", 1)


@pytest.fixture
def client(record: Record) -> SyncClient:
    """Give a client of a ledger with four flow runs."""
    with tags("daily"):
        load("monday", 1)
    with tags("daily", "big"):
        load("tuesday", -1, return_state=True)
    publish("monday")
    return record.client


def names(client: SyncClient, *conditions: Any, **query: Any) -> list[str]:
    """Return the names of the flow runs that a filter finds."""
    where = conditions[0] if conditions else None
    runs = client.read_flow_runs(flow_run_filter=where, **query)
    assert client.count_flow_runs(flow_run_filter=where) >= len(runs)
    return [run.name for run in runs]


def test_runs_are_found_by_what_they_are(client: SyncClient) -> None:
    """A field for each property; fields that are not given do not restrict."""
    everything = names(client)
    assert everything == ["load-monday-below", "publish-monday", "load-tuesday", "load-monday"]  # fmt: skip
    assert names(client, FlowRunFilter()) == everything
    failed = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.FAILED]))
    )
    assert names(client, failed) == ["load-tuesday"]
    named = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(not_any_=["Failed"])),
        name=FlowRunFilterName(like_="MONDAY"),
        tags=FlowRunFilterTags(all_=["daily"]),
    )
    assert names(client, named) == ["load-monday"]
    assert names(client, FlowRunFilter(tags=FlowRunFilterTags(any_=["big", "x"]))) == ["load-tuesday"]  # fmt: skip
    assert names(client, FlowRunFilter(tags=FlowRunFilterTags(is_null_=True))) == everything[:2]  # fmt: skip


def test_a_mapping_will_do(client: SyncClient) -> None:
    """Inside a filter no class has to be named."""
    some = client.read_flow_run("publish-monday")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"id": {"any_": [some.id]}}, ["publish-monday"]),
        ({"id": {"any_": [str(some.id)]}}, ["publish-monday"]),
        ({"name": {"any_": ["load-monday", "nothing"]}}, ["load-monday"]),
        ({"flow_version": {"any_": ["2"]}}, ["publish-monday"]),
        ({"parent_flow_run_id": {"any_": [some.id]}}, ["load-monday-below"]),
        ({"parent_flow_run_id": {"is_null_": False}}, ["load-monday-below"]),
        ({"start_time": {"before_": some.start_time}}, ["publish-monday", "load-tuesday", "load-monday"]),
        ({"start_time": {"after_": some.created + timedelta(days=1)}}, []),
        ({"end_time": {"is_null_": True}}, []),
        ({"operator": "or_", "name": {"any_": ["load-monday"]}, "state": {"type": {"any_": ["FAILED"]}}}, ["load-tuesday", "load-monday"]),
    ]  # fmt: skip
    for given, expected in cases:
        assert names(client, FlowRunFilter(**given)) == expected, given


def test_a_filter_that_means_nothing_is_an_error() -> None:
    """A misspelt field, a state that there is not, a time without a zone."""
    wrong: list[dict[str, Any]] = [
        {"naem": {}},
        {"name": {"any": ["x"]}},
        {"state": {"type": {"any_": ["DONE"]}}},
        {"start_time": {"before_": datetime(2024, 1, 1)}},  # noqa: DTZ001 - which is the point
    ]
    for given in wrong:
        with pytest.raises(ValidationError):
            FlowRunFilter(**given)


def test_filters_of_flows_and_tasks_narrow_lists_of_runs(client: SyncClient) -> None:
    """Runs of a flow, and runs with a task run that fits."""
    of_load = FlowFilter(name=FlowFilterName(any_=["load"]))
    runs = client.read_flow_runs(flow_filter=of_load)
    assert {run.flow_name for run in runs} == {"load"}
    assert client.count_flow_runs(flow_filter=of_load) == 3
    failed = TaskRunFilter(state=TaskRunFilterState(type={"any_": ["FAILED"]}))  # pyright: ignore[reportArgumentType]
    assert names(client, task_run_filter=failed) == ["load-tuesday"]
    assert names(client, task_run_filter=failed, flow_name="publish") == []


def test_task_runs_are_found_by_what_they_are(client: SyncClient) -> None:
    """And by the flow runs that they are in."""
    run = client.read_flow_run("load-monday")
    of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))
    (found,) = client.read_task_runs(task_run_filter=of_run)
    assert (found.name, found.flow_run_id) == ("step-0", run.id)
    in_daily = FlowRunFilter(tags=FlowRunFilterTags(all_=["daily"]))
    assert client.count_task_runs(flow_run_filter=in_daily) == 2
    like = TaskRunFilter(name=TaskRunFilterName(like_="step"))
    rows = client.read_task_runs(
        task_run_filter=like, sort=TaskRunSort.ID_ASC, limit=2, offset=1
    )
    everything = client.read_task_runs(sort=TaskRunSort.ID_ASC)
    assert rows == everything[1:3]
    within = client.read_task_runs(flow_run_id=run.id, task_run_filter=like)
    assert within == [found]
    tagged = TaskRunFilter(tags={"all_": ["big"]})  # pyright: ignore[reportArgumentType]
    assert client.count_task_runs(task_run_filter=tagged) == 1


def test_lists_are_sorted_and_paged(client: SyncClient) -> None:
    """By any order, with an offset or behind a run."""
    by_name = names(client, sort=FlowRunSort.NAME_ASC)
    assert by_name == sorted(by_name)
    assert names(client, sort=FlowRunSort.NAME_DESC) == by_name[::-1]
    assert names(client, sort=FlowRunSort.NAME_ASC, limit=2, offset=1) == by_name[1:3]
    first = client.read_flow_runs(sort=FlowRunSort.NAME_ASC, limit=2)
    rest = names(client, sort=FlowRunSort.NAME_ASC, before=first[-1].id, limit=None)
    assert rest == by_name[2:]
    oldest = names(client, sort=FlowRunSort.START_TIME_ASC, limit=1)
    assert oldest == ["load-monday"]


def test_log_lines_are_found(client: SyncClient) -> None:
    """By level and text, last ones first when asked."""
    where = LogFilter(level=LogFilterLevel(ge_=30), text={"query": "STEP"})  # pyright: ignore[reportArgumentType]
    assert len(client.read_logs(where)) == 5
    lines = client.read_logs(LogFilter(**{**where.model_dump(), "level": {"ge_": 30, "le_": 30}}))  # fmt: skip
    assert [line.message for line in lines] == ["step 1", "step -1", "step 1"]
    line = lines[1]
    assert (line.level, line.name, line.extra) == (30, "caudal.task_runs", {})
    assert line.flow_run_id == client.read_flow_run("load-tuesday").id
    assert line.task_run_id is not None
    assert line.timestamp.tzinfo is UTC
    of_run = LogFilter(flow_run_id={"any_": [line.flow_run_id]})  # pyright: ignore[reportArgumentType]
    assert {each.flow_run_id for each in client.read_logs(of_run)} == {line.flow_run_id}
    last = client.read_logs(sort=LogSort.TIMESTAMP_DESC, limit=1)
    assert last == client.read_logs()[-1:]
    assert client.read_logs(LogFilter(task_run_id={"any_": [uuid4()]})) == []  # pyright: ignore[reportArgumentType]


def test_either_of_several_filters(client: SyncClient) -> None:
    """The operator of a filter joins its parts."""
    either = FlowRunFilter(
        operator=Operator.or_,
        name=FlowRunFilterName(like_="publish"),
        tags=FlowRunFilterTags(any_=["big"]),
    )
    assert names(client, either) == ["publish-monday", "load-tuesday"]
