"""Retrying: a flow run again from what failed, from a chosen task, or with other parameters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS
from caudal.exceptions import FlowRunNotResumableError, ObjectNotFound
from caudal.resume import paths_to_run_again, resume_flow_run, retry_flow_run

if TYPE_CHECKING:
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

ran: list[str] = []
broken: set[str] = set()


def did(name: str) -> None:
    """Note what ran, and fail if it is to."""
    ran.append(name)
    if name in broken:
        raise ConnectionError(name)


@task
def extract(number: int) -> str:
    """Return the name of a table."""
    did("extract")
    return f"raw_{number}"


@task
def transform(table: str) -> str:
    """Return the name of a table."""
    did("transform")
    return f"clean_{table}"


@task
def load(table: str) -> str:
    """Return what was loaded."""
    did("load")
    return f"loaded {table}"


@flow(persist_result=True)
def pipeline(number: int = 1) -> str:
    """Call three tasks one after the other."""
    return load(transform(extract(number)))


@flow(persist_result=True)
def around(number: int = 1) -> str:
    """Call a flow and a task."""
    done = pipeline(number)
    did("around")
    return done


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Forget what ran."""
    ran.clear()
    broken.clear()


def retry(record: Record, *from_tasks: str, **parameters: Any) -> Any:
    """Retry the newest run of the pipeline."""
    ran.clear()
    return retry_flow_run(
        record.flow("pipeline").id, from_tasks=from_tasks, parameters=parameters, flow=pipeline
    )  # fmt: skip


def test_a_failed_run_goes_on_from_what_failed(record: Record) -> None:
    """What completed is not done again; it is the same run."""
    broken.add("load")
    pipeline(return_state=True)
    before = record.flow()
    broken.clear()
    assert retry(record).result() == "loaded clean_raw_1"
    assert ran == ["load"]
    assert (record.flow().id, record.flow().attempt) == (before.id, 2)


def test_a_chosen_task_and_what_follows_is_done_again(record: Record) -> None:
    """Although results are stored, and the names of tables that are passed on stay the same."""
    pipeline()
    assert retry(record, "transform").is_completed()
    assert ran == ["transform", "load"]
    assert retry(record, "load-0").is_completed()
    assert ran == ["load"]
    assert record.flow().attempt == 3
    assert record.flow().details["restored_task_runs"] == 2
    retry(record, "extract")
    assert record.flow().details["restored_task_runs"] == 0


def test_a_chosen_task_is_done_again_in_spite_of_a_cache(record: Record) -> None:
    """What any run with the same inputs left is not used."""
    cached = transform.with_options(cache_policy=INPUTS, persist_result=True)

    @flow
    def short() -> str:
        return cached("t")

    short()
    ran.clear()
    run = record.flow("short").id
    assert retry_flow_run(run, from_tasks=["transform"], flow=short).is_completed()
    assert ran == ["transform"]


def test_an_attempt_after_a_retry_does_what_the_retry_did_not_reach(
    record: Record,
) -> None:
    """What was to be done again is on record, so that a crash in the retry loses nothing."""
    pipeline()
    broken.add("transform")
    assert retry(record, "extract").is_failed()
    assert ran == ["extract", "transform"]
    broken.clear()
    ran.clear()
    assert resume_flow_run(pipeline, record.flow().id).is_completed()
    assert ran == ["transform", "load"]


def test_changed_parameters_do_what_they_change(record: Record) -> None:
    """The others stay as they are on record."""
    pipeline(1)
    assert retry(record, number=2).result() == "loaded clean_raw_2"
    assert ran == ["extract", "transform", "load"]
    assert record.flow().parameters == {"number": 2}
    assert retry(record, number=2).is_completed()
    assert ran == []


def test_a_chosen_flow_is_done_again_with_its_tasks(record: Record) -> None:
    """A flow that the flow calls is named as a task is."""
    around()
    ran.clear()
    run = record.flow("around").id
    state = retry_flow_run(run, from_tasks=["pipeline"], flow=around)
    assert state.is_completed()
    assert ran == ["extract", "transform", "load", "around"]
    assert record.flow("pipeline").attempt == 2


def test_a_task_of_a_child_flow_can_be_chosen(record: Record) -> None:
    """Of the child flow, it is done again and what follows from it; in the parent, what follows from the child."""

    @task
    def publish(done: str) -> str:
        did("publish")
        return f"published {done}"

    @flow(persist_result=True)
    def parent() -> str:
        extract(5)
        return publish(around())

    parent()
    run = record.flow("parent").id

    def again(name: str) -> list[str]:
        ran.clear()
        state = retry_flow_run(run, from_tasks=[name], flow=parent)
        assert state.result() == "published loaded clean_raw_1"
        return ran.copy()

    expected = ["transform", "load", "around", "publish"]
    assert again("transform") == expected
    assert again("around-0/pipeline-0/transform-0") == expected
    assert again("load-0") == expected[1:]
    assert again("extract-0")[0] == "extract"  # the nearest one of the name
    assert again("pipeline") == ["extract", *expected]
    with pytest.raises(ObjectNotFound, match="pipeline-0/publish"):
        again("around-0/pipeline-0/publish")
    assert paths_to_run_again(record.client.find_flow_run(run), ["load"]) == [
        "around-0/pipeline-0/load-0",
        "publish-0",
    ]


def test_the_flow_is_loaded_from_the_file_on_record(record: Record) -> None:
    """When it is not given."""
    pipeline()
    run = record.flow().id
    assert retry_flow_run(run, from_tasks=["load"]).is_completed()
    assert record.flow().attempt == 2


def test_a_completed_run_needs_a_reason(record: Record) -> None:
    """Nothing would be done, and the message says what to say."""
    pipeline()
    with pytest.raises(FlowRunNotResumableError, match="from which task on"):
        retry(record)
    assert record.flow().attempt == 1


def test_an_unknown_task_leaves_the_run_alone(record: Record) -> None:
    """The message names task and run."""
    pipeline()
    with pytest.raises(
        ObjectNotFound, match=f"'unload' in flow run '{record.flow().name}'"
    ):
        retry(record, "load", "unload")
    assert (record.flow().attempt, record.flow().state_name) == (1, "Completed")


def test_coroutines_are_retried(record: Record) -> None:
    """For an async flow there is an awaitable."""

    @task(persist_result=True)
    async def step() -> int:
        ran.append("step")
        return 1

    @flow
    async def waits() -> int:
        return await step()

    asyncio.run(waits())

    async def again() -> Any:
        run = record.flow("waits").id
        return await retry_flow_run(run, from_tasks=["step"], flow=waits)

    assert asyncio.run(again()).data == 1
    assert ran == ["step", "step"]
