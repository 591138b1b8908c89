"""Pausing, suspending and resuming flow runs, and waiting for them."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, field_validator

from caudal import (
    apause_flow_run,
    aresume_flow_run,
    flow,
    get_client,
    pause_flow_run,
    resume_flow_run,
    suspend_flow_run,
    task,
)
from caudal.exceptions import (
    CancelledRun,
    FlowPauseTimeout,
    FlowRunNotPausableError,
    FlowRunNotResumableError,
    FlowRunWaitTimeout,
    MissingContextError,
    PausedRun,
    RunInputError,
)
from caudal.flow_runs import wait_for_flow_run
from caudal.input import RunInput
from caudal.logging import LogEavesdropper
from caudal.resume import resume_flow_run as run_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Record

POLL = 0.01


class Approval(RunInput):
    """What a run waits for."""

    approved: bool
    note: str = "none"


@pytest.fixture
def when_paused(record: Record) -> Iterator[Callable[[Callable[[str], object]], None]]:
    """Have a function called with the name of the newest flow run once it is paused; its errors are raised at the end."""
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def begin(function: Callable[[str], object]) -> None:
        def work() -> None:
            while not (runs := record.client.read_flow_runs(state_names=("Paused",))):
                time.sleep(POLL)
            try:
                function(runs[0].name)
            except BaseException as error:  # noqa: BLE001 - raised in the test
                errors.append(error)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_paused_run_waits_until_it_is_resumed(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """Its states say so, and it goes on where it was."""
    when_paused(resume_flow_run)

    @flow
    def paused() -> str:
        pause_flow_run(poll_interval=POLL)
        return "went on"

    assert paused() == "went on"
    run = record.flow()
    states = ["Pending", "Running", "Paused", "Running", "Completed"]
    assert record.states(run) == states
    assert run.run_count == 2
    assert run.details["pause"] is None


def test_an_async_flow_pauses_without_blocking_its_loop(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """The plain name gives an awaitable there, as its twin does."""
    ticked, has_ticked = threading.Event(), []

    def resume(name: str) -> None:
        has_ticked.append(ticked.wait(10))
        asyncio.run(aresume_flow_run(name))

    when_paused(resume)

    async def tick() -> None:
        await asyncio.sleep(POLL)
        ticked.set()

    @flow
    async def paused() -> None:
        ticking = asyncio.create_task(tick())
        await apause_flow_run(poll_interval=POLL)
        await ticking

    asyncio.run(paused())
    assert has_ticked == [True]
    assert "Paused" in record.states(record.flow())


def test_a_run_is_given_what_it_waits_for(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """The input comes as the type that the code asked for, defaults filled in."""
    when_paused(lambda name: resume_flow_run(name, {"approved": True}))

    @flow
    def paused() -> Approval:
        return pause_flow_run(wait_for_input=Approval, poll_interval=POLL)

    given = paused()
    assert isinstance(given, Approval)
    assert (given.approved, given.note) == (True, "none")
    assert given.metadata.receiver == record.flow().id


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (int, 5, 5),
        (int, {"value": 5}, 5),
        (list[date], ["2024-02-29"], [date(2024, 2, 29)]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (str | None, None, None),
    ],
)
@pytest.mark.usefixtures("record")
def test_a_plain_type_takes_its_value(
    when_paused: Callable[..., None], kind: Any, given: Any, expected: Any
) -> None:
    """The value alone will do, and so does the field that carries it."""
    wrapped = {"value": None} if given is None else given
    when_paused(lambda name: resume_flow_run(name, wrapped))

    @flow
    def paused() -> Any:
        return pause_flow_run(wait_for_input=kind, poll_interval=POLL)

    assert paused() == expected


@pytest.mark.usefixtures("record")
def test_nothing_will_do_where_none_is_a_value(
    when_paused: Callable[..., None],
) -> None:
    """A run that waits for an optional value goes on with None."""
    when_paused(lambda name: resume_flow_run(name))

    @flow
    def paused() -> Any:
        return pause_flow_run(wait_for_input=int | None, poll_interval=POLL)

    assert paused() is None


@pytest.mark.usefixtures("record")
def test_an_input_may_be_given_as_its_model(when_paused: Callable[..., None]) -> None:
    """It need not be taken apart."""
    given = Approval(approved=True, note="go")
    when_paused(lambda name: resume_flow_run(name, given))

    @flow
    def paused() -> Approval:
        return pause_flow_run(wait_for_input=Approval, poll_interval=POLL)

    assert paused().note == "go"


def test_what_is_no_type_of_input_or_no_run_is_said_to_be() -> None:
    """The messages name what was given."""

    @flow
    def paused() -> Any:
        return pause_flow_run(wait_for_input=5)  # type: ignore[call-overload]

    with pytest.raises(TypeError, match="5 is no type of input"):
        paused()
    with pytest.raises(TypeError, match="its name, not by 17"):
        resume_flow_run(17)  # type: ignore[arg-type]


@pytest.mark.usefixtures("record")
def test_a_pydantic_model_is_an_input(when_paused: Callable[..., None]) -> None:
    """It need not be a RunInput."""

    class Range(BaseModel):
        first: int
        last: int

    when_paused(lambda name: resume_flow_run(name, {"first": 1, "last": 2}))

    @flow
    def paused() -> int:
        given = pause_flow_run(wait_for_input=Range, poll_interval=POLL)
        return given.first + given.last

    assert paused() == 3


def test_an_input_that_does_not_fit_is_refused_before_the_run_goes_on(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """Whoever resumes gets the reasons, and the run waits on."""
    refused: list[str] = []

    def answer(name: str) -> None:
        for wrong in (
            None,
            {},
            {"approved": "perhaps"},
            {"approved": True, "by": "me"},
        ):
            with pytest.raises(RunInputError) as caught:
                resume_flow_run(name, wrong)
            refused.append(caught.value.problems)
        resume_flow_run(name, {"approved": False})

    when_paused(answer)

    @flow
    def paused() -> Approval:
        return pause_flow_run(wait_for_input=Approval, poll_interval=POLL)

    assert paused().approved is False
    missing, empty, wrong, surplus = refused
    assert missing == empty == "approved: Field required"
    assert "approved: Input should be a valid boolean" in wrong
    assert surplus == "by: Extra inputs are not permitted"
    assert record.states(record.flow()).count("Paused") == 1


def test_an_input_that_the_model_itself_refuses_pauses_the_run_again(
    record: Record,
) -> None:
    """A schema does not know every rule; the run waits on and its message says why."""

    class Even(RunInput):
        number: int

        @field_validator("number")
        @classmethod
        def _is_even(cls, number: int) -> int:
            if number % 2:
                raise ValueError("must be even")
            return number

    def answer() -> None:
        client = record.client
        for number in (1, 2):
            while not client.read_flow_runs(state_names=("Paused",)):
                time.sleep(POLL)
            run = client.read_flow_runs()[0]
            messages.append(run.state.message)
            resume_flow_run(run.id, {"number": number})
            while client.read_flow_run(run.id).state_name == "Running" and number == 1:
                time.sleep(POLL)

    messages: list[str | None] = []
    thread = threading.Thread(target=answer)
    thread.start()

    @flow
    def paused() -> int:
        return pause_flow_run(wait_for_input=Even, poll_interval=POLL).number

    assert paused() == 2
    thread.join()
    first, second = messages
    assert first is None
    assert second is not None
    assert "must be even" in second


@pytest.mark.usefixtures("record")
def test_nothing_is_given_to_a_run_that_waits_for_nothing(
    when_paused: Callable[..., None],
) -> None:
    """An input that nobody reads is a mistake."""

    def answer(name: str) -> None:
        with pytest.raises(RunInputError, match="does not wait for any"):
            resume_flow_run(name, {"a": 1})
        resume_flow_run(name)

    when_paused(answer)

    @flow
    def paused() -> None:
        pause_flow_run(poll_interval=POLL)

    paused()


def test_a_pause_that_nobody_ends_is_an_error(record: Record) -> None:
    """The flow may handle it; else it fails."""

    @flow
    def forgotten() -> None:
        pause_flow_run(timeout=0.02, poll_interval=POLL)

    with pytest.raises(FlowPauseTimeout, match="not resumed in time"):
        forgotten()
    run = record.flow()
    assert run.state_name == "Failed"
    again = run_again(forgotten, run.id)
    with pytest.raises(FlowPauseTimeout):  # it asks again: nobody has agreed
        again.result()


def test_a_retry_passes_the_pauses_behind_it(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """A person who agreed is not asked again."""
    when_paused(lambda name: resume_flow_run(name, 7))
    tries: list[int] = []

    @flow(retries=1)
    def paused() -> int:
        given = pause_flow_run(wait_for_input=int, poll_interval=POLL)
        tries.append(given)
        if len(tries) == 1:
            raise ValueError("not yet")
        return given

    assert paused() == 7
    assert tries == [7, 7]
    assert record.states(record.flow()).count("Paused") == 1


@pytest.mark.usefixtures("record")
def test_a_paused_run_can_be_cancelled(when_paused: Callable[..., None]) -> None:
    """Its process hears of it while it waits."""
    when_paused(lambda name: get_client().cancel_flow_run(name))

    @flow
    def paused() -> None:
        pause_flow_run(poll_interval=POLL)

    with pytest.raises(CancelledRun):
        paused()


def test_tasks_go_on_while_their_flow_is_paused(
    record: Record, when_paused: Callable[..., None]
) -> None:
    """A pause stops the flow's code alone, and a task may make it."""
    when_paused(resume_flow_run)

    @task
    def ask() -> str:
        pause_flow_run(poll_interval=POLL)
        return "asked"

    @task
    def work() -> str:
        return "worked"

    @flow
    def both() -> list[str]:
        first, second = ask.submit(), work.submit()
        return [first.result(), second.result()]

    assert both() == ["asked", "worked"]
    assert record.flow().state_name == "Completed"


def test_a_suspended_run_ends_here_and_goes_on_elsewhere(record: Record) -> None:
    """Stored results are kept, and the call that suspended returns."""
    noted: list[str] = []

    @task(persist_result=True)
    def load() -> int:
        noted.append("load")
        return 3

    @flow
    def suspended() -> int:
        number = load()
        try:
            suspend_flow_run()
        except Exception:  # noqa: BLE001 - what ends the run is none
            noted.append("caught")
        noted.append("after")
        return number

    with pytest.raises(PausedRun, match="caudal flow-run resume"):
        suspended()
    run = record.flow()
    assert (run.state_name, noted) == ("Suspended", ["load"])
    state = run_again(suspended, run.id)
    assert state.result() == 3
    assert noted == ["load", "after"]
    states = ["Pending", "Running", "Suspended", "Running", "Completed"]
    assert record.states(run) == states


def test_a_suspended_run_lets_its_tasks_end(record: Record) -> None:
    """Those that execute are waited for; those that have not started do not start, and do so later."""
    started = threading.Event()

    @task(persist_result=True)
    def slow() -> str:
        started.set()
        time.sleep(0.05)
        return "slow"

    @task
    def after(text: str) -> str:
        return text + " after"

    @flow
    def suspended() -> str:
        future = after.submit(slow.submit())
        started.wait()
        suspend_flow_run()
        return future.result()

    state = suspended(return_state=True)
    assert (state.is_paused(), state.name) == (True, "Suspended")
    kinds = {name: run.state_name for name, run in record.tasks().items()}
    assert kinds == {"slow-0": "Completed", "after-0": "Cancelled"}
    assert run_again(suspended, record.flow().id).result() == "slow after"


def test_a_suspended_run_waits_for_input(record: Record) -> None:
    """It is validated before the run is taken up, and the flow gets it when it runs again."""

    @flow
    def suspended() -> str:
        return suspend_flow_run(wait_for_input=Approval).note

    suspended(return_state=True)
    run = record.flow()
    with pytest.raises(RunInputError):
        resume_flow_run(run.id, {"approved": 17})
    assert record.states(run)[-1] == "Suspended"


def test_a_suspended_run_can_be_too_late(record: Record) -> None:
    """Who resumes it then is told, and the run is closed."""

    @flow
    def suspended() -> None:
        suspend_flow_run(timeout=0)

    suspended(return_state=True)
    with pytest.raises(FlowPauseTimeout):
        resume_flow_run(record.flow().id)
    assert record.flow().state_name == "Failed"


def test_another_run_stops_at_its_next_task(record: Record) -> None:
    """Whoever suspends it from outside lets its current work end."""
    entered: list[str] = []

    @task
    def step(name: str) -> None:
        entered.append(name)

    @flow
    def suspended() -> None:
        step("first")
        run = record.flow()
        suspend_flow_run(flow_run_id=run.id)
        while record.client.read_flow_run(run.id).details["pause"]:
            time.sleep(POLL)
            step("more")

    state = suspended(return_state=True)
    assert state.name == "Suspended"
    assert entered[0] == "first"
    row = record.client.find_flow_run(record.flow().name)
    assert row.owner is None


def test_only_the_code_of_a_top_flow_suspends_it(record: Record) -> None:
    """Tasks and child flows say where to call it."""

    @task
    def inside() -> None:
        suspend_flow_run()

    @flow
    def child() -> None:
        suspend_flow_run()

    @flow
    def by_task() -> None:
        inside()

    @flow
    def by_child() -> None:
        child()

    with pytest.raises(FlowRunNotPausableError, match="a task cannot suspend it"):
        by_task()
    with pytest.raises(FlowRunNotPausableError, match="Suspend that one"):
        by_child()
    with pytest.raises(FlowRunNotPausableError, match="Suspend that one"):
        suspend_flow_run(flow_run_id=record.flow("child").id)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("call", [pause_flow_run, suspend_flow_run])
def test_outside_of_flows_nothing_can_be_paused(call: Callable[[], object]) -> None:
    """The error names the call."""
    with pytest.raises(MissingContextError, match=r"flow_run\(\)"):
        call()


def test_a_completed_run_is_not_resumed(record: Record) -> None:
    """There is nothing left to do in it."""

    @flow
    def quick() -> None:
        pass

    quick()
    with pytest.raises(FlowRunNotResumableError):
        resume_flow_run(record.flow().id)


def test_whoever_waits_for_a_run_gets_it_when_it_has_ended(record: Record) -> None:
    """Or an error when it takes too long; the run goes on."""

    @flow
    def suspended() -> None:
        suspend_flow_run()

    suspended(return_state=True)
    run = record.flow()
    with pytest.raises(FlowRunWaitTimeout, match="has not ended"):
        wait_for_flow_run(run.id, timeout=0.01, poll_interval=POLL)
    run_again(suspended, run.id)
    assert wait_for_flow_run(run.id).state_name == "Completed"
    assert asyncio.run(_waited(run.id)) == "Completed"


def test_states_are_logged_while_somebody_waits() -> None:
    """Each that the run is found in, when that is asked for."""

    @flow
    def quick() -> None: ...

    run = get_client().create_flow_run(quick, "later")
    thread = threading.Timer(0.2, lambda: run_again(quick, run.id))
    thread.start()
    with LogEavesdropper("caudal.flow_runs") as heard:
        wait_for_flow_run(run.id, poll_interval=POLL, log_states=True)
    thread.join()

    told = heard.text().splitlines()
    assert told[0].endswith("Flow run 'later' is in state 'Scheduled'")
    assert told[-1].endswith("Flow run 'later' is in state 'Completed'")


async def _waited(flow_run_id: Any) -> str:
    run = await wait_for_flow_run(flow_run_id)  # pyright: ignore[reportGeneralTypeIssues]
    return run.state_name
