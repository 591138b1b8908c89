"""A failed task run can be run again, with the inputs it had."""

from __future__ import annotations

import pickle
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.app import make_engine
from caudal.engine.composition import use_engine
from caudal.entrypoint import load_flow
from caudal.exceptions import TaskRunNotReplayableError
from caudal.replay import load_replay
from caudal.settings import temporary_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caudal.model.runs import TaskRunRow
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

PIPELINE = """
    from dataclasses import dataclass
    from caudal import flow, task

    @dataclass
    class Order:
        number: int

    @task(retries=1, timeout_seconds=5)
    def check(order, *, limit=1):
        if order.number > limit:
            raise ValueError(f"{order.number} is too much")
        return order.number

    @task
    async def look(order):
        raise LookupError(order.number)

    class Shop:
        @task
        @staticmethod
        def sell(order):
            raise KeyError(order.number)

        def __init__(self, name):
            self.name = name

        @task
        def open(self, day):
            raise RuntimeError(f"{self.name} is closed on {day}")

        @task
        @classmethod
        def found(cls, day):
            raise RuntimeError(f"{cls.__name__} cannot be founded on {day}")

    @task
    def count(order):
        yield order.number
        raise IndexError("no more")

    @task
    async def tally(order):
        yield order.number
        raise IndexError("no more of these")

    @flow
    def orders():
        return [
            check(Order(5), limit=2, return_state=True),
            check(Order(1), return_state=True),
            look.submit(Order(7)).wait(),
            Shop.sell(Order(3), return_state=True),
            Shop("corner").open("sunday", return_state=True),
            Shop.found("monday", return_state=True),
            count(Order(2), return_state=True),
            tally.submit(Order(2)).wait(),
            None,
        ][-1]
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Give a file with a flow whose tasks fail, and forget its module afterwards."""
    file = tmp_path / "orders_to_replay.py"
    file.write_text(dedent(PIPELINE))
    path = list(sys.path)
    yield file
    sys.path[:] = path
    sys.modules.pop(file.stem, None)


def row_of(record: Record, name: str) -> TaskRunRow:
    """Return a task run of the newest flow run."""
    row = record._engine.ledger.task_run(record.tasks("orders")[name].id.bytes)
    assert row is not None
    return row


def test_a_failed_run_is_run_again_with_todays_code(record: Record, file: Path) -> None:
    """Its arguments come back, whatever they are; a mended task completes, and the call is on record."""
    load_flow(str(file))()
    row = row_of(record, "check-0")
    again = load_replay(row)
    assert again.args[0].number == 5
    assert again.kwargs == {"limit": 2}
    with pytest.raises(ValueError, match="5 is too much"):
        again.run()
    run = record.task("check")
    assert (run.name, run.flow_run_id, run.run_count) == ("replay of check-0", None, 1)

    sys.modules.pop(file.stem)
    file.write_text(file.read_text().replace("> limit", "> limit + 10"))
    assert load_replay(row).run() == 5


def test_coroutines_and_static_methods_are_replayed(record: Record, file: Path) -> None:
    """A task is found by its name, or by where its function is."""
    load_flow(str(file))()
    with pytest.raises(LookupError, match="7"):
        load_replay(row_of(record, "look-0")).run()
    with pytest.raises(KeyError, match="3"):
        load_replay(row_of(record, "sell-0")).run()


def test_methods_are_replayed_with_their_instance(record: Record, file: Path) -> None:
    """Or with their class."""
    load_flow(str(file))()
    with pytest.raises(RuntimeError, match="corner is closed on sunday"):
        load_replay(row_of(record, "open-0")).run()
    with pytest.raises(RuntimeError, match="Shop cannot be founded on monday"):
        load_replay(row_of(record, "found-0")).run()


def test_generator_functions_are_replayed_to_their_end(
    record: Record, file: Path
) -> None:
    """A generator that nobody asks does nothing."""
    load_flow(str(file))()
    with pytest.raises(IndexError, match="no more"):
        load_replay(row_of(record, "count-0")).run()
    with pytest.raises(IndexError, match="no more of these"):
        load_replay(row_of(record, "tally-0")).run()

    sys.modules.pop(file.stem)
    file.write_text(file.read_text().replace('raise IndexError("no more")', "yield 7"))
    assert load_replay(row_of(record, "count-0")).run() == [2, 7]


def test_a_task_that_takes_other_arguments_today_says_so(
    record: Record, file: Path
) -> None:
    """Before anything is run."""
    load_flow(str(file))()
    row = row_of(record, "check-0")
    sys.modules.pop(file.stem)
    file.write_text(file.read_text().replace("order, *, limit=1", "order, *, most=1"))
    with pytest.raises(TaskRunNotReplayableError, match="'limit'"):
        load_replay(row)


def test_runs_of_durable_flows_can_be_replayed_too(record: Record) -> None:
    """Their arguments are kept before the function can change them."""

    @task(name="grow")
    def grow(numbers: list[int]) -> int:
        numbers.append(1)
        return len(numbers)

    flow(lambda: grow([5]), name="orders", durable=True)()
    details = row_of(record, "grow-0").details or {}
    pickled = record._engine.results.load(details["inputs_key"])
    assert pickle.loads(pickled) == (([5],), {}, None)  # noqa: S301 - our own bytes


def test_a_run_that_completed_has_no_inputs(record: Record, file: Path) -> None:
    """Keeping them costs nothing where nothing fails."""
    load_flow(str(file))()
    with pytest.raises(TaskRunNotReplayableError, match="it is Completed, and its"):
        load_replay(row_of(record, "check-1"))


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        (0, 1, "tasks_inputs_limit_bytes is 0"),
        (1000, "x" * 2000, "they take more than 1000 bytes .tasks_inputs_limit_bytes."),
        (1000, (n for n in "ab"), "cannot pickle 'generator' object"),
    ],
)
def test_inputs_that_are_too_large_or_cannot_be_pickled_are_not_kept(
    record: Record, limit: int, value: Any, reason: str
) -> None:
    """The failure itself is recorded as ever, and a replay says which of the two it was."""

    @task
    def fail(value: Any) -> None:
        raise ValueError(type(value).__name__)

    with temporary_settings({"tasks_inputs_limit_bytes": limit}):
        engine = make_engine()
        with use_engine(engine):
            flow(lambda: fail(value), name="orders")(return_state=True)
        engine.close()
    row = row_of(record, "fail-0")
    assert row.state_name == "Failed"
    assert "inputs_key" not in (row.details or {})
    with pytest.raises(TaskRunNotReplayableError, match=f"not kept: .*{reason}"):
        load_replay(row)


def test_a_task_that_a_function_defines_cannot_be_found(record: Record) -> None:
    """The error says so."""

    @task
    def local(_: int) -> None:
        raise ValueError

    flow(lambda: local(1), name="orders")(return_state=True)
    with pytest.raises(TaskRunNotReplayableError, match="has no task 'local'"):
        load_replay(row_of(record, "local-0"))
