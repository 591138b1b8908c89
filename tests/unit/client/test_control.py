"""What clients ask of flow runs, and the client whose methods are awaited."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from caudal import flow, get_client, pause_flow_run, resume_flow_run, suspend_flow_run
from caudal.client import AsyncClient
from caudal.client.control import RunControl
from caudal.client.reading import RunReads
from caudal.client.schemas.filters import FlowRunFilter
from caudal.client.schemas.objects import SetStateStatus
from caudal.exceptions import CancelledRun, ObjectNotFound, ParameterBindError
from caudal.resume import resume_flow_run as run_again
from caudal.states import Cancelled, Cancelling, Completed, Running, Suspended

if TYPE_CHECKING:
    from tests.conftest import Record


@flow
def quick(number: int = 1) -> int:
    """Return a number."""
    return number


def test_a_run_is_cancelled_by_setting_its_state(record: Record) -> None:
    """As with ``cancel_flow_run``; what is impossible is rejected with a reason."""
    done: list[object] = []

    @flow
    def slow() -> None:
        run = record.client.read_flow_runs()[0]
        done.append(record.client.set_flow_run_state(run.id, Cancelling()))
        time.sleep(60)

    with pytest.raises(CancelledRun):
        slow()
    (accepted,) = done
    assert accepted[1] is SetStateStatus.ACCEPT  # pyright: ignore[reportIndexIssue]
    run = record.flow()
    again = record.client.set_flow_run_state(run.id, Cancelled())
    assert (again.status, again.state.name) == (SetStateStatus.REJECT, "Cancelled")
    assert again.reason is not None
    assert "nothing left to stop" in again.reason
    forced = record.client.set_flow_run_state(run.id, Completed(), force=True)
    assert forced.status is SetStateStatus.REJECT
    assert forced.reason is not None
    assert "not with force either" in forced.reason


def test_a_run_is_suspended_and_resumed_by_setting_its_state(record: Record) -> None:
    """A paused one goes on in its process; others are rejected."""
    client = record.client
    outcomes: list[object] = []

    def ask() -> None:
        while not client.read_flow_runs(state_names=("Paused",)):
            time.sleep(0.01)
        run = client.read_flow_runs()[0]
        outcomes.append(client.set_flow_run_state(run.id, Running()).status)

    @flow
    def paused() -> None:
        pause_flow_run(poll_interval=0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    paused()
    thread.join()
    assert outcomes == [SetStateStatus.ACCEPT]
    rejected = client.set_flow_run_state(record.flow().id, Completed())
    assert rejected.reason == "a flow run cannot be set Completed from outside"
    assert client.set_flow_run_state(record.flow().id, Suspended()).status is SetStateStatus.REJECT  # fmt: skip


def test_a_suspended_run_is_not_taken_up_by_a_client(record: Record) -> None:
    """It needs a process; the reason says what gives it one."""

    @flow
    def suspended() -> None:
        suspend_flow_run()

    suspended(return_state=True)
    result = record.client.resume_flow_run(record.flow().id)
    assert result.status is SetStateStatus.REJECT
    assert result.reason is not None
    assert "caudal.resume_flow_run" in result.reason


def test_a_run_can_be_made_for_later(record: Record) -> None:
    """It is scheduled, belongs to nobody, and is carried out when somebody takes it up."""
    run = record.client.create_flow_run(quick, "later", {"number": 5}, ["big"])
    assert (run.state_name, run.name, run.tags) == ("Scheduled", "later", ["big"])
    assert run.parameters == {"number": 5}
    state = run_again(quick, run.id)
    assert state.result() == 5
    assert record.flow().attempt == 1
    with pytest.raises(ParameterBindError):
        record.client.create_flow_run(quick, parameters={"unknown": 5})
    resumed = record.client.create_flow_run(quick)
    assert resume_flow_run(resumed.id).state_name == "Completed"


def test_what_is_on_record_of_a_run_can_be_changed(record: Record) -> None:
    """Its name, tags, version and parameters; what is not named stays."""
    client = record.client
    run = client.create_flow_run(quick, "later", {"number": 5}, ["big"])

    assert client.set_flow_run_name(run.id, "sooner").name == "sooner"
    changed = client.update_flow_run(
        "sooner", flow_version="2", parameters={"number": 6}, tags=["b", "a", "b"]
    )

    assert (changed.id, changed.name, changed.tags) == (run.id, "sooner", ["a", "b"])
    assert changed.details["version"] == "2"
    assert changed.state_name == "Scheduled"
    assert client.update_flow_run(run.id).parameters == {"number": 6}
    assert run_again(quick, run.id).result() == 6
    with pytest.raises(ObjectNotFound):
        client.set_flow_run_name(uuid4(), "other")


def test_a_run_that_is_being_worked_on_can_be_renamed(record: Record) -> None:
    """Its process goes on, and does not write the old name again."""

    @flow
    def working() -> None:
        record.client.set_flow_run_name(record.flow().id, "renamed")

    working()
    assert (record.flow().name, record.flow().state_name) == ("renamed", "Completed")


def test_a_run_is_given_inputs(record: Record) -> None:
    """By name, as JSON."""
    quick()
    client, run = record.client, record.flow()
    for number in range(3):
        client.create_flow_run_input(run.id, f"n-{number}", json.dumps({"n": number}))
    client.create_flow_run_input(run.id, "other", "{}", "tests")
    found = client.filter_flow_run_input(run.id, "n-", 2, {"n-0"})
    assert [(each.key, json.loads(each.value)) for each in found] == [
        ("n-1", {"n": 1}),
        ("n-2", {"n": 2}),
    ]
    (other,) = client.filter_flow_run_input(run.id, "other", 1)
    assert other.decoded_value == json.loads(other.value)
    assert other.sender == "tests"
    client.delete_flow_run_input(run.id, "n-0")
    for call in (client.read_flow_run_input, client.delete_flow_run_input):
        with pytest.raises(ObjectNotFound):
            call(run.id, "n-0")
    assert json.loads(client.read_flow_run_input(run.id, "n-1")) == {"n": 1}


def test_states_of_runs_are_read(record: Record) -> None:
    """Each with its time and the run it is of, oldest first."""
    quick()
    run = record.flow()
    states = record.client.read_flow_run_states(run.id)
    assert [state.name for state in states] == ["Pending", "Running", "Completed"]
    assert states[0].timestamp == run.created
    assert states[-1].state_details.flow_run_id == run.id


def test_the_async_client_does_the_same(record: Record) -> None:
    """``async with`` gives it, whatever get_client was told."""
    quick()
    run = record.flow()

    async def main() -> None:
        async with get_client() as client:
            assert await client.read_flow_run(run.id) == run
            assert await client.read_flow_runs(flow_name="quick") == [run]
            where = FlowRunFilter(name={"any_": [run.name]})  # pyright: ignore[reportArgumentType]
            assert await client.count_flow_runs(flow_run_filter=where) == 1
            assert await client.count_task_runs() == 0
            assert await client.read_task_runs() == []
            assert len(await client.read_flow_run_states(run.id)) == 3
            assert await client.read_logs() == record.client.read_logs()
            assert await client.read_checks(run.id) == []
            await client.create_flow_run_input(run.id, "a", "{}")
            assert await client.read_flow_run_input(run.id, "a") == "{}"
            assert len(await client.filter_flow_run_input(run.id, "a", 5)) == 1
            await client.delete_flow_run_input(run.id, "a")
            later = await client.create_flow_run(quick)
            assert (await client.cancel_flow_run(later.id)).state.is_cancelled()
            rejected = await client.set_flow_run_state(run.id, Cancelled())
            assert rejected.status is SetStateStatus.REJECT
            with pytest.raises(ObjectNotFound):
                await client.read_task_run(uuid4())
        async with get_client(sync_client=False) as client:
            assert await client.read_flow_run(run.name) == run

    asyncio.run(main())


def test_what_is_asked_of_runs_can_be_awaited() -> None:
    """The client that is awaited has every method, but for the one that gives the ledger's own rows."""
    asked = {name for part in (RunReads, RunControl) for name in dir(part) if name[0] != "_"}  # fmt: skip
    assert asked - set(dir(AsyncClient)) == {"find_flow_run"}
