"""Delayed calls of tasks, and the worker that runs them."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from caudal import flow, runtime, tags, task, unmapped
from caudal.exceptions import (
    FailedRun,
    ParameterBindError,
    SerializationError,
    UpstreamTaskError,
)
from caudal.futures import DistributedFuture, FutureList, as_completed, wait
from caudal.task_worker import TaskWorker, aserve, serve

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.engine import Engine
    from tests.conftest import Record

PATIENCE = 20

pytestmark = pytest.mark.usefixtures("engine")


@task(tags=["sums"])
def add(one: int, other: int = 1) -> int:
    """Return a sum."""
    return one + other


@task
def fails() -> None:
    """Fail."""
    raise LookupError("no water")


@task
async def double(number: int) -> int:
    """Return twice the number, later."""
    await asyncio.sleep(0)
    return 2 * number


@contextmanager
def served(*tasks: Any, limit: int | None = 10) -> Generator[TaskWorker]:
    """Serve tasks in a thread within a ``with`` block."""
    worker = TaskWorker(*tasks, limit=limit)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join()


def test_a_delayed_call_waits_and_runs(record: Record) -> None:
    """Its run is on record at once, scheduled, and ends in the hands of a worker."""
    future = add.delay(1, other=2)
    assert future.state.name == "Scheduled"
    assert not future.done()
    run = record.task("add")
    assert run.id == future.task_run_id
    assert run.details["parameters"] == {"one": 1, "other": 2}
    with served(add):
        assert future.result(PATIENCE) == 3
    assert future.state.name == "Completed"
    expected = ["Scheduled", "Pending", "Running", "Completed"]
    assert record.states(record.task("add")) == expected
    assert record.task("add").tags == ["sums"]


def test_nothing_is_recorded_for_a_wrong_call(record: Record) -> None:
    """Arguments are checked and pickled when the call is made."""
    with pytest.raises(ParameterBindError):
        add.delay(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(SerializationError):
        add.delay(threading.Lock())  # type: ignore[arg-type]
    assert record.client.read_task_runs() == []


def test_futures_of_delayed_calls_are_inputs_of_others(record: Record) -> None:
    """The call that needs a result waits for it in the worker, even with one place there."""
    first = add.delay(1)
    second = add.delay(first, 5)  # type: ignore[arg-type]
    third = double.apply_async((7,), wait_for=[second])
    with served(double, add, limit=1):
        assert [each.result(PATIENCE) for each in (second, third)] == [7, 14]
    details = record.client.read_task_run(third.task_run_id).details
    assert details["upstream"] == [second.task_run_id.hex]


def test_results_of_a_flow_go_along(record: Record) -> None:
    """A future of this process is waited for where the call is made; the call knows who made it."""

    @flow
    def outer() -> UUID:
        with tags("nightly"):
            call = add.delay(add.submit(1), other=add(2))  # type: ignore[arg-type]
        return call.task_run_id

    task_run_id = outer()
    run = record.client.read_flow_runs(flow_name="add")[0]
    assert run.details["called_by"] == record.flow("outer").id.hex
    assert run.tags == ["nightly"]
    with served(add):
        future: DistributedFuture[int] = DistributedFuture(task_run_id)
        assert future.result(PATIENCE) == 5


def test_failures_come_back_with_their_type(record: Record) -> None:
    """The exception is had as it was, after its retries; what needed the result never starts."""
    future = fails.with_options(retries=1).delay()
    dependent = add.delay(future)  # type: ignore[arg-type]
    with served(fails.with_options(retries=1), add):
        with pytest.raises(LookupError, match="no water"):
            future.result(PATIENCE)
        assert isinstance(future.result(raise_on_failure=False), LookupError)
        wait([dependent], PATIENCE)
        with pytest.raises(UpstreamTaskError):
            dependent.result(0.1)
    assert record.task("fails").run_count == 2


def test_an_exception_that_cannot_be_kept_comes_back_as_text(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure of the worker; who looks for the reason finds it at level debug."""
    monkeypatch.setattr(logging.getLogger("caudal"), "propagate", True)

    @task
    def locked() -> None:
        raise LookupError(threading.Lock())

    with caplog.at_level(logging.DEBUG, "caudal.engine"):
        future = locked.delay()
        with served(locked), pytest.raises(FailedRun, match="LookupError"):
            future.result(timeout=PATIENCE)

    assert any("is not kept as an object" in text for text in caplog.messages)


def test_a_map_can_be_deferred() -> None:
    """Each call of the map is a delayed one."""
    futures = add.map([1, 2, 3], unmapped(10), deferred=True)
    assert isinstance(futures, FutureList)
    with served(add):
        assert futures.result(PATIENCE) == [11, 12, 13]
        seen = {future.result() for future in as_completed(futures, PATIENCE)}
    assert seen == {11, 12, 13}


def test_a_served_task_knows_its_runs() -> None:
    """It is part of a flow run of its own, named after the task."""

    @task(name="who")
    def who() -> list[str | None]:
        return [runtime.flow_run.flow_name, runtime.task_run.task_name]

    future = who.delay()
    with served(who):
        assert future.result(PATIENCE) == ["who", "who"]


def test_arguments_that_cannot_be_read_fail_the_run(
    engine: Engine, record: Record
) -> None:
    """The run ends, with the reason."""
    future = add.delay(1)
    key = f"task-run-{future.task_run_id}-call"
    engine.results.write(object(), key, serializer="pickle")
    stored = engine.results.find(key)
    assert stored is not None
    engine.ledger.delete_result(key)
    engine.results.written(stored)
    engine.journal.barrier().wait()
    engine.ledger.delete_result(key)
    with served(add):
        wait([future], PATIENCE)
    assert record.task("add").state_name == "Failed"
    assert "cannot be called" in str(record.task("add").state.message)


def test_the_status_of_a_worker_is_json() -> None:
    """What it serves, does and has done, at a port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    future = add.delay(1)
    address = f"http://127.0.0.1:{port}"

    def look() -> dict[str, Any]:
        future.wait(PATIENCE)
        with urllib.request.urlopen(f"{address}/status") as answer:  # noqa: S310 - loopback
            return json.load(answer)

    seen: list[dict[str, Any]] = []
    looker = threading.Thread(target=lambda: seen.append(look()))
    looker.start()
    serve(add, timeout=2, status_server_port=port)
    looker.join()
    assert seen[0]["tasks"] == ["add"]
    assert seen[0]["limit"] == 10


def test_a_coroutine_can_serve() -> None:
    """``aserve`` ends after its time; a worker in a coroutine is stopped as one in a thread is."""

    async def main() -> list[int]:
        first = add.delay(1)
        await aserve(add, timeout=0.5)
        worker = TaskWorker(double)
        serving = asyncio.create_task(worker.astart())
        second = double.delay(4)
        await second.wait_async(PATIENCE)
        await worker.astop()
        await serving
        return [await first.result_async(), await second.result_async()]  # type: ignore[list-item]

    assert asyncio.run(main()) == [2, 8]


def test_what_cannot_be_served_is_refused() -> None:
    """Each mistake has its sentence."""
    with pytest.raises(TypeError, match="only tasks can be served"):
        TaskWorker(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no task"):
        TaskWorker()
    with pytest.raises(ValueError, match="two tasks are called 'add'"):
        TaskWorker(add, add.with_options(retries=1))
    with pytest.raises(ValueError, match="limit must be 1 or more"):
        TaskWorker(add, limit=0)


def test_an_unknown_run_is_waited_for_in_vain() -> None:
    """It may come yet; a time-out ends the wait."""
    future: DistributedFuture[int] = DistributedFuture(UUID(int=1))
    assert future.state.name == "Pending"
    with pytest.raises(TimeoutError):
        future.result(timeout=0.05)
