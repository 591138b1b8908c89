"""How a flow run that somebody cancels is stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from caudal import flow, get_client, runtime, task
from caudal.engine import stopping
from caudal.exceptions import CancelledRun, FlowRunNotCancellableError

if TYPE_CHECKING:
    from caudal.engine.engine import Engine
    from tests.conftest import Record


def cancel_current() -> None:
    """Cancel the flow run whose code calls."""
    assert runtime.flow_run.id is not None
    get_client().cancel_flow_run(runtime.flow_run.id)


def test_a_run_that_ends_while_it_is_cancelled_is_cancelled(record: Record) -> None:
    """The ledger refuses its other end, and the caller learns that too."""
    noted: list[str] = []

    @flow(on_cancellation=[lambda _flow, _run, state: noted.append(state.name)])
    def hasty() -> int:
        cancel_current()
        return 1

    with pytest.raises(CancelledRun, match="The flow run was cancelled"):
        hasty()
    assert record.states(record.flow()) == [
        "Pending",
        "Running",
        "Cancelling",
        "Cancelled",
    ]
    assert noted == ["Cancelled"]


def test_the_state_of_a_cancelled_run_is_returned_when_asked_for(
    record: Record,
) -> None:
    """With ``return_state`` nothing is raised."""

    @flow
    def slow() -> None:
        cancel_current()
        time.sleep(60)

    state = slow(return_state=True)
    assert state.is_cancelled()
    assert record.flow().state_name == "Cancelled"


def test_no_task_starts_once_the_run_is_being_cancelled(record: Record) -> None:
    """Code that goes on after the exception finds that out at its next call."""
    entered: list[str] = []

    @task
    def late() -> None:
        entered.append("late")

    @flow
    def stubborn() -> None:
        cancel_current()
        try:
            time.sleep(60)
        finally:
            late()

    with pytest.raises(CancelledRun):
        stubborn()
    assert entered == []
    assert record.tasks() == {}


def test_an_event_loop_goes_on_after_a_cancelled_flow(record: Record) -> None:
    """The coroutine that awaited the flow is not cancelled itself."""

    @flow
    async def slow() -> None:
        await asyncio.to_thread(cancel_current)
        await asyncio.sleep(60)

    async def main() -> str:
        async with asyncio.timeout(60), asyncio.TaskGroup():
            with pytest.raises(CancelledRun):
                await slow()
            await asyncio.sleep(0)
        return "went on"

    assert asyncio.run(main()) == "went on"
    assert record.flow().state_name == "Cancelled"


def test_a_run_that_waits_for_its_retry_is_cancelled(record: Record) -> None:
    """Nobody has to wait for the end of the delay, in the main thread or another one."""

    @flow(retries=1, retry_delay_seconds=600)
    def failing() -> None:
        cancel_current()
        raise ValueError("not yet")

    caught: list[BaseException] = []

    def call() -> None:
        try:
            failing()
        except CancelledRun as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert record.flow().state_name == "Cancelled"


def test_code_that_does_not_hear_is_left_behind(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread that sits in one call the run is closed without its code, whose outcome is dropped."""
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.01)
    done = threading.Event()
    caught: list[BaseException] = []

    @flow
    def deaf() -> None:
        cancel_current()
        done.wait()

    def call() -> None:
        try:
            deaf()
        except CancelledRun as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not record.client.read_flow_runs(state_names=("Cancelled",)):
        time.sleep(0.01)
    done.set()
    thread.join()
    assert len(caught) == 1
    assert record.flow().state.message is not None
    assert "goes on without it" in record.flow().state.message


@pytest.mark.usefixtures("engine")
def test_a_run_that_has_ended_cannot_be_cancelled() -> None:
    """The error says how it ended and what to do."""

    @flow
    def quick() -> None:
        pass

    quick()
    run = get_client().read_flow_runs()[0]
    with pytest.raises(FlowRunNotCancellableError, match="it is Completed"):
        get_client().cancel_flow_run(run.id)


def test_a_process_without_flow_runs_does_not_look(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read for nobody."""
    monkeypatch.setattr(engine.ledger.control, "asked", None)
    engine.watch()
