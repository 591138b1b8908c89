"""Explanations name what broke a run, and nothing that did not."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cli.recovery import give_up_run
from caudal.clock import timestamp
from caudal.engine.liveness import own_lease
from caudal.exceptions import FlowRunNotResumableError
from caudal.ledger.port import Batch, FlowWrite, TaskWrite
from caudal.model.ids import new_id
from caudal.model.runs import FlowRunChange, Move, TaskRunChange
from caudal.task_runners import ProcessPoolTaskRunner
from tests.unit.explain.telling import lines, of_flow, of_task

if TYPE_CHECKING:
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def fetch(number: int) -> int:
    """Fail for odd numbers."""
    if number % 2:
        msg = f"store {number} is away"
        raise ConnectionError(msg)
    return number


@task
def clean(number: int) -> int:
    """Return the number."""
    return number


@task
def outer() -> int:
    """Call a task that fails."""
    return fetch(1)


def test_a_failed_flow_names_each_error_once_and_what_did_not_start(
    record: Record,
) -> None:
    """Runs of one task with one error are counted; runs that waited for them too."""

    @flow(name="around")
    def around() -> Any:
        return clean.map(fetch.map([0, 1, 1, 2]))

    around(return_state=True)
    first, second = of_flow(record).reasons
    assert first.text.startswith(f"{record.flow().name} is Failed: ")
    (cause,) = first.causes
    assert cause.text.startswith(
        "fetch-1 is Failed: ConnectionError: store 1 is away ("
    )
    assert cause.text.endswith("in fetch), and 1 more of fetch likewise")
    assert second.text == "2 task runs did not start, because what they wait for did not complete: 2 of clean"  # fmt: skip


def test_causes_lie_below_what_they_broke(record: Record) -> None:
    """A task called by a task, in a child flow: the chain has one end."""

    @flow(name="inner")
    def inner() -> None:
        outer()

    @flow(name="around")
    def around() -> None:
        inner()

    around(return_state=True)
    texts = lines(of_flow(record, "around").reasons)
    indents = [len(text) - len(text.lstrip()) for text in texts]
    names = [text.split()[0] for text in texts]
    assert indents == [0, 1, 2, 3]
    assert names[2:] == ["outer-0", "fetch-0"]
    assert all("store 1 is away" in text for text in texts)


def test_a_task_that_did_not_start_follows_its_inputs_to_the_error(
    record: Record,
) -> None:
    """Through every run in between."""

    @flow(name="around")
    def around() -> None:
        clean.submit(clean.submit(fetch.submit(1))).wait()

    around(return_state=True)
    texts = lines(of_task(record, "clean-1").reasons)
    assert [text.strip().split()[0] for text in texts] == [
        "clean-1",
        "clean-0",
        "fetch-0",
    ]
    assert "store 1 is away" in texts[-1]


def test_an_explanation_is_an_object_for_programs(record: Record) -> None:
    """Reasons nest; commands say what to type."""
    flow(lambda: fetch(1), name="around")(return_state=True)
    told = of_task(record, "fetch-0").as_dict()
    assert told["state_name"] == "Failed"
    assert told["reasons"][0]["causes"] == []
    assert told["commands"][0].startswith("caudal task-run replay ")


def test_failures_that_the_flow_handled_are_no_causes(record: Record) -> None:
    """The flow's own error stands alone."""

    @flow(name="around")
    def around() -> None:
        with suppress(ConnectionError):
            fetch(1)
        raise LookupError("its own")

    around(return_state=True)
    (text,) = lines(of_flow(record).reasons)
    assert "LookupError: its own" in text


def test_failures_of_an_earlier_attempt_are_no_causes(record: Record) -> None:
    """Only the last attempt counts."""
    errors = [fetch, outer]

    @flow(name="around", retries=1)
    def around() -> None:
        errors.pop()()

    errors[0] = task(name="other")(lambda: fetch(3))
    around(return_state=True)
    texts = lines(of_flow(record).reasons)
    assert [text.split()[0] for text in texts] == [record.flow().name, "other-0", "fetch-0"]  # fmt: skip


def test_what_an_exception_was_raised_from_is_shown(record: Record) -> None:
    """Its cause, or what was being handled; a run that this came from is the cause."""

    @task
    def wrap() -> None:
        try:
            {}["inner"]
        except KeyError as error:
            raise ValueError("outer") from error

    @flow(name="around")
    def around() -> None:
        try:
            wrap()
        except ValueError as error:
            raise LookupError("all in all") from error

    around(return_state=True)
    flow_text, task_text, inner_text = lines(of_flow(record).reasons)
    assert "LookupError: all in all" in flow_text
    assert task_text.startswith(" wrap-0 is Failed: ValueError: outer")
    assert inner_text == "  behind it: KeyError: 'inner'"


def test_a_failed_result_that_other_runs_asked_for_is_their_cause(
    record: Record,
) -> None:
    """The same exception reaches two runs, and neither is the cause of the other."""
    futures: list[Any] = []

    @task
    def ask() -> None:
        futures[0].result()

    @flow(name="around")
    def around() -> None:
        futures.append(fetch.submit(1))
        ask(return_state=True)
        ask(return_state=True)

    around(return_state=True)
    for name in ("ask-0", "ask-1"):
        first, second = lines(of_task(record, name).reasons)
        assert first.startswith(f"{name} is Failed: ConnectionError")
        assert second.startswith(" fetch-0 is Failed")


def test_the_cause_is_known_across_processes(record: Record) -> None:
    """The task executes in a worker process, and so does the one that it calls."""

    @flow(name="around", task_runner=ProcessPoolTaskRunner(max_workers=1))
    def around() -> None:
        outer.submit().result()

    around(return_state=True)
    texts = lines(of_flow(record).reasons)
    assert [text.split()[0] for text in texts] == [record.flow().name, "outer-0", "fetch-0"]  # fmt: skip


def lose(record: Record, tasks: dict[str, bool], **fields: Any) -> str:
    """Leave a flow run of a dead process in the ledger, sweep, and return its name.

    Args:
        record: Of the ledger.
        tasks: Names of task runs, each with the one before as its input, and whether they had begun.
        fields: Of the flow run's creation.
    """
    ledger, now = record._engine.ledger, timestamp()
    flow_id, owner = new_id(now, b"f" * 8), os.urandom(16)
    ledger.renew(own_lease(owner, now - 1))
    batch = Batch()
    pending, running = Move("PENDING", "Pending", now), Move("RUNNING", "Running", now)
    created = FlowRunChange([pending], "lost", "around", now, owner=owner.hex(), attempt=1, **fields)  # fmt: skip
    batch.writes.append(FlowWrite(flow_id, created))
    batch.writes.append(FlowWrite(flow_id, FlowRunChange([running])))
    upstream: list[str] = []
    for name, began in tasks.items():
        moves = [pending, running] if began else [pending]
        change = TaskRunChange(moves, name, name[:-2], name, now)
        change.details = {"upstream": list(upstream)}
        run_id = new_id(now, name.encode().ljust(8))
        batch.writes.append(TaskWrite.of(run_id, flow_id, change, None))
        upstream = [run_id.hex()]
    ledger.commit(batch)
    record._engine.sweep()
    return "lost"


def test_a_lost_run_says_what_executed_and_what_had_not_started(
    record: Record,
) -> None:
    """Runs that crashed because the process died are not the cause of each other."""
    lose(record, {"slow-0": True, "dep-0": False, "dep-1": False})

    assert lines(of_flow(record).reasons) == [
        "lost is Crashed: The process that worked on it is gone.",
        " These task runs were executing then: slow-0",
        " These had not started: 2 of dep",
    ]
    assert lines(of_task(record, "dep-1").reasons) == ["dep-1 is Crashed, before it had started: The process that worked on it is gone."]  # fmt: skip


def test_a_run_that_was_given_up_says_how_and_what_works(record: Record) -> None:
    """Too many losses, or a person."""
    name = lose(record, {}, durable_key="key", details={"losses": 9})
    told = of_flow(record)
    assert "Its process was lost 10 times, and recovery_limit is 3" in told.reasons[0].text  # fmt: skip
    assert told.commands[0] == "caudal flow-run resume lost --force"

    give_up_run(name)
    assert " It was given up by hand, so nothing goes on with it by itself" in lines(of_flow(record).reasons)  # fmt: skip
    with pytest.raises(FlowRunNotResumableError, match="it was given up by hand"):
        record._engine.claim(record.flow().id.bytes)


def test_a_delayed_call_that_was_given_up_says_so(record: Record) -> None:
    """Its task run does; there is no command that would go on with it."""
    details = {"losses": 9, "call_key": "key"}
    lose(record, {"boom-0": True}, durable_key="task:boom", details=details)
    first, second, *_ = lines(of_task(record, "boom-0").reasons)
    assert first.startswith("boom-0 is Crashed")
    assert "it is not taken up again by itself. Find out why, then make the call again." in second  # fmt: skip
    assert of_flow(record).commands == ["caudal flow-run logs lost"]


def test_commands_name_a_run_so_that_no_other_is_meant(record: Record) -> None:
    """By its id where two have one name."""

    @flow(name="around", flow_run_name="twin")
    def around() -> None:
        fetch(1)

    around(return_state=True)
    assert of_flow(record).commands[0] == "caudal flow-run resume twin"
    around(return_state=True)
    assert of_flow(record).commands[0] == f"caudal flow-run resume {record.flow().id}"
