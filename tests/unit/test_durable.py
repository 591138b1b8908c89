"""Durable flows within one process: what they store, what they refuse, and what is theirs."""

from __future__ import annotations

import threading
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.engine.composition import close_engine, current_engine
from caudal.exceptions import DurableParametersError

if TYPE_CHECKING:
    from caudal.model.runs import FlowRunRow
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@flow(durable=True)
def work(given: Any = 1) -> int:
    """Call a task."""
    del given
    return double(21)


def unfinished() -> list[FlowRunRow]:
    """Return the durable flow runs that have not come to an end of their own."""
    engine = current_engine()
    engine.journal.barrier().wait()
    return list(engine.ledger.unfinished())


def test_a_durable_flow_keeps_results(record: Record) -> None:
    """Its tasks' results too, unless it says that it does not."""
    assert work() == 42
    assert record.flow().details["result_key"]
    assert record.tasks()["double-0"].details["result_key"]
    work.with_options(persist_result=False)()
    assert "result_key" not in record.tasks()["double-0"].details


def test_an_open_run_is_unfinished_and_an_ended_one_is_not() -> None:
    """So it is what a restart looks for."""
    found: list[FlowRunRow] = []

    @flow(durable=True)
    def look(fails: int) -> None:
        found.extend(unfinished())
        if fails:
            raise ValueError

    look(0)
    look(1, return_state=True)
    assert [row.flow_name for row in found] == ["look", "look"]
    assert found[0].durable_key != found[1].durable_key
    assert unfinished() == []


def test_an_ordinary_flow_is_not_durable() -> None:
    """Nor is a durable one that another flow calls: it belongs to its parent."""
    found: list[FlowRunRow] = []

    @flow(durable=True)
    def inner() -> None:
        found.extend(unfinished())

    @flow
    def outer() -> None:
        inner()

    outer()
    assert found == []


@pytest.mark.parametrize("given", [threading.Lock(), lambda: 1, iter([1])])
def test_parameters_that_cannot_be_kept_are_refused(given: Any, record: Record) -> None:
    """Nothing is recorded, and the message names the parameter."""
    with pytest.raises(DurableParametersError, match="parameter 'given'") as caught:
        work(given)
    assert ".." not in str(caught.value)
    assert record.client.read_flow_runs() == []


def test_parameters_are_kept_without_being_asked_to(record: Record) -> None:
    """What JSON cannot hold is stored beside the record."""
    work(date(2026, 2, 28))
    assert record.flow().details["parameters"] == "stored"
    work("plain")
    assert "parameters" not in record.flow().details


def test_a_lost_run_is_taken_up_by_a_call(record: Record) -> None:
    """A run whose process is gone goes on in the next call with the same parameters."""
    calls: list[int] = []

    @flow(durable=True)
    def once(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            lose_everything()
        return number

    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever a lost run raises
        once(1)
    before = record.flow()
    assert before.state_name == "Crashed"
    assert once(2) == 2
    assert once(1) == 1
    after = record.client.read_flow_run(before.id)
    assert (after.state_name, after.attempt) == ("Completed", 2)
    assert calls == [1, 2, 1]


def lose_everything() -> None:
    """Have this process look as if it had died."""
    engine = current_engine()
    engine.journal.barrier().wait()
    engine.ledger.sweep(4e9, lambda _: False)


def test_a_process_without_durable_flows_takes_nothing_up() -> None:
    """It only marks what others lost."""
    flow(lambda: 1, name="plain")()
    assert current_engine()._recoverer is None
    work()
    assert current_engine()._recoverer is not None
    close_engine()
