"""Inputs that runs send each other."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from caudal import flow, runtime
from caudal.exceptions import MissingContextError, ObjectNotFound
from caudal.input import RunInput, asend_input, receive_input, send_input

if TYPE_CHECKING:
    from uuid import UUID

    from tests.conftest import Record

POLL = 0.01


class Number(RunInput):
    """A number and what to call it."""

    value: int
    name: str = "n"


@flow
def quiet() -> UUID | None:
    """Be a run that can be sent something."""
    return runtime.flow_run.id  # pyright: ignore[reportReturnType]


@pytest.fixture
def run_id(record: Record) -> UUID:
    """Give the id of a run."""
    quiet()
    return record.flow().id


def test_inputs_come_in_the_order_in_which_they_were_sent(run_id: UUID) -> None:
    """Each type has its own, and the iteration ends when nothing more comes."""
    for value in (3, 1, 2):
        send_input(value, run_id)
    send_input("text", run_id)
    send_input(Number(value=7), run_id)
    numbers = receive_input(int, timeout=0, flow_run_id=run_id)
    assert list(numbers) == [3, 1, 2]
    (model,) = Number.receive(timeout=0, flow_run_id=run_id)
    assert (model.value, model.name) == (7, "n")
    assert list(receive_input(str, timeout=0, flow_run_id=run_id)) == ["text"]
    assert list(receive_input(float, timeout=0, flow_run_id=run_id)) == []


def test_inputs_stay_for_the_next_reader(run_id: UUID) -> None:
    """A run that is taken up again gets what it got before; what was seen can be left out."""
    send_input(1, run_id)
    send_input(2, run_id)
    found = list(receive_input(int, timeout=0, flow_run_id=run_id, with_metadata=True))
    assert [each.value for each in found] == [1, 2]  # pyright: ignore[reportAttributeAccessIssue]
    seen = {found[0].metadata.key}  # pyright: ignore[reportAttributeAccessIssue]
    rest = receive_input(int, timeout=0, flow_run_id=run_id, exclude_keys=seen)
    assert list(rest) == [2]


def test_a_reader_waits_for_the_next_input(run_id: UUID) -> None:
    """It comes from wherever, while the reader waits."""
    numbers = receive_input(int, poll_interval=POLL, flow_run_id=run_id)
    thread = threading.Timer(0.03, send_input, (5, run_id))
    thread.start()
    assert numbers.next() == 5
    thread.join()


def test_a_wait_that_is_over_can_be_an_error(run_id: UUID) -> None:
    """In both kinds of loop."""
    numbers = receive_input(int, timeout=0, flow_run_id=run_id, raise_timeout_error=True)  # fmt: skip
    with pytest.raises(TimeoutError):
        next(numbers)

    async def first() -> int:
        async for number in numbers:
            return number
        return 0

    with pytest.raises(TimeoutError):
        asyncio.run(first())


def test_coroutines_send_and_receive(run_id: UUID) -> None:
    """The twin, and the plain names, which give awaitables there."""

    async def main() -> list[int]:
        await asend_input(1, run_id)
        await send_input(2, run_id)  # pyright: ignore[reportGeneralTypeIssues]
        await Number(value=3).send_to(run_id)  # pyright: ignore[reportGeneralTypeIssues]
        numbers = receive_input(int, timeout=0, flow_run_id=run_id)
        first = await numbers.next()  # pyright: ignore[reportGeneralTypeIssues]
        rest = [number async for number in numbers]
        sent = [each.value async for each in Number.receive(timeout=0, flow_run_id=run_id)]  # fmt: skip
        return [first, *rest, *sent]

    assert asyncio.run(main()) == [1, 2, 3]


def test_a_receiver_answers_the_run_that_sent(record: Record) -> None:
    """The sender is known when it is a flow run."""

    @flow
    def asking(other: UUID) -> int:
        Number(value=20).send_to(other)
        return receive_input(int, poll_interval=POLL).next()

    answers: list[int] = []

    quiet()
    receiver = record.flow().id
    thread = threading.Thread(target=lambda: answers.append(asking(receiver)))
    thread.start()
    asked = Number.receive(poll_interval=POLL, flow_run_id=receiver).next()
    assert asked.metadata.sender == f"caudal.flow-run.{record.flow('asking').id}"
    asked.respond(asked.value + 1)
    thread.join()
    assert answers == [21]


def test_what_no_run_sent_cannot_be_answered(run_id: UUID) -> None:
    """The error says who sent it, or that it was never sent."""
    send_input(Number(value=1), run_id, sender="the office")
    (received,) = Number.receive(timeout=0, flow_run_id=run_id)
    with pytest.raises(RuntimeError, match="the office"):
        received.respond(2)
    with pytest.raises(RuntimeError, match="was made here"):
        Number(value=1).respond(2)


@pytest.mark.usefixtures("engine")
def test_a_receiver_has_to_be_known() -> None:
    """There has to be a run, given or in charge."""
    with pytest.raises(ObjectNotFound):
        send_input(1, uuid4())
    with pytest.raises(MissingContextError):
        receive_input(int)


def test_a_form_can_be_filled_in_before_it_is_shown() -> None:
    """Defaults and a description are of the new type alone."""
    form = Number.with_initial_data("Which number?", value=4)
    assert form().value == 4
    assert (form.describes(), Number.describes()) == ("Which number?", None)
    assert "value" in Number.model_json_schema()["required"]
    assert form.model_json_schema().get("required") is None


@pytest.mark.usefixtures("engine")
def test_a_run_is_named_by_the_id_that_runtime_tells() -> None:
    """An id may be text, as in Prefect; other text, and what is no text, is no run."""

    @flow
    def itself() -> list[int]:
        me = runtime.flow_run.id
        assert isinstance(me, str)
        send_input(5, me)
        return list(receive_input(int, timeout=0, flow_run_id=me))

    assert itself() == [5]
    for wrong in ("nobody", 5):
        with pytest.raises(ObjectNotFound, match=f"no flow run '{wrong}'"):
            send_input(5, wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        with pytest.raises(ObjectNotFound, match=f"no flow run '{wrong}'"):
            receive_input(int, flow_run_id=wrong)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
