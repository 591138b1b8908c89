"""Resuming after the code has changed: both sides are named, and no result is used that is not that of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS, NO_CACHE
from caudal.engine.composition import close_engine, current_engine
from caudal.exceptions import ResumeMismatchError
from caudal.resume import resume_flow_run
from caudal.settings import temporary_settings
from tests.conftest import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caudal.states import State

pytestmark = pytest.mark.usefixtures("engine")

ran: list[str] = []


@task(persist_result=True)
def read(number: int) -> int:
    """Return the number."""
    ran.append(f"read {number}")
    return number


@task(persist_result=True)
def check(number: int) -> int:
    """Return the number."""
    ran.append(f"check {number}")
    return number


@task
def fail() -> None:
    """Fail."""
    raise ConnectionError


def attempt(code: Callable[[], Any]) -> None:
    """Run the code in a flow that fails after it."""

    @flow(name="changing")
    def changing() -> None:
        code()
        fail()

    assert changing(return_state=True).is_failed()
    ran.clear()


def another_attempt(record: Record, code: Callable[[], Any]) -> State[Any]:
    """Resume the run with other code."""
    changed = flow(name="changing")(code)
    return resume_flow_run(changed, record.flow("changing").id)


def warnings(record: Record) -> list[str]:
    """Return what was logged about the earlier attempt."""
    return [line for line in record.logs() if "in an earlier attempt" in line]


def test_a_renamed_task_is_named_with_the_one_on_record(record: Record) -> None:
    """The warning says which call it is, what it was and what it is now; then the new task is run."""
    attempt(lambda: [read(0), read(1)])
    state = another_attempt(record, lambda: [read(0), check(1)])
    assert state.result() == [0, 1]
    assert ran == ["check 1"]
    assert warnings(record) == [
        "call 2 of the flow was 'read-1' in an earlier attempt and is 'check-0' now. It is run as a new one."
    ]


def test_removed_calls_are_named(record: Record) -> None:
    """Fewer turns of a loop, those of a task too, and a child flow likewise."""

    @flow
    def child() -> None:
        ran.append("child")

    @task
    def around(turns: int) -> None:
        for number in range(turns):
            read(number)

    def first() -> None:
        for number in range(7):
            check(number)
        child()
        around(2)

    attempt(first)
    assert another_attempt(record, lambda: [check(0), around(1)]).is_completed()
    assert warnings(record) == [
        (
            "'check-1', 'check-2', 'check-3', 'check-4', 'check-5' and 2 more of the flow completed in an earlier attempt, "
            "and this one did not call them. What was done stays as it is."
        ),
        "'read-1' of around-0 completed in an earlier attempt, and this one did not call it. What was done stays as it is.",
    ]


def test_a_removed_call_can_be_an_error(record: Record) -> None:
    """The flow run fails when its function has ended, and what is on record stays."""
    attempt(lambda: [read(0), check(1), read(2)])
    with temporary_settings({"resume_mismatch": "error"}):
        state = another_attempt(record, lambda: [read(0), read(2)])
    with pytest.raises(
        ResumeMismatchError, match="'check-0' of the flow completed in an earlier"
    ):
        state.result()
    assert ran == []
    assert another_attempt(record, lambda: [read(0), check(1), read(2)]).is_completed()
    assert ran == []


def test_a_flow_that_fails_again_says_what_it_left_out(record: Record) -> None:
    """What came after its last call is not missed: it did not come so far. Its own error stays."""
    attempt(lambda: [read(0), check(1), read(2), check(3)])

    def fails_earlier() -> None:
        read(0)
        read(2)
        raise ConnectionError

    with temporary_settings({"resume_mismatch": "error"}):
        state = another_attempt(record, fails_earlier)
    assert isinstance(state.data, ConnectionError)
    assert warnings(record) == [
        "'check-0' of the flow completed in an earlier attempt, and this one did not call it."
    ]


def test_a_task_put_in_between_disturbs_no_other(record: Record) -> None:
    """What stands after it finds its results."""
    attempt(lambda: [read(0), read(1)])
    assert another_attempt(record, lambda: [read(0), check(5), read(1)]).is_completed()
    assert ran == ["check 5"]
    assert len(warnings(record)) == 1


def test_tasks_that_follow_what_is_on_record_are_no_mismatch(record: Record) -> None:
    """A flow that gets further than before is no other flow."""
    attempt(lambda: [read(0)])
    state = another_attempt(record, lambda: [read(0), read(1), check(2)])
    assert state.is_completed()
    assert ran == ["read 1", "check 2"]
    assert len(warnings(record)) == 1  # for the call that failed before


def test_a_changed_source_is_named(record: Record) -> None:
    """The default policy compares the source of the task."""

    @task(name="read", persist_result=True)
    def rewritten(number: int) -> int:
        ran.append("rewritten")
        return number + 1

    attempt(lambda: read(1))
    assert another_attempt(record, lambda: rewritten(1)).result() == 2
    assert ran == ["rewritten"]
    (warning,) = warnings(record)
    assert "task_source was '" in warning
    assert "inputs" not in warning.partition("code: ")[2]


def test_inputs_are_compared_where_there_is_no_key(record: Record) -> None:
    """A task without a cache policy is known by a hash of its inputs."""
    plain = read.with_options(cache_policy=NO_CACHE)
    attempt(lambda: plain(1))
    assert another_attempt(record, lambda: plain(2)).result() == 2
    assert ran == ["read 2"]
    (warning,) = warnings(record)
    assert "inputs was '" in warning


def test_a_changed_call_whose_result_is_in_the_cache_is_not_run(record: Record) -> None:
    """The warning says so."""
    shared = read.with_options(cache_policy=INPUTS)
    flow(lambda: shared(2), name="filling")()
    attempt(lambda: shared(1))
    assert another_attempt(record, lambda: shared(2)).result() == 2
    assert ran == []
    (warning,) = warnings(record)
    assert warning.endswith("Its result is in the cache.")


def test_a_result_that_is_gone_is_told_once(record: Record, home: Path) -> None:
    """Then the task is run again."""

    @task(persist_result=True)
    def big() -> str:
        ran.append("big")
        return "x" * 20_000

    attempt(big)
    for file in (home / "storage").rglob("*"):
        if file.is_file():
            file.unlink()
    assert another_attempt(record, big).is_completed()
    assert ran == ["big"]
    assert len([line for line in record.logs() if "cannot be used" in line]) == 1


@pytest.fixture
def strict() -> Any:
    """Have mismatches be errors."""
    close_engine()
    with temporary_settings({"resume_mismatch": "error"}):
        current_engine()
        yield


@pytest.mark.usefixtures("strict")
def test_other_inputs_can_be_an_error_and_the_record_stays() -> None:
    """Nothing runs, the flow fails, and with the old code the run goes on with the results it had."""
    record = Record(current_engine())
    attempt(lambda: read(1))
    before = record.tasks()["read-0"]
    state = another_attempt(record, lambda: read(2))
    assert isinstance(state.data, ResumeMismatchError)
    assert "resume_mismatch=rerun" in str(state.data)
    assert ran == []
    assert record.tasks()["read-0"] == before
    assert another_attempt(record, lambda: read(1)).result() == 1
    assert ran == []


@pytest.mark.usefixtures("strict")
def test_another_task_can_be_an_error() -> None:
    """The call raises it before anything is recorded."""
    record = Record(current_engine())
    attempt(lambda: read(1))
    state = another_attempt(record, lambda: check(1))
    assert isinstance(state.data, ResumeMismatchError)
    assert "'read-0' in an earlier attempt and is 'check-0' now" in str(state.data)
    assert set(record.tasks()) == {"read-0", "fail-0"}


def test_a_completed_task_run_whose_result_was_not_kept_begins_anew(
    record: Record,
) -> None:
    """It goes from Completed back to Pending, under its own id."""
    plain = read.with_options(persist_result=False)
    attempt(lambda: plain(1))
    before = record.tasks()["read-0"]
    assert another_attempt(record, lambda: plain(1)).is_completed()
    assert ran == ["read 1"]
    after = record.tasks()["read-0"]
    assert after.id == before.id
    assert record.states(after) == [
        "Pending", "Running", "Completed", "Pending", "Running", "Completed",
    ]  # fmt: skip


def test_the_log_says_that_a_run_is_resumed(record: Record) -> None:
    """It begins once."""
    attempt(lambda: read(1))
    another_attempt(record, lambda: read(1))
    name = record.flow().name
    lines = [line for line in record.logs() if line.endswith("for flow 'changing'")]
    assert lines == [
        f"Beginning flow run {name!r} for flow 'changing'",
        f"Resuming flow run {name!r} for flow 'changing'",
    ]
