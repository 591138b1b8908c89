"""Flows in resumed flows: the calls of an earlier attempt go on instead of beginning anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.resume import resume_flow_run

if TYPE_CHECKING:
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


class Books:
    """A flow that calls another one for each month, and what really ran.

    Args:
        keeps: Whether the inner flow's result is kept.
    """

    def __init__(self, *, keeps: bool = True) -> None:
        self.ran: list[str] = []
        self.broken: set[str] = set()
        self.months = ["may", "june"]

        @task(persist_result=True)
        def read(month: str) -> str:
            self.ran.append(f"read {month}")
            return month

        @task
        def post(month: str) -> str:
            self.ran.append(f"post {month}")
            if month in self.broken:
                raise ConnectionError
            return month.upper()

        @flow(persist_result=keeps)
        def close(month: str) -> str:
            self.ran.append(f"close {month}")
            return post(read(month))

        @flow
        def year() -> list[str]:
            done = [close(month) for month in self.months]
            if "year" in self.broken:
                raise ConnectionError
            return done

        self.year = year

    def fail_with(self, *places: str) -> None:
        """Run the flow with places that fail, then mend them."""
        self.broken.update(places)
        assert self.year(return_state=True).is_failed()
        self.broken.clear()
        self.ran.clear()


def runs(record: Record) -> dict[str, Any]:
    """Return the runs of the inner flow by their parameter."""
    found = record.client.read_flow_runs(flow_name="close")
    return {run.parameters["month"]: run for run in found}


def test_a_child_that_failed_goes_on(record: Record) -> None:
    """It is the same run in its next attempt, and its stored tasks are spared; the one that completed is not run again."""
    books = Books()
    books.fail_with("june")
    before = runs(record)
    state = resume_flow_run(books.year, record.flow("year").id)
    assert state.result() == ["MAY", "JUNE"]
    assert books.ran == ["close june", "post june"]
    after = runs(record)
    assert after["may"] == before["may"]
    assert after["june"].id == before["june"].id
    assert (after["june"].attempt, after["june"].state_name) == (2, "Completed")
    assert len(record.client.read_flow_runs()) == 3


def test_a_child_whose_result_was_not_kept_runs_again_as_the_same_run(
    record: Record,
) -> None:
    """Its kept task runs are still spared."""
    books = Books(keeps=False)
    books.fail_with("year")
    before = runs(record)
    assert resume_flow_run(books.year, record.flow("year").id).is_completed()
    assert books.ran == ["close may", "post may", "close june", "post june"]
    after = runs(record)
    assert {run.id for run in after.values()} == {run.id for run in before.values()}
    assert record.states(after["may"]) == [
        "Pending", "Running", "Completed", "Running", "Completed",
    ]  # fmt: skip


def test_a_child_with_other_parameters_runs_again(record: Record) -> None:
    """The run shows what it was called with last."""
    books = Books()
    books.fail_with("year")
    books.months = ["may", "july"]
    state = resume_flow_run(books.year, record.flow("year").id)
    assert state.result() == ["MAY", "JULY"]
    assert books.ran == ["close july", "read july", "post july"]
    assert runs(record).keys() == {"may", "july"}


def test_a_child_that_was_not_called_before_is_a_new_run(record: Record) -> None:
    """There is nothing to go on with."""
    books = Books()
    books.fail_with("may")
    assert resume_flow_run(books.year, record.flow("year").id).is_completed()
    assert books.ran == ["close may", "post may", "close june", "read june", "post june"]  # fmt: skip
    assert [run.attempt for run in runs(record).values()] == [1, 2]


def test_a_retry_of_the_parent_goes_on_with_its_children(record: Record) -> None:
    """Within one process the same rules hold."""
    books = Books()
    books.broken.add("year")
    ran: list[str] = []

    @flow(retries=1)
    def twice() -> list[str]:
        try:
            return books.year()
        finally:
            ran.append("twice")
            books.broken.clear()

    assert twice() == ["MAY", "JUNE"]
    assert ran == ["twice", "twice"]
    assert books.ran.count("close may") == 1
    assert len(record.client.read_flow_runs()) == 4


def test_children_of_coroutines_go_on(record: Record) -> None:
    """An awaited flow finds its run as a called one does."""
    ran: list[str] = []

    @flow(persist_result=True)
    async def inner() -> int:
        ran.append("inner")
        return 1

    @flow
    async def outer() -> int:
        value = await inner()
        ran.append("outer")
        if ran.count("outer") == 1:
            raise ConnectionError
        return value

    assert asyncio.run(outer(return_state=True)).is_failed()

    async def again() -> Any:
        return await resume_flow_run(outer, record.flow("outer").id)

    assert asyncio.run(again()).data == 1
    assert ran == ["inner", "outer", "outer"]
