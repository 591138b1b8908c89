"""Resuming: a flow run goes on where it stopped, and stored work is not done again."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from caudal import flow, task
from caudal.engine.composition import close_engine, current_engine
from caudal.exceptions import (
    FlowRunNotResumableError,
    LedgerError,
    ObjectNotFound,
    ParameterBindError,
)
from caudal.resume import resume_flow_run
from caudal.task_runners import ThreadPoolTaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from caudal.engine.engine import Engine
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


class Shop:
    """A flow of three steps that note their work in a file, and a switch that lets the last one fail.

    Args:
        folder: Where the notes are kept.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self.broken = True
        self.factor = 2

        @task(persist_result=True)
        def extract(number: int) -> list[int]:
            self.note(f"extract {number}")
            return [*range(number)]

        @task(persist_result=True)
        def transform(numbers: list[int], factor: int) -> list[int]:
            self.note(f"transform {factor}")
            return [factor * number for number in numbers]

        @task
        def load(numbers: list[int]) -> int:
            self.note("load")
            if self.broken:
                raise ConnectionError
            return sum(numbers)

        self.extract, self.transform, self.load = extract, transform, load

        @flow(name="shop", **options)
        def shop(number: int = 4) -> int:
            rows = extract.submit(number)
            return load(transform.submit(rows, self.factor))

        self.flow = shop

    def note(self, text: str) -> None:
        """Write a line that outlives the run."""
        with self.notes.open("a") as file:
            file.write(text + "\n")

    def noted(self) -> list[str]:
        """Return the lines, and forget them."""
        lines = self.notes.read_text().splitlines()
        self.notes.write_text("")
        return lines


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give the test a flow whose first run has failed at its last step."""
    shop = Shop(tmp_path)
    assert shop.flow(return_state=True).is_failed()
    assert shop.noted() == ["extract 4", "transform 2", "load"]
    return shop


def test_stored_work_is_not_done_again(shop: Shop, record: Record) -> None:
    """Only the step that failed runs; the run is the same one, in its second attempt."""
    before = record.flow()
    tasks = record.tasks()
    shop.broken = False
    state = resume_flow_run(shop.flow, before.id)
    assert state.result() == 12
    assert shop.noted() == ["load"]
    after = record.flow()
    assert (after.id, after.name, after.attempt) == (before.id, before.name, 2)
    assert after.state_name == "Completed"
    assert after.details["restored_task_runs"] == 2
    assert (after.task_count, after.task_completed, after.task_failed) == (3, 3, 0)
    assert record.states(after) == [
        "Pending",
        "Running",
        "Failed",
        "Running",
        "Completed",
    ]
    for name in ("extract-0", "transform-0"):
        assert record.tasks()[name] == tasks[name]
    assert record.states(tasks["load-0"]) == [
        "Pending", "Running", "Failed", "Pending", "Running", "Completed",
    ]  # fmt: skip


def test_a_run_can_be_resumed_again_and_again(shop: Shop, record: Record) -> None:
    """Each resume is an attempt."""
    run = record.flow()
    for attempt in (2, 3):
        assert resume_flow_run(shop.flow, run.name).is_failed()
        assert shop.noted() == ["load"]
        assert record.flow().attempt == attempt
    shop.broken = False
    assert resume_flow_run(shop.flow, str(run.id)[:20]).is_completed()
    assert len(record.client.read_flow_runs()) == 1


def test_a_new_process_resumes_what_another_one_began(
    shop: Shop, record: Record
) -> None:
    """The record in the ledger is enough; nothing is needed from the engine that failed."""
    run_id = record.flow().id
    close_engine()
    current_engine()
    shop.broken = False
    assert resume_flow_run(shop.flow, run_id).result() == 12
    assert shop.noted() == ["load"]


def test_changed_inputs_are_computed_again(shop: Shop, record: Record) -> None:
    """A step whose arguments differ runs, and what follows from it too."""
    shop.broken, shop.factor = False, 3
    run_id = record.flow().id
    assert resume_flow_run(shop.flow, run_id).result() == 18
    assert shop.noted() == ["transform 3", "load"]
    (warning,) = [line for line in record.logs() if "in an earlier attempt" in line]
    assert "'transform-0' completed" in warning
    assert "inputs.factor was '" in warning
    assert warning.endswith("It is run again.")


def test_parameters_can_be_changed(shop: Shop, record: Record) -> None:
    """New parameters run what they change."""
    shop.broken = False
    assert resume_flow_run(shop.flow, record.flow().id, {"number": 3}).result() == 6
    assert shop.noted() == ["extract 3", "transform 2", "load"]
    assert record.flow().parameters == {"number": 3}


def test_a_step_that_was_not_reached_runs(tmp_path: Path, record: Record) -> None:
    """Steps after the failure have no record and run."""
    ran: list[str] = []
    fails = [True]

    @task(persist_result=True)
    def step(name: str) -> str:
        ran.append(name)
        if name == "b" and fails:
            fails.pop()
            raise ValueError
        return name

    @flow
    def around() -> list[str]:
        return [step(name) for name in "abc"]

    assert around(return_state=True).is_failed()
    assert resume_flow_run(around, record.flow().id).result() == ["a", "b", "c"]
    assert ran == ["a", "b", "b", "c"]
    del tmp_path


def test_mapped_steps_keep_those_that_completed(record: Record) -> None:
    """Of a map only what failed, or did not run, is run."""
    ran: list[int] = []
    broken = {3, 5}

    @task(persist_result=True)
    def step(number: int) -> int:
        ran.append(number)
        if number in broken:
            raise ValueError(number)
        return number

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def around() -> list[int]:
        return step.map(range(8)).result()

    assert around(return_state=True).is_failed()
    completed = {
        each.name for each in record.tasks().values() if each.state_name == "Completed"
    }
    ran.clear()
    broken.clear()
    assert resume_flow_run(around, record.flow().id).result() == [*range(8)]
    assert {"step-3", "step-5"}.isdisjoint(completed)
    assert sorted(f"step-{number}" for number in ran) == sorted(
        {f"step-{number}" for number in range(8)} - completed
    )


def test_a_kept_step_that_waits_stays_completed(record: Record) -> None:
    """A stored step whose input takes long is on record as it was, not as pending."""
    fails = [True]

    @task
    def slow() -> int:
        time.sleep(0.2)  # longer than the journal waits to write what is pending
        return 1

    @task(persist_result=True)
    def kept(number: int) -> int:
        return number

    @flow
    def around() -> int:
        value = kept.submit(slow.submit()).result()
        if fails:
            fails.pop()
            raise ValueError
        return value

    assert around(return_state=True).is_failed()
    assert resume_flow_run(around, record.flow().id).result() == 1
    run = record.tasks()["kept-0"]
    assert run.state_name == "Completed"
    assert record.flow().details["restored_task_runs"] == 1


def test_nested_tasks_are_matched_by_their_path(record: Record) -> None:
    """Calls within a task have their own records."""
    ran: list[str] = []
    fails = [True]

    @task(persist_result=True)
    def leaf(name: str) -> str:
        ran.append(name)
        return name

    @task
    def node() -> str:
        value = leaf("in node")
        if fails:
            fails.pop()
            raise ValueError
        return value

    @flow
    def around() -> list[str]:
        return [leaf("in flow"), node()]

    assert around(return_state=True).is_failed()
    assert resume_flow_run(around, record.flow().id).result() == ["in flow", "in node"]
    assert ran == ["in flow", "in node"]


def test_a_cancelled_run_can_be_resumed(record: Record) -> None:
    """So can one that Ctrl-C ended, in whatever state its tasks were."""
    ran: list[str] = []
    started = threading.Event()

    @task(persist_result=True)
    def quick() -> str:
        ran.append("quick")
        return "quick"

    @task(persist_result=True)
    def slow() -> str:
        ran.append("slow")
        if started.is_set():
            return "slow"
        started.set()
        while True:
            time.sleep(0.001)

    @flow
    def around() -> list[str]:
        first = not started.is_set()
        futures = [quick.submit(), slow.submit()]
        futures[0].wait()
        started.wait(10)
        if first:
            raise KeyboardInterrupt
        return [future.result() for future in futures]

    with pytest.raises(KeyboardInterrupt):
        around()
    assert resume_flow_run(around, record.flow().id).result() == ["quick", "slow"]
    assert sorted(ran) == ["quick", "slow", "slow"]


def test_coroutine_functions_are_resumed(record: Record) -> None:
    """For an async flow there is an awaitable of the state."""
    ran: list[str] = []

    @task(persist_result=True)
    async def step() -> str:
        ran.append("step")
        return "value"

    @flow
    async def around() -> str:
        value = await step()
        if len(ran) == 1 and "failed" not in ran:
            ran.append("failed")
            raise ValueError
        return value

    assert asyncio.run(around(return_state=True)).is_failed()

    async def main() -> Any:
        return await resume_flow_run(around, record.flow().id)

    assert asyncio.run(main()).data == "value"
    assert ran == ["step", "failed"]


def test_parameters_come_back_exactly(record: Record) -> None:
    """What JSON cannot hold is stored with a flow that stores results."""
    seen: list[Any] = []

    @flow(persist_result=True)
    def around(given: Any, default: tuple[int, ...] = (1, 2)) -> None:
        seen.append((given, default))
        if len(seen) == 1:
            raise ValueError

    value = {"set": {1}, "long": "x" * 5000}
    assert around(value, return_state=True).is_failed()
    assert resume_flow_run(around, record.flow().id).is_completed()
    assert seen[1] == seen[0] == (value, (1, 2))


def test_parameters_that_were_not_kept_have_to_be_given(record: Record) -> None:
    """Without stored results such parameters cannot be had again; the error says so."""
    fails = [True]

    @flow
    def around(given: Any) -> int:
        if fails:
            fails.pop()
            raise ValueError
        return len(given)

    assert around({1}, return_state=True).is_failed()
    run_id = record.flow().id
    with pytest.raises(FlowRunNotResumableError, match="Give them once more"):
        resume_flow_run(around, run_id)
    assert resume_flow_run(around, run_id, {"given": {1}}).result() == 1


def test_another_flow_is_refused(shop: Shop, record: Record) -> None:
    """A run belongs to its flow."""
    other = flow(name="other")(lambda: 1)
    with pytest.raises(FlowRunNotResumableError, match=r"run of flow 'shop'.*'other'"):
        resume_flow_run(other, record.flow().id)
    assert record.flow().attempt == 1
    del shop


def test_a_completed_run_is_refused(shop: Shop, record: Record) -> None:
    """There is nothing left to do."""
    shop.broken = False
    run_id = record.flow().id
    resume_flow_run(shop.flow, run_id)
    with pytest.raises(FlowRunNotResumableError, match="it completed"):
        resume_flow_run(shop.flow, run_id)


def test_a_run_that_is_being_worked_on_is_refused(record: Record) -> None:
    """A live process keeps its runs."""
    refused: list[BaseException] = []

    @flow
    def around() -> None:
        try:
            resume_flow_run(around, record.flow().id)
        except FlowRunNotResumableError as error:
            refused.append(error)

    around()
    assert "works on it" in str(refused[0])
    assert record.flow().state_name == "Completed"


def test_an_unknown_run_is_an_error() -> None:
    """The error says what was looked for."""
    with pytest.raises(ObjectNotFound):
        resume_flow_run(flow(lambda: 1, name="around"), uuid4())


def test_parameters_that_do_not_fit_leave_the_run_alone(
    shop: Shop, record: Record
) -> None:
    """Arguments are looked at before the run is taken up."""
    with pytest.raises(ParameterBindError):
        resume_flow_run(shop.flow, record.flow().id, {"other": 1})
    assert (record.flow().state_name, record.flow().attempt) == ("Failed", 1)


def test_a_kept_step_that_a_failing_attempt_does_not_get_to_stays_completed(
    record: Record,
) -> None:
    """Its flow fails again while it waits for its input: its result is still there for the next attempt."""
    ran: list[str] = []
    attempts: list[int] = []

    @task(persist_result=False)
    def first() -> int:
        time.sleep(0.1 if len(attempts) == 2 else 0)
        return 1

    @task(persist_result=True)
    def kept(number: int) -> int:
        ran.append("kept")
        return number

    @flow
    def around() -> int:
        attempts.append(1)
        future = kept.submit(first.submit())
        if len(attempts) == 2:
            raise ConnectionError
        result = future.result()
        if len(attempts) == 1:
            raise ConnectionError
        return result

    with pytest.raises(ConnectionError):
        around()
    assert resume_flow_run(around, record.flow().id).is_failed()
    assert record.tasks()["kept-0"].state_type == "COMPLETED"
    assert resume_flow_run(around, record.flow().id).result() == 1
    assert ran == ["kept"]


def test_a_kept_result_that_cannot_be_looked_up_now_is_not_computed_again(
    record: Record, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment is no reason to do recorded work again."""
    ran: list[str] = []

    @task(persist_result=True)
    def kept() -> str:
        ran.append("kept")
        return "value"

    @flow
    def around() -> str:
        kept()
        raise ConnectionError

    def unreadable(_: str) -> None:
        raise LedgerError("here", "the disk reported an error", "Check the disk.")

    with pytest.raises(ConnectionError):
        around()
    run_id = record.flow().id
    with monkeypatch.context() as broken:
        broken.setattr(engine.ledger, "result", unreadable)
        with pytest.raises(LedgerError):
            resume_flow_run(around, run_id)
    assert ran == ["kept"]
    assert record.tasks()["kept-0"].state_type == "COMPLETED"
