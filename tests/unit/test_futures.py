"""Futures: waiting for submitted tasks, alone and together."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from caudal import flow, task
from caudal.exceptions import MissingResult, ObjectNotFound, RemoteError, UnfinishedRun
from caudal.futures import (
    DistributedFuture,
    FlowRunFuture,
    Future,
    as_completed,
    resolve_futures_to_results,
    resolve_futures_to_states,
    wait,
)
from caudal.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task
def fail() -> None:
    """Fail."""
    raise ValueError("no")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Hold tasks up until the event is set, and set it at last."""
    event = threading.Event()
    yield event
    event.set()


def held(gate: threading.Event) -> Any:
    """Return a task that ends when the gate is open."""

    @task
    def passes(number: int = 0) -> int:
        gate.wait(20)
        return number

    return passes


def in_flow(body: Callable[[], Any]) -> Any:
    """Run a function as a flow."""
    return flow(body, name="around")()


def test_a_future_tells_of_its_run(gate: threading.Event, record: Record) -> None:
    """Id, state and end of the run, before and after."""

    def body() -> UUID:
        future = held(gate).submit(1)
        assert not future.done()
        assert future.state.type in {"PENDING", "RUNNING"}
        with pytest.raises(UnfinishedRun):
            future.state.result()
        gate.set()
        future.wait()
        assert future.done()
        assert future.state.is_completed()
        assert future.result() == future.state.result() == 1
        assert repr(future) == "<future of 'passes-0': Completed>"
        return future.task_run_id

    found = in_flow(body)
    assert found == record.tasks()["passes-0"].id


def test_waits_have_limits(gate: threading.Event) -> None:
    """A wait returns at its limit; asking for a result raises TimeoutError then."""

    def body() -> None:
        future = held(gate).submit()
        future.wait(0.01)
        assert not future.done()
        with pytest.raises(TimeoutError, match=r"'passes-0' did not end within 0.01"):
            future.result(timeout=0.01)
        with pytest.raises(TimeoutError):
            held(gate).map([1, 2]).result(timeout=0.01)
        gate.set()

    in_flow(body)


def test_failures_are_raised_or_returned() -> None:
    """`raise_on_failure=False` gives the exception as a value."""

    def body() -> None:
        future = fail.submit()
        with pytest.raises(ValueError, match="no"):
            future.result()
        assert isinstance(future.result(raise_on_failure=False), ValueError)

    in_flow(body)


def test_callbacks_are_called_once_with_the_future(gate: threading.Event) -> None:
    """Before the end they wait for it, after it they are called at once."""
    called: list[Any] = []

    def body() -> None:
        future = held(gate).submit()
        future.add_done_callback(called.append)
        assert called == []
        gate.set()
        future.wait()
        future.add_done_callback(called.append)

    in_flow(body)
    assert len(called) == 2
    assert called[0] is called[1]


def test_wait_parts_what_is_done_from_what_is_not(gate: threading.Event) -> None:
    """At its limit `wait` tells both apart."""

    def body() -> None:
        quick, slow = double.submit(1), held(gate).submit()
        quick.wait()
        done, not_done = wait([quick, slow], timeout=0.01)
        assert (done, not_done) == ({quick}, {slow})
        gate.set()
        assert wait([quick, slow]) == ({quick, slow}, set())
        assert wait([]) == (set(), set())

    in_flow(body)


def test_as_completed_yields_in_the_order_of_ends() -> None:
    """The first to end comes first, whatever the order given."""
    gates = [threading.Event() for _ in range(4)]

    @task
    def passes(place: int) -> int:
        gates[place].wait(20)
        return place

    def body() -> list[int]:
        futures = passes.map(range(4))
        order: list[int] = []
        gates[3].set()
        for future in as_completed(futures):
            order.append(future.result())
            gates[order[-1] - 1].set()
        return order

    assert in_flow(body) == [3, 2, 1, 0]


def test_as_completed_has_a_limit(gate: threading.Event) -> None:
    """What has not ended by then is counted in the error; failed runs have ended."""

    def body() -> None:
        futures = [fail.submit(), held(gate).submit(), held(gate).submit()]
        seen: list[Any] = []
        with pytest.raises(TimeoutError, match=r"2 \(of 3\) futures unfinished"):
            seen.extend(as_completed(futures, timeout=0.1))
        gate.set()

    in_flow(body)


def test_futures_are_resolved_in_containers() -> None:
    """To states, or to results."""

    def body() -> None:
        nested = {"a": [double.submit(1), 5], "b": (double.submit(2),)}
        states = resolve_futures_to_states(nested)
        assert isinstance(states["a"][0], State)
        assert states["a"][1] == 5
        assert resolve_futures_to_results(nested) == {"a": [2, 5], "b": (4,)}
        with pytest.raises(ValueError, match="no"):
            resolve_futures_to_results([fail.submit()])

    in_flow(body)


def test_futures_outlive_their_flow() -> None:
    """A future can be asked after the flow has ended, and from another thread."""
    kept: list[Future[int]] = []
    in_flow(lambda: kept.append(double.submit(4)))
    assert kept[0].result() == 8
    found: list[int] = []
    asking = threading.Thread(target=lambda: found.append(kept[0].result()))
    asking.start()
    asking.join()
    assert found == [8]


def test_tasks_can_be_submitted_outside_flows(record: Record) -> None:
    """Without a flow a task is submitted to threads of its own."""
    futures = double.map([1, 2, 3])
    assert futures.result() == [2, 4, 6]
    assert double.submit(futures[0]).result() == 4
    assert len(record.client.read_task_runs(task_name="double")) == 4


def test_a_flow_run_of_any_process_has_a_future(record: Record) -> None:
    """By its id alone: its state, its result where results are kept, what made it fail."""

    @flow(persist_result=True)
    def kept() -> int:
        return 5

    @flow
    def lost() -> int:
        return 5

    @flow
    def broken() -> None:
        raise ValueError("no water")

    kept()
    future: FlowRunFuture[int] = FlowRunFuture(record.flow().id)
    assert (future.result(), future.state.name) == (5, "Completed")
    assert future.flow_run_id == record.flow().id
    assert FlowRunFuture(str(record.flow().id)).result() == 5
    assert asyncio.run(future.aresult()) == 5
    lost()
    with pytest.raises(MissingResult):
        FlowRunFuture(record.flow().id).result()
    broken(return_state=True)
    with pytest.raises(RemoteError, match="ValueError: no water"):
        FlowRunFuture(record.flow().id).result()
    with pytest.raises(ObjectNotFound):
        FlowRunFuture(UUID(int=1)).result(timeout=0.01)


def test_runs_of_other_processes_are_waited_for(gate: threading.Event) -> None:
    """A future by id gets the result once it is on record, and can be an input; it times out like any other."""
    passes = held(gate).with_options(persist_result=True)

    @flow
    def outer() -> list[int]:
        first = passes.submit(3)
        elsewhere: DistributedFuture[int] = DistributedFuture(first.task_run_id)
        elsewhere.wait(timeout=0.01)
        assert not elsewhere.done()
        assert elsewhere == first
        doubled = double.submit(elsewhere)
        seen: list[Any] = []
        elsewhere.add_done_callback(lambda future: seen.append(future.result()))
        gate.set()
        asyncio.run(elsewhere.wait_async())
        return [asyncio.run(elsewhere.result_async()), doubled.result()]

    assert outer() == [3, 6]
