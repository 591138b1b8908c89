"""Timeouts: the state changes at the deadline, wherever the code executes, and the code is stopped as far as possible."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.exceptions import FlowRunTimeoutError, TaskRunTimeoutError
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

#: Longer than any test may take: code that is not stopped would be seen.
FOREVER = 60.0


@task(timeout_seconds=0.05)
def sleeps() -> None:
    """Sleep too long, in one system call."""
    time.sleep(FOREVER)


@task(timeout_seconds=0.05)
def spins() -> None:
    """Work too long, in Python."""
    end = time.monotonic() + FOREVER
    while time.monotonic() < end:
        time.sleep(0.001)


@task(timeout_seconds=0.05)
async def asleeps() -> None:
    """Sleep too long on an event loop."""
    await asyncio.sleep(FOREVER)


def assert_timed_out(state: Any) -> None:
    """Check that a state is that of a run over its time."""
    assert (state.type.value, state.name) == ("FAILED", "TimedOut")
    with pytest.raises(TimeoutError, match=r"timeout of 0\.05 second"):
        state.result()


def test_a_task_in_the_main_thread_is_interrupted(record: Record) -> None:
    """A blocking call ends at the deadline."""
    state = flow(lambda: sleeps(return_state=True), name="around")(return_state=True)
    assert state.is_failed()
    assert_timed_out(state.data)
    run = record.tasks()["sleeps-0"]
    assert run.state_name == "TimedOut"
    assert run.state.message == "Task run exceeded timeout of 0.05 second(s)"
    assert record.states(run) == ["Pending", "Running", "TimedOut"]


def test_the_error_is_that_of_a_task_run() -> None:
    """Who called the task catches a TaskRunTimeoutError, and may go on."""

    @flow
    def around() -> str:
        try:
            sleeps()
        except TaskRunTimeoutError:
            return "went on"
        return "was not stopped"

    assert around() == "went on"


def test_an_uncaught_timeout_of_a_task_fails_the_flow(record: Record) -> None:
    """The flow has failed because of its task; it has not run out of its own time, and its other tasks may end."""

    @task
    def other() -> str:
        time.sleep(0.1)
        return "ended"

    @flow
    def around() -> None:
        other.submit()
        sleeps()

    assert around(return_state=True).name == "Failed"
    assert record.tasks()["other-0"].state_name == "Completed"


def test_a_submitted_task_is_interrupted() -> None:
    """In another thread the state changes at the deadline, and Python code is interrupted."""
    interrupted = threading.Event()

    @task(timeout_seconds=0.05)
    def notices() -> None:
        try:
            spins.fn()
        finally:
            interrupted.set()

    @flow
    def around() -> Any:
        return notices.submit(return_state=True)

    assert_timed_out(around(return_state=True).data)
    assert interrupted.wait(10)


def test_a_system_call_in_another_thread_is_left_behind() -> None:
    """What cannot be interrupted goes on alone; the run has ended."""
    release = threading.Event()

    @task(timeout_seconds=0.05)
    def stuck() -> None:
        release.wait(10)

    assert_timed_out(flow(lambda: stuck.submit(return_state=True))(return_state=True).data)  # fmt: skip
    release.set()


def test_a_coroutine_function_is_cancelled() -> None:
    """An async task ends at its deadline, called or submitted."""

    @flow
    async def around() -> list[Any]:
        return [await asleeps(return_state=True), asleeps.submit(return_state=True)]

    for state in asyncio.run(around(return_state=True)).data:
        assert_timed_out(state)


def test_a_task_in_a_process_is_killed() -> None:
    """The worker process ends at the deadline, and the next task gets another one."""
    with ProcessPoolTaskRunner(max_workers=1) as runner:

        @task(timeout_seconds=2)
        def work(seconds: float) -> str:
            time.sleep(seconds)
            return "done"

        @flow(task_runner=runner)
        def around() -> tuple[Any, str]:
            return work.submit(60, return_state=True), work.submit(0).result()

        state, value = around()
    assert state.name == "TimedOut"
    assert value == "done"


def test_a_task_over_its_time_is_retried(record: Record) -> None:
    """A timeout is a failure like any other: it can be retried."""
    calls: list[int] = []

    @task(timeout_seconds=0.05, retries=1)
    def work() -> str:
        calls.append(1)
        time.sleep(FOREVER if len(calls) == 1 else 0)
        return "in time"

    assert flow(lambda: work(), name="around")() == "in time"
    states = record.states(record.tasks()["work-0"])
    assert states == ["Pending", "Running", "Retrying", "Completed"]


def test_an_inner_deadline_that_comes_first_is_the_inner_one() -> None:
    """A task in a task runs out of its own time only."""

    @task(timeout_seconds=FOREVER)
    def outer() -> str:
        return sleeps(return_state=True).name

    assert flow(outer, name="around")() == "TimedOut"


def test_an_outer_deadline_goes_through_inner_runs(record: Record) -> None:
    """What runs within is stopped, cannot catch it as an ordinary error, and is not retried."""
    calls: list[int] = []

    @task(retries=5, timeout_seconds=FOREVER)
    def inner() -> None:
        calls.append(1)
        time.sleep(FOREVER)

    @task(timeout_seconds=0.05)
    def outer() -> None:
        try:
            inner()
        except Exception:  # noqa: BLE001 - as careless code does
            time.sleep(FOREVER)

    assert_timed_out(flow(lambda: outer(return_state=True))(return_state=True).data)
    assert calls == [1]
    assert record.task("inner").state_type in {"CANCELLED", "CRASHED"}


def test_a_flow_over_its_time_fails(record: Record) -> None:
    """The flow's state is TimedOut, and so is its error."""

    @flow(timeout_seconds=0.05)
    def around() -> None:
        time.sleep(FOREVER)

    with pytest.raises(FlowRunTimeoutError):
        around()
    run = record.flow()
    assert (run.state_name, run.state.message) == (
        "TimedOut", "Flow run exceeded timeout of 0.05 second(s)",
    )  # fmt: skip


def test_an_async_flow_over_its_time_fails() -> None:
    """A coroutine function's flow is cancelled at its deadline."""

    @flow(timeout_seconds=0.05)
    async def around() -> None:
        await asyncio.sleep(FOREVER)

    assert_timed_out(asyncio.run(around(return_state=True)))


def test_a_flow_over_its_time_stops_its_tasks(record: Record) -> None:
    """Submitted tasks of every kind are stopped, those that wait do not start."""

    @task
    def long() -> None:
        spins.fn()

    @task
    async def along() -> None:
        await asyncio.sleep(FOREVER)

    @task
    def never(_: Any) -> None: ...

    @flow(timeout_seconds=0.2)
    def around() -> None:
        never.submit([long.submit(), along.submit()])
        time.sleep(FOREVER)

    assert around(return_state=True).name == "TimedOut"
    states = {name: run.state_name for name, run in record.tasks().items()}
    assert states == {"long-0": "Cancelled", "along-0": "Cancelled", "never-0": "Cancelled"}  # fmt: skip
    assert record.tasks()["never-0"].run_count == 0


def test_a_flow_over_its_time_kills_worker_processes(record: Record) -> None:
    """Tasks in processes are killed with their flow."""
    with ProcessPoolTaskRunner(max_workers=1) as runner:

        @task
        def long() -> None:
            time.sleep(60)

        @flow(timeout_seconds=0.3, task_runner=runner)
        def around() -> None:
            long.submit().result()

        assert around(return_state=True).name == "TimedOut"
    assert record.tasks()["long-0"].state_name == "Cancelled"


def test_a_nested_flow_over_its_time_is_stopped_alone() -> None:
    """The flow around it goes on."""

    @flow(timeout_seconds=0.05)
    def inner() -> None:
        time.sleep(FOREVER)

    @flow
    def around() -> str:
        return inner(return_state=True).name

    assert around() == "TimedOut"


def test_an_outer_flow_stops_a_nested_one(record: Record) -> None:
    """The deadline of a flow holds for the flows it calls."""

    @flow(timeout_seconds=FOREVER)
    def inner() -> None:
        time.sleep(FOREVER)

    @flow(timeout_seconds=0.05)
    def around() -> None:
        inner()

    assert around(return_state=True).name == "TimedOut"
    assert record.flow("inner").state_type in {"CANCELLED", "CRASHED"}


@pytest.fixture
def own_alarm() -> Iterator[list[int]]:
    """Let the test's own code use the alarm signal."""
    rung: list[int] = []
    previous = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    yield rung
    signal.signal(signal.SIGALRM, previous)


def test_an_alarm_that_is_in_use_is_left_alone(own_alarm: list[int]) -> None:
    """Where the user's code has a handler of its own, timeouts do without the alarm."""
    state = flow(lambda: spins(return_state=True), name="around")(return_state=True)
    assert_timed_out(state.data)
    signal.raise_signal(signal.SIGALRM)
    assert own_alarm == [1]


def test_the_alarm_is_given_back() -> None:
    """After a timeout, and after a call in time, neither timer nor handler is left."""
    quick = task(timeout_seconds=FOREVER)(lambda: 1)
    assert quick() == 1
    sleeps(return_state=True)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_task_within_its_time_keeps_its_exception() -> None:
    """A limit that is not reached changes nothing: values and errors come through, in every thread."""

    @task(timeout_seconds=FOREVER)
    def work(value: int) -> int:
        if value < 0:
            raise ValueError(value)
        return value

    @flow
    def around() -> None:
        assert work(1) == work.submit(1).result() == 1
        for call in (lambda: work(-1), lambda: work.submit(-1).result()):
            with pytest.raises(ValueError, match="-1"):
                call()

    around()
