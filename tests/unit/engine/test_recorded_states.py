"""States of runs that are read from the record: they give what the runs returned or raised."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from caudal import flow, get_client, task
from caudal.cache_policies import INPUTS
from caudal.engine.composition import close_engine
from caudal.exceptions import (
    CancelledRun,
    CrashedRun,
    FailedRun,
    MissingResult,
    RemoteError,
    UpstreamTaskError,
)
from caudal.filesystems import LocalFileSystem
from caudal.flow_runs import resume_flow_run, wait_for_flow_run
from caudal.futures import FlowRunFuture
from caudal.states import Failed
from caudal.testing.utilities import caudal_test_harness

if TYPE_CHECKING:
    from pathlib import Path

    from caudal.model.states import State
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

BIG = list(range(20_000))


@task
def half(number: int) -> float:
    """Return half of an even number."""
    if number % 2:
        raise ValueError(number)
    return number / 2


@flow
def halves(numbers: list[int]) -> list[float]:
    """Return halves of numbers."""
    return [half(number) for number in numbers]


kept = halves.with_options(name="kept", persist_result=True)


class OddError(Exception):
    """Cannot be pickled, because of what it holds."""

    def __init__(self) -> None:
        super().__init__("odd")
        self.lock = threading.Lock()


def newest(name: str) -> State[Any]:
    """Return the state of a flow's newest run, as another process reads it."""
    close_engine()
    return get_client(sync_client=True).read_flow_runs(flow_name=name)[0].state


def test_a_stored_result_is_there_wherever_its_state_is_read(record: Record) -> None:
    """In lists and one by one, in histories, after a wait, of flow runs and of task runs."""
    kept([2, 4])
    run = record.flow()
    assert record.client.read_flow_run(run.id).state.result() == [1.0, 2.0]
    assert run.state.result() == [1.0, 2.0]
    assert wait_for_flow_run(run.id).state.result() == [1.0, 2.0]
    history = record.client.read_flow_run_states(run.id)
    assert history[-1].result() == [1.0, 2.0]
    task_run = record.tasks()["half-1"]
    assert record.client.read_task_run(task_run.id).state.result() == 2.0
    assert record.client.read_task_run_states(task_run.id)[-1].result() == 2.0
    assert newest("kept").result() == [1.0, 2.0]


def test_a_state_says_whose_it_is(record: Record) -> None:
    """Its details name the run, so that a flow which returns it takes over what became of the run."""
    halves([2])
    run, task_run = record.flow(), record.tasks()["half-0"]
    assert run.state.state_details.flow_run_id == run.id
    assert task_run.state.state_details.task_run_id == task_run.id


def test_a_result_that_was_not_kept_is_missing_not_none(record: Record) -> None:
    """The error names the run, and says how results are kept."""
    halves([2])
    run = record.flow()
    history = record.client.read_flow_run_states(run.id)
    for state in (run.state, history[-1]):
        with pytest.raises(MissingResult, match=f"flow run {run.id}.*persist_result"):
            state.result()
    task_run = record.tasks()["half-0"]
    with pytest.raises(MissingResult, match=f"task run {task_run.id}"):
        task_run.state.result()


def test_a_stored_exception_is_raised_as_it_was(record: Record) -> None:
    """A persisted run fails with its own exception, a task's with that of the task, for all who ask."""
    kept([1], return_state=True)
    run = record.flow()
    for state in (run.state, record.client.read_flow_run_states(run.id)[-1]):
        with pytest.raises(ValueError, match="1"):
            state.result()
        assert isinstance(state.result(raise_on_failure=False), ValueError)
    with pytest.raises(ValueError, match="1"):
        FlowRunFuture(run.id).result()
    with pytest.raises(ValueError, match="1"):
        record.tasks()["half-0"].state.result()
    with pytest.raises(ValueError, match="1"):
        newest("kept").result()


def test_an_exception_of_states_is_that_of_the_first_failed_one(record: Record) -> None:
    """A flow that returns states of its tasks fails like them, on record too."""

    @flow(persist_result=True)
    def both() -> list[Any]:
        return [half(number, return_state=True) for number in (2, 3)]

    both(return_state=True)
    with pytest.raises(ValueError, match="3"):
        record.flow().state.result()


def test_an_exception_that_was_not_kept_is_told_as_text(record: Record) -> None:
    """With its type and message; a failed state without an exception is told by its message."""
    halves([1], return_state=True)
    with pytest.raises(RemoteError, match="ValueError: 1"):
        record.flow().state.result()

    @flow(persist_result=True)
    def odd() -> None:
        raise OddError

    odd(return_state=True)
    with pytest.raises(RemoteError, match="OddError: odd"):
        record.flow().state.result()

    @flow(persist_result=True)
    def no_reason() -> Any:
        return Failed(message="no water")

    no_reason(return_state=True)
    with pytest.raises(FailedRun, match="no water"):
        record.flow().state.result()


def test_another_attempt_does_not_fail_with_an_earlier_exception(
    record: Record,
) -> None:
    """An exception that cannot be stored takes the place of one that was."""
    errors = [ValueError("first"), OddError()]

    @flow(persist_result=True)
    def unlucky() -> None:
        raise errors.pop(0)

    unlucky(return_state=True)
    run = record.flow()
    with pytest.raises(ValueError, match="first"):
        run.state.result()
    from caudal.resume import resume_flow_run as go_on  # noqa: PLC0415 - beside the public one

    go_on(unlucky, run.id)
    with pytest.raises(RemoteError, match="OddError"):
        record.flow().state.result()
    before, after = [
        state
        for state in record.client.read_flow_run_states(run.id)
        if state.is_failed()
    ]
    with pytest.raises(FailedRun, match="first"):
        before.result()
    with pytest.raises(RemoteError, match="OddError"):
        after.result()


def test_crashes_and_cancelled_runs_are_told_by_their_kind(record: Record) -> None:
    """Nobody takes them for failures of the code."""

    @flow(persist_result=True)
    def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        leaves()
    with pytest.raises(CrashedRun, match="SystemExit"):
        record.flow().state.result()

    made = record.client.create_flow_run(halves, parameters={"numbers": []})
    cancelled = record.client.cancel_flow_run(made.id)
    with pytest.raises(CancelledRun):
        cancelled.state.result()


def test_a_task_that_was_not_started_says_why(record: Record) -> None:
    """Its input did not complete."""

    @flow
    def chain() -> Any:
        return half.submit(half.submit(1), return_state=True)  # type: ignore[call-overload]

    chain(return_state=True)
    with pytest.raises(UpstreamTaskError):
        record.tasks()["half-1"].state.result()


def test_results_are_read_from_the_place_that_their_flow_names(
    record: Record, tmp_path: Path
) -> None:
    """Whatever their size, and beside a record or apart from it."""

    @task(result_storage=LocalFileSystem(tmp_path / "tasks"))
    def numbers() -> list[int]:
        return BIG

    @flow(result_storage=tmp_path / "flows", persist_result=True)
    def placed() -> list[int]:
        return numbers()

    placed()
    assert record.flow().state.result() == BIG
    assert record.tasks()["numbers-0"].state.result() == BIG
    assert newest("placed").result() == BIG
    for file in (tmp_path / "flows").iterdir():
        file.unlink()
    with pytest.raises(MissingResult, match="flows"):
        newest("placed").result()


def test_a_cached_result_of_another_ledger_is_read_from_the_record(
    record: Record, tmp_path: Path
) -> None:
    """Whoever shares a place for results finds them in it, also by the run that took one."""

    @task(cache_policy=INPUTS, result_storage=tmp_path)
    def doubled(number: int) -> list[int]:
        return [number, number]

    with caudal_test_harness():
        doubled(4)
    assert doubled(4, return_state=True).name == "Cached"
    assert record.task("doubled").state.result() == [4, 4]


def test_a_state_on_record_is_awaited_where_code_can_await() -> None:
    """The result is read in a thread, and coroutine code gets an awaitable."""
    kept([2])

    async def read() -> Any:
        async with get_client() as client:
            state = (await client.read_flow_runs())[0].state
        return await state.result(), await state.aresult()  # pyright: ignore[reportGeneralTypeIssues]

    assert asyncio.run(read()) == ([1.0], [1.0])


def test_what_is_read_can_be_sent_to_another_process(record: Record) -> None:
    """A state is pickled without its result, which is read where it arrives."""
    kept([2])
    run = pickle.loads(pickle.dumps(record.flow()))  # noqa: S301 - its own
    assert run == record.flow()
    assert run.state.result() == [1.0]
    kept([1], return_state=True)
    run = pickle.loads(pickle.dumps(record.flow()))  # noqa: S301
    assert run == record.flow()
    with pytest.raises(ValueError, match="1"):
        run.state.result()


def test_a_resumed_run_is_returned_with_its_result(record: Record) -> None:
    """What was asked to go on comes back as it is then."""
    made = record.client.create_flow_run(kept, parameters={"numbers": [2]})
    assert isinstance(made.id, UUID)
    assert resume_flow_run(made.id).state.result() == [1.0]
