"""Results: where they are kept, how they are written, and what reading them checks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.exceptions import (
    CaudalError,
    MissingResult,
    ResultCorruptedError,
    ResultLostError,
    SerializationError,
)
from caudal.ledger.port import RunFilter
from caudal.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

BIG = 20_000


@task(persist_result=True)
def make(size: int, kind: str = "text") -> Any:
    """Return something of a size."""
    return "x" * size if kind == "text" else {"bytes": b"x" * size}


def files(home: Path) -> list[Path]:
    """Return the files that results are kept in."""
    return [path for path in (home / "storage").rglob("*") if path.is_file()]


def key_of(record: Record, name: str = "make-0") -> str:
    """Return the key of a task run's result."""
    return record.tasks()[name].details["result_key"]


def test_small_results_are_in_the_ledger_and_large_ones_in_files(
    engine: Engine, record: Record, home: Path
) -> None:
    """The size decides; both can be read by key."""
    flow(lambda: (make(10), make(BIG)), name="around")()
    small = engine.ledger.result(key_of(record))
    large = engine.ledger.result(key_of(record, "make-1"))
    assert small is not None
    assert large is not None
    assert (small.inline is None, large.inline is None) == (False, True)
    assert len(files(home)) == 1
    assert engine.results.load(small.key) == "x" * 10
    assert engine.results.load(large.key) == "x" * BIG


@pytest.mark.parametrize(
    ("value", "serializer"),
    [
        ({"a": [1, 2.5, None, "é"]}, "json"),
        ((1, {2}), "pickle"),
        (ValueError("x"), "pickle"),
        (5, "json"),
    ],
)
def test_the_serializer_follows_the_type(
    value: Any, serializer: str, engine: Engine, record: Record
) -> None:
    """What JSON can hold exactly is JSON, the rest is pickled, and the type comes back."""
    flow(lambda: task(name="make", persist_result=True)(lambda: value)(), name="around")()  # fmt: skip
    stored = engine.ledger.result(key_of(record))
    assert stored is not None
    assert stored.serializer == serializer
    loaded = engine.results.load(stored.key)
    assert (type(loaded), repr(loaded)) == (type(value), repr(value))


def test_a_serializer_can_be_chosen(engine: Engine, record: Record) -> None:
    """By the task, or by the flow for its tasks."""
    work = task(name="make", persist_result=True)(lambda: {"a": 1})
    flow(name="around", result_serializer="pickle")(lambda: work())()
    assert engine.ledger.result(key_of(record)).serializer == "pickle"
    chosen = work.with_options(result_serializer="compressed/json")
    flow(name="around", result_serializer="pickle")(lambda: chosen())()
    assert engine.ledger.result(key_of(record)).serializer == "compressed/json"


def test_a_result_that_cannot_be_stored_fails_the_run(record: Record) -> None:
    """The error names the type and what to do; the task's work is not called a success."""

    @task(persist_result=True)
    def lock() -> Any:
        return threading.Lock()

    with pytest.raises(SerializationError, match=r"'_thread.lock'"):
        flow(lambda: lock(), name="around")()
    run = record.tasks()["lock-0"]
    assert run.state_name == "Failed"
    assert str(run.state.message).startswith("The result could not be stored")


def test_a_flow_result_that_cannot_be_stored_fails_the_flow() -> None:
    """The same for flows."""
    around = flow(persist_result=True)(lambda: threading.Lock())
    with pytest.raises(SerializationError):
        around()


def test_results_that_are_not_stored_need_no_serializer() -> None:
    """In memory anything can be passed on."""
    lock = task(lambda: threading.Lock(), name="lock")
    held = task(lambda value: value.locked(), name="held")
    assert flow(lambda: held(lock.submit()), name="around")() is False


def test_a_damaged_result_is_an_error_when_it_is_read(
    engine: Engine, record: Record, home: Path
) -> None:
    """A direct read checks the checksum and says which value is damaged."""
    flow(lambda: make(BIG), name="around")()
    files(home)[0].write_bytes(b"rubbish")
    with pytest.raises(ResultCorruptedError, match="damaged after it was written"):
        engine.results.load(key_of(record))


def test_a_lost_result_is_an_error_when_it_is_read(
    engine: Engine, record: Record, home: Path
) -> None:
    """A file that is gone, and a key that never was, are told apart."""
    flow(lambda: make(BIG), name="around")()
    files(home)[0].unlink()
    with pytest.raises(ResultLostError):
        engine.results.load(key_of(record))
    with pytest.raises(MissingResult, match="was not kept"):
        engine.results.load("never")


def test_large_results_need_not_stay_in_memory(home: Path) -> None:
    """With `cache_result_in_memory=False` a result is read from storage each time it is used."""
    work = make.with_options(cache_result_in_memory=False)
    length = task(len, name="length")

    def body() -> Any:
        future = work.submit(BIG)
        future.wait()
        state = future.state
        assert not isinstance(state.data, str)
        assert len(future.result()) == length(future) == len(state.result()) == BIG
        assert work(BIG) == "x" * BIG  # from the cache
        files(home)[0].unlink()
        with pytest.raises(CaudalError):
            future.result()

    flow(body, name="around")()


def test_results_are_durable_with_the_flow(engine: Engine, record: Record) -> None:
    """When a flow call returns, another process finds states and results in the ledger."""
    flow(name="around", persist_result=True)(lambda: make(10))()
    key = key_of(record)
    flow(name="again", persist_result=True)(lambda: make(11))()
    other = SqliteLedger(engine.settings.ledger_path)
    assert other.result(key) is not None
    states = {row.flow_name: row.state_type for row in other.flow_runs(RunFilter())}
    assert states == {"around": "COMPLETED", "again": "COMPLETED"}
    other.close()
