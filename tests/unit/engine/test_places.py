"""Results in places of the user's own: ``result_storage`` and ``key_storage``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS
from caudal.engine.composition import close_engine, current_engine
from caudal.exceptions import ConfigurationError, StorageError
from caudal.filesystems import LocalFileSystem, WritableFileSystem
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def note(value: Any) -> Any:
    """Note a call and return its argument."""
    calls.append(value)
    return value


def files(folder: Path) -> list[str]:
    """Return the files below a folder, by path."""
    return sorted(
        str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()
    )


def test_a_tasks_result_is_kept_in_its_storage_under_its_key(tmp_path: Path) -> None:
    """The file tells all: a line about the value, then the value, however small."""
    work = task(note, result_storage=tmp_path, result_storage_key="{parameters[value]}.json")  # fmt: skip
    flow(lambda: work("june"), name="around")()

    assert files(tmp_path) == ["june.json"]
    about, _, value = (tmp_path / "june.json").read_bytes().partition(b"\n")
    assert value == b'"june"'
    assert json.loads(about)["serializer"] == "json"


def test_who_has_the_storage_has_the_cache(tmp_path: Path, home: Path) -> None:
    """Another ledger, as on another machine, finds what lies in the storage."""
    work = task(note, cache_policy=INPUTS, result_storage=str(tmp_path / "shared"))
    assert work("x" * 20_000) == "x" * 20_000
    close_engine()
    for each in home.glob("caudal.db*"):
        each.unlink()

    state = work("x" * 20_000, return_state=True)

    assert (state.name, state.result(), len(calls)) == ("Cached", "x" * 20_000, 1)


def test_records_can_be_apart_from_values(tmp_path: Path) -> None:
    """With ``key_storage`` the values are bare, and a value without its record is not served."""
    policy = INPUTS.configure(key_storage=tmp_path / "keys")
    work = task(note, cache_policy=policy, result_storage=tmp_path / "values")
    assert (work("one"), work("one"), calls) == ("one", "one", ["one"])

    (key,) = files(tmp_path / "keys")
    assert files(tmp_path / "values") == [key]
    assert (tmp_path / "values" / key).read_bytes() == b'"one"'
    (tmp_path / "keys" / key).unlink()
    assert (work("one"), calls) == ("one", ["one", "one"])


@pytest.mark.parametrize("size", [10, 20_000])
def test_records_alone_can_be_elsewhere(tmp_path: Path, home: Path, size: int) -> None:
    """With ``key_storage`` alone, large values stay where all are; the ledger is not asked."""
    work = task(note, cache_policy=INPUTS.configure(key_storage=tmp_path))
    work("x" * size)
    close_engine()
    for each in home.glob("caudal.db*"):
        each.unlink()
    assert work("x" * size) == "x" * size
    assert len(calls) == 1
    assert len(files(tmp_path)) == 1


def test_a_flows_storage_serves_its_tasks_and_nested_flows(tmp_path: Path) -> None:
    """Whoever does not say takes the one around; a storage means that results are stored."""
    work = task(note)
    own = task(note, name="own", result_storage=tmp_path / "own")

    @flow
    def inner() -> Any:
        return work(2)

    @flow(result_storage=LocalFileSystem(tmp_path / "flow"))
    def outer() -> Any:
        return [work(1), own(3), inner()]

    assert outer() == [1, 3, 2]
    assert len(files(tmp_path / "flow")) == 4
    assert len(files(tmp_path / "own")) == 1


def test_expired_values_are_made_anew(tmp_path: Path) -> None:
    """The record beside the value says until when it may be used."""
    work = task(note, cache_policy=INPUTS, result_storage=tmp_path, cache_expiration=timedelta(0))  # fmt: skip
    work(1)
    work(1)
    assert calls == [1, 1]


def test_a_value_that_is_not_kept_in_memory_is_read_from_its_place(
    tmp_path: Path,
) -> None:
    """What the file holds when it is asked for counts."""
    work = task(note, result_storage=tmp_path, result_storage_key="k", cache_result_in_memory=False)  # fmt: skip

    @flow
    def around() -> Any:
        first = work.submit("one")
        first.wait()
        work.with_options(refresh_cache=True)("two")
        return first.result()

    assert around() == "two"


@pytest.mark.parametrize("content", [b"", b"no record", b"{}\nx", b'{"key": 1}\n'])
def test_what_is_no_record_is_made_anew(
    tmp_path: Path, record: Record, content: bytes
) -> None:
    """A foreign file under the key means that the task is called, with a warning."""
    work = task(note, result_storage=tmp_path, result_storage_key="k")
    (tmp_path / "k").write_bytes(content)
    assert (work(1), work(1), calls) == (1, 1, [1])
    assert any("cannot be used" in line for line in record.logs())


class Unreachable(WritableFileSystem):
    """Cannot be reached."""

    def read_path(self, path: str) -> bytes:
        """Fail."""
        raise ConnectionError(f"no route to {path}")

    def write_path(self, path: str, content: bytes) -> None:
        """Fail."""
        raise ConnectionError(f"no route to {path} for {content!r}")


def test_a_storage_that_cannot_be_used_fails_the_run_before_its_work(
    record: Record,
) -> None:
    """The function is not called for a result that could not be kept."""
    state = task(note, result_storage=Unreachable())(1, return_state=True)
    assert (state.name, calls) == ("Failed", [])
    with pytest.raises(StorageError, match="no route"):
        state.result()
    wrong = task(note, name="wrong", result_storage="gopher://hole")
    with pytest.raises(ConfigurationError, match="no bucket of an object store"):
        wrong(1)
    assert record.task("wrong").state_type == "FAILED"


def test_a_flow_whose_storage_cannot_be_used_fails() -> None:
    """The flow's own result could not be kept."""
    state = flow(lambda: 1, name="around", result_storage=Unreachable())(
        return_state=True
    )
    assert state.is_failed()
    assert "could not be stored" in (state.message or "")


def test_a_worker_process_keeps_results_of_nested_tasks_in_the_flows_storage(
    tmp_path: Path,
) -> None:
    """The storage travels with the call."""

    @task
    def below(value: int) -> int:
        return value + 1

    @task
    def above(value: int) -> int:
        return below(value)

    @flow(
        result_storage=tmp_path,
        task_runner=ProcessPoolTaskRunner(max_workers=1),
    )
    def around() -> int:
        return above.submit(1).result()

    assert around() == 2
    assert len(files(tmp_path)) == 3  # the tasks' and the flow's


def test_the_ledger_says_where_a_result_is(tmp_path: Path, record: Record) -> None:
    """People can follow the location."""
    work = task(note, result_storage=tmp_path, result_storage_key="k")
    work(1)
    current_engine().journal.barrier().wait()
    stored = current_engine().ledger.result(record.task("note").details["result_key"])
    assert stored is not None
    assert (stored.inline, stored.location) == (None, str(tmp_path / "k"))
