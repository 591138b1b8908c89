"""Flows on a ledger whose transactions fail every other time: they run, and what is on record is right."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from caudal import flow, task
from caudal.app import open_ledger
from caudal.engine.composition import close_engine, current_engine
from caudal.exceptions import LedgerError
from caudal.ledger.port import RunFilter
from caudal.resume import resume_flow_run
from tests.conftest import audit
from tests.integration.faults import (
    Busy,
    ErrorAfterCommit,
    ErrorAtBegin,
    ErrorAtStatement,
    Fault,
    FullAtCommit,
    strike_connections,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FAULTS = [Busy, ErrorAtBegin, ErrorAtStatement, FullAtCommit, ErrorAfterCommit]


@flow
def ready() -> None:
    """Have the process hold its lease: where that fails, a flow call fails at once."""


@pytest.fixture(params=FAULTS)
def fault(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Fault]:
    """Give the fault that strikes the engine's ledger, armed once the engine is there."""
    caplog.set_level(logging.CRITICAL, "caudal.journal")
    close_engine()
    fault: Fault = request.param()
    strike_connections(fault, monkeypatch)
    settings = current_engine().settings
    ready()
    fault.armed = True
    yield fault
    close_engine()
    assert fault.struck > 0
    fault.armed = False
    ledger = open_ledger(settings)
    audit(ledger)
    ledger.close()


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@flow
def inner(number: int) -> int:
    """Call a task in a run of its own."""
    return double(number)


@flow(persist_result=True)
def outer() -> list[int]:
    """Call, submit and map tasks."""
    return [
        double(1),
        inner(2),
        double.submit(3).result(),
        *double.map([4, 5]).result(),
    ]


@pytest.mark.usefixtures("fault")
def test_a_flow_runs_and_is_recorded_once() -> None:
    """Its runs, their results and their log lines are there, each once."""
    assert outer() == [2, 4, 6, 8, 10]
    ledger = current_engine().ledger
    assert len(ledger.flow_runs(RunFilter())) == 3
    assert len(ledger.task_runs(RunFilter())) == 5
    lines = [(row.flow_run_id, row.message) for _, row in ledger.logs()]
    assert len(lines) == len(set(lines)) == 6


@pytest.mark.usefixtures("fault")
def test_a_flow_run_is_taken_over_once() -> None:
    """A claim that was done and failed all the same is not taken for another process's."""
    ran: list[int] = []

    @task
    def step(number: int) -> int:
        ran.append(number)
        return number

    @flow(persist_result=True)
    def failing() -> int:
        done = step(1) + step(2)
        if ran == [1, 2]:
            raise ConnectionError
        return done + step(3)

    with pytest.raises(ConnectionError):
        failing()
    ledger = current_engine().ledger
    (run,) = ledger.flow_runs(RunFilter(of="failing"))
    ran.append(0)
    while True:
        try:
            state = resume_flow_run(failing, run.name)
        except LedgerError:  # nothing was claimed: whoever asked for it asks again
            continue
        break
    assert state.result() == 6
    assert ran == [1, 2, 0, 3]
    (run,) = ledger.flow_runs(RunFilter(of="failing"))
    assert (run.state_type, run.attempt) == ("COMPLETED", 2)


def test_a_process_without_a_lease_asks_for_one_at_its_next_flow(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow call that failed because the lease could not be had leaves nothing that looks like one."""
    close_engine()
    fault = FullAtCommit()
    strike_connections(fault, monkeypatch)
    engine = current_engine()
    fault.armed = True
    with pytest.raises(LedgerError, match=str(home)):
        ready()
    fault.armed = False
    ready()
    assert [lease.owner for lease in engine.ledger.leases()] == [engine.owner]
    close_engine()
