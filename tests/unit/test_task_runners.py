"""Task runners: threads and processes, and what goes wrong in a process."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, tags, task
from caudal.exceptions import RemoteError, SerializationError, WorkerCrashedError
from caudal.task_runners import (
    ConcurrentTaskRunner,
    ProcessPoolTaskRunner,
    TaskRunner,
    ThreadPoolTaskRunner,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def runner() -> Iterator[ProcessPoolTaskRunner]:
    """Give the test two worker processes."""
    with ProcessPoolTaskRunner(max_workers=2) as made:
        yield made


def run(runner: TaskRunner, body: Callable[[], Any], **options: Any) -> Any:
    """Run a function as a flow with a task runner."""
    return flow(name="around", task_runner=runner, **options)(body)()


def test_runners_compare_and_travel() -> None:
    """Two runners with the same options are equal, also after a trip through pickle."""
    assert ThreadPoolTaskRunner(3) == ThreadPoolTaskRunner(3)
    assert ThreadPoolTaskRunner(3) != ThreadPoolTaskRunner(4)
    assert ThreadPoolTaskRunner(3) != ProcessPoolTaskRunner(3)
    assert ConcurrentTaskRunner is ThreadPoolTaskRunner
    for kind in (ThreadPoolTaskRunner, ProcessPoolTaskRunner):
        made = kind(max_workers=3)
        assert pickle.loads(pickle.dumps(made)) == made.duplicate() == made  # noqa: S301
        assert repr(made) == f"{kind.__name__}(max_workers=3)"
    with pytest.raises(ValueError, match="max_workers must be 1 or more"):
        ThreadPoolTaskRunner(0)


def test_a_runner_may_be_given_as_a_class() -> None:
    """`task_runner=ThreadPoolTaskRunner` means one with its defaults."""
    work = task(lambda: threading.current_thread().name, name="work")
    body = flow(name="around", task_runner=ThreadPoolTaskRunner)(
        lambda: work.submit().result()
    )
    assert body() != threading.current_thread().name


def test_tasks_execute_in_other_processes(runner: ProcessPoolTaskRunner) -> None:
    """Submitted tasks run in workers, at most `max_workers`; called ones run here."""

    @task
    def pid(_: int = 0) -> int:
        time.sleep(0.02)
        return os.getpid()

    def body() -> None:
        assert pid() == os.getpid()
        found = set(pid.map(range(8)).result())
        assert os.getpid() not in found
        assert 1 <= len(found) <= 2
        assert set(pid.map(range(4)).result()) <= found  # used again

    run(runner, body)


def test_values_of_any_kind_go_there_and_back(runner: ProcessPoolTaskRunner) -> None:
    """Arguments and results are pickled by value: functions, local classes, large texts."""

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    @task
    def apply(function: Any, *values: Any, **named: Any) -> Any:
        return function(*values, **named)

    def body() -> None:
        assert apply.submit(lambda x, y: x + y, 1, y=2).result() == 3
        point = apply.submit(Point, 5).result()
        assert isinstance(point, Point)
        assert point.x == 5
        large = "x" * 3_000_000
        assert apply.submit(str, large).result() == large

    run(runner, body)


def test_coroutine_functions_run_there(runner: ProcessPoolTaskRunner) -> None:
    """An async task is run to its end in the worker."""

    @task
    async def apid(number: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return number, os.getpid() == parent

    parent = os.getpid()
    assert run(runner, lambda: apid.map([1, 2]).result()) == [(1, False), (2, False)]


def test_futures_are_inputs_there(runner: ProcessPoolTaskRunner) -> None:
    """Chains and maps work as in threads."""

    @task
    def double(number: int) -> int:
        return 2 * number

    @task
    def add(numbers: list[int]) -> int:
        return sum(numbers)

    doubled = lambda: add.submit(double.map(double.map(range(5)))).result()  # noqa: E731
    assert run(runner, doubled) == 40


def test_exceptions_come_back_as_themselves(
    runner: ProcessPoolTaskRunner, record: Record
) -> None:
    """Type, text and the worker's traceback; also of classes that are local here."""

    class OwnError(Exception):
        pass

    @task
    def breaks(which: str) -> None:
        if which == "own":
            raise OwnError(which)
        raise KeyError(which)

    def body() -> None:
        with pytest.raises(OwnError, match="own"):
            breaks.submit("own").result()
        with pytest.raises(KeyError) as caught:
            breaks.submit("key").result()
        assert "raise KeyError(which)" in str(caught.value.__cause__)

    run(runner, body)
    details = record.tasks()["breaks-0"].details["error"]
    assert (details["type"], details["message"]) == ("OwnError", "own")
    assert "raise OwnError(which)" in details["traceback"]


def test_an_exception_that_cannot_travel_keeps_its_text(
    runner: ProcessPoolTaskRunner, record: Record
) -> None:
    """It comes back as a RemoteError with type, text and traceback."""

    class StuckError(Exception):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.lock = threading.Lock()

    class LostError(Exception):
        def __init__(self, one: str, two: str) -> None:
            super().__init__(f"{one} {two}")

    @task
    def breaks(which: str) -> None:
        if which == "stuck":
            raise StuckError("no way out")
        raise LostError("no way", "back")

    def body() -> None:
        with pytest.raises(RemoteError, match="StuckError: no way out") as caught:
            breaks.submit("stuck").result()
        assert caught.value.type_name == "StuckError"
        assert "raise StuckError" in caught.value.traceback
        with pytest.raises(RemoteError, match="LostError: no way back"):
            breaks.submit("lost").result()

    run(runner, body)
    message = record.tasks()["breaks-0"].state.message
    assert message is not None
    assert "\n" not in message


def test_what_cannot_be_sent_is_an_error_that_says_so(
    runner: ProcessPoolTaskRunner,
) -> None:
    """Arguments and results that cannot be pickled name themselves and what to do."""

    @task
    def gives(lock: Any = None) -> Any:
        return lock or threading.Lock()

    def body() -> None:
        with pytest.raises(SerializationError, match="arguments of task 'gives'"):
            gives.submit(threading.Lock()).result()
        with pytest.raises(Exception, match=r"returned a _thread.lock.*ThreadPoolTaskRunner"):  # fmt: skip
            gives.submit().result()

    run(runner, body)


def test_a_killed_worker_crashes_its_task_alone(
    runner: ProcessPoolTaskRunner, record: Record
) -> None:
    """The state says which signal it was; the next task gets a new worker."""

    @task
    def work(signal_number: int) -> str:
        if signal_number:
            os.kill(os.getpid(), signal_number)
            time.sleep(60)
        return "done"

    def body() -> None:
        futures = work.map([0, signal.SIGKILL, 0, signal.SIGSEGV, 0])
        results = futures.result(raise_on_failure=False)
        assert results[::2] == ["done"] * 3
        assert all(isinstance(error, WorkerCrashedError) for error in results[1::2])

    run(runner, body)
    states = {name: each.state for name, each in record.tasks().items()}
    assert states["work-1"].type == states["work-3"].type == "CRASHED"
    assert "SIGKILL; the system may have run out of memory" in states["work-1"].message
    assert "SIGSEGV" in states["work-3"].message


def test_a_killed_worker_s_task_is_retried(
    runner: ProcessPoolTaskRunner, record: Record, tmp_path: Path
) -> None:
    """A retry goes to another worker."""
    flag = tmp_path / "tried"

    @task(retries=1)
    def work() -> str:
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "second time"

    assert run(runner, lambda: work.submit().result()) == "second time"
    assert record.tasks()["work-0"].run_count == 2


def test_an_exit_in_a_worker_is_an_exit(
    runner: ProcessPoolTaskRunner, record: Record
) -> None:
    """`sys.exit` crashes the task as it does in a thread; `os._exit` is a dead worker."""

    @task
    def exits(how: str) -> None:
        if how == "sys":
            sys.exit(3)
        os._exit(4)

    def body() -> None:
        with pytest.raises(SystemExit):
            exits.submit("sys").result()
        with pytest.raises(WorkerCrashedError, match="exited with status 4"):
            exits.submit("os").result()

    run(runner, body)
    assert {each.state_type for each in record.tasks().values()} == {"CRASHED"}


def test_tasks_of_tasks_in_workers_are_on_record(
    runner: ProcessPoolTaskRunner, record: Record
) -> None:
    """A task in a worker may call and submit tasks, and call flows; they belong to the same flow run."""

    @task
    def leaf(number: int) -> int:
        return number

    @flow
    def inner(number: int) -> int:
        return leaf(number)

    @task
    def node() -> int:
        return leaf(1) + leaf.submit(2).result() + inner(3)

    with tags("red"):
        assert run(runner, lambda: node.submit().result()) == 6
    parent = record.flow("around")
    names = {each.dynamic_key for each in record.tasks("around").values()}
    assert names == {"node-0", "node-0/leaf-0", "node-0/leaf-1"}
    assert parent.task_completed == 3
    child = record.flow("inner")
    assert (child.state_name, child.parent_flow_run_id) == ("Completed", parent.id)
    assert record.tasks("around")["leaf-0"].tags == ["red"]


def test_a_recursive_task_reaches_itself(runner: ProcessPoolTaskRunner) -> None:
    """A task's function may name the task."""

    @task
    def factorial(number: int) -> int:
        return 1 if number < 2 else number * factorial(number - 1)

    assert run(runner, lambda: factorial.submit(5).result()) == 120


def test_results_of_workers_are_kept_and_found(
    runner: ProcessPoolTaskRunner, tmp_path: Path
) -> None:
    """Caching works for tasks in processes."""
    calls = tmp_path / "calls"

    @task(cache_key_fn=lambda *_: "key")
    def work() -> int:
        with calls.open("a") as file:
            file.write("x")
        return 5

    assert run(runner, lambda: work.submit().result() + work.submit().result()) == 10
    assert calls.read_text() == "x"


def test_an_interrupted_flow_kills_its_workers(
    runner: ProcessPoolTaskRunner, record: Record, tmp_path: Path
) -> None:
    """Ctrl-C does not wait for a task in a process."""
    started = tmp_path / "started"

    @task
    def endless() -> None:
        started.touch()
        time.sleep(60)

    def body() -> None:
        endless.submit()
        while not started.exists():
            time.sleep(0.001)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(runner, body)
    assert record.tasks()["endless-0"].state_name == "Cancelled"


def test_workers_end_when_the_runner_is_closed() -> None:
    """No process is left behind, and a closed runner can be used again."""
    runner = ProcessPoolTaskRunner(max_workers=1)
    pid = task(lambda: os.getpid(), name="pid")
    first = run(runner, lambda: pid.submit().result())
    runner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert run(runner, lambda: pid.submit().result()) != first
    runner.close()


def prepare(one: int, other: int) -> None:
    """Do what each worker process does first."""
    before = os.environ.get("PREPARED", "")
    os.environ["PREPARED"] = f"{before}{one + other}"


def test_each_process_is_prepared_once() -> None:
    """Before its first task, with the arguments given; copies of the runner do so, too."""

    @task
    def prepared() -> str:
        return os.environ["PREPARED"]

    given = ProcessPoolTaskRunner(1, initializer=prepare, initargs=(1, 2))
    for runner in (given, given.duplicate(), pickle.loads(pickle.dumps(given))):  # noqa: S301 - our own bytes
        assert runner == given
        with runner:

            @flow(task_runner=runner)
            def twice() -> list[str]:
                return [prepared.submit().result(), prepared.submit().result()]

            assert twice() == ["3", "3"]
    assert given != ProcessPoolTaskRunner(1)
    assert "PREPARED" not in os.environ


def test_a_process_that_cannot_be_prepared_fails_its_task(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The reason stands on stderr."""

    def fail() -> None:
        raise ValueError("no driver")

    with ProcessPoolTaskRunner(1, initializer=fail) as runner:

        @flow(task_runner=runner)
        def one() -> int:
            return task(lambda: 1).submit().result()

        with pytest.raises(WorkerCrashedError, match="status 1"):
            one()
    assert "no driver" in capfd.readouterr().err
    wrong: Any = "prepare"
    with pytest.raises(TypeError, match="initializer takes a function, not 'prepare'"):
        ProcessPoolTaskRunner(initializer=wrong)
