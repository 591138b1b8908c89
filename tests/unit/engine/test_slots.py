"""Who waits for slots in this process: in order, woken at once, and forgotten when nobody wants them any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from caudal.clock import timestamp
from caudal.engine import tickets
from caudal.engine.slots import Slots
from caudal.exceptions import LedgerError
from caudal.model.limits import LimitChange
from caudal.testing.samples import lease_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.engine import Engine
    from caudal.engine.tickets import Ticket

PATIENCE = 30


@pytest.fixture
def slots(engine: Engine) -> Slots:
    """Give the test the slots of a process in whose ledger `db` has one."""
    engine.ledger.limits.change(LimitChange("db", 1), timestamp())
    return engine.slots


def asked(slots: Slots, number: int = 1, *names: str) -> Ticket:
    """Return a ticket that was asked for."""
    ticket = slots.ticket(names or ["db"], holder="the test", slots=number)
    slots.ask(ticket)
    return ticket


def settled(ticket: Ticket) -> Ticket:
    """Return a ticket once it is settled."""
    done = threading.Event()
    ticket.subscribe(done.set)
    assert done.wait(PATIENCE)
    return ticket


def test_tickets_are_served_in_the_order_in_which_they_came(
    engine: Engine, slots: Slots
) -> None:
    """Also one that wants more slots than those behind it."""
    engine.ledger.limits.change(LimitChange("db", 2), timestamp())
    first = asked(slots, 2)
    waiting = [asked(slots, number) for number in (1, 2, 1)]
    order: list[int] = []
    for place, ticket in enumerate(waiting):
        ticket.subscribe(lambda place=place: order.append(place))
    assert first.grant is not None
    assert not any(ticket.is_settled for ticket in waiting)
    slots.release(first)
    for ticket in waiting:
        slots.release(settled(ticket))
    assert order == [0, 1, 2]


def test_a_ticket_that_is_given_up_holds_nothing(engine: Engine, slots: Slots) -> None:
    """Neither one that was granted, nor one that waits, nor one that will be granted."""
    granted, waits, last = asked(slots), asked(slots), asked(slots)
    slots.give_up(waits)
    slots.give_up(granted)
    assert settled(last).grant is not None
    early = slots.ticket(["db"], holder="the test")
    slots.give_up(early)
    slots.release(last)
    slots.ask(early)
    again = asked(slots)
    assert settled(again).grant is not None
    assert [again.request.id] == [each.id for each in engine.ledger.limits.holders()]


def test_what_is_given_up_is_free_for_the_next_question(slots: Slots) -> None:
    """Code in one thread that gives back and asks again never waits for itself."""
    for _ in range(50):
        ticket = asked(slots)
        assert ticket.is_settled
        slots.give_up(ticket)


def test_other_processes_are_looked_at(engine: Engine, slots: Slots) -> None:
    """A slot that is released elsewhere, or a limit that is raised or deleted, is noticed without a word."""
    changes: list[Callable[[], object]] = [
        lambda: engine.ledger.limits.release([blocker.request.id], timestamp()),
        lambda: engine.ledger.limits.change(LimitChange("db", 2), timestamp()),
        lambda: engine.ledger.limits.change(LimitChange("db", deleted=True), 0.0),
    ]
    for change in changes:
        blocker = asked(slots)
        waits = asked(slots)
        assert not waits.is_settled
        change()
        assert settled(waits).grant is not None
        slots.give_up(waits)
        slots.give_up(blocker)
        engine.ledger.limits.change(LimitChange("db", 1), timestamp())


def test_a_closed_engine_leaves_nobody_waiting(engine: Engine, slots: Slots) -> None:
    """Those who wait get an error instead."""
    asked(slots)
    waits = asked(slots)
    engine.close()
    assert isinstance(settled(waits).error, LedgerError)


def test_a_release_that_fails_is_made_good(
    engine: Engine, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaks while the ledger cannot be written."""
    ticket = asked(slots)
    limits = engine.ledger.limits
    release, failed = limits.release, threading.Event()

    def fail(*_: object) -> set[bytes]:
        if failed.is_set():
            monkeypatch.setattr(limits, "release", release)
        failed.set()
        raise LedgerError("here", "it is full", "Make room.")

    monkeypatch.setattr(limits, "release", fail)
    assert slots.release(ticket)
    assert failed.is_set()
    waits = asked_until_heard(slots)
    assert settled(waits).grant is not None
    assert [waits.request.id] == [each.id for each in limits.holders()]


def asked_until_heard(slots: Slots) -> Ticket:
    """Return a ticket that was asked for once the ledger could be asked."""
    while True:
        try:
            return asked(slots)
        except LedgerError:
            continue


def test_processes_take_turns(
    engine: Engine, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with many tickets leaves a slot to another from time to time, as soon as there is another."""
    monkeypatch.setattr(tickets, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(tickets, "BREAK_SECONDS", 20.0)
    first, second, third, fourth = (asked(slots) for _ in range(4))
    slots.release(first)
    slots.release(settled(second))
    assert settled(third).grant is not None, "nobody else was there"
    other = Slots(engine.ledger, bytes(16), lambda: None)
    engine.ledger.renew(lease_of(bytes(16), timestamp() + 3600))
    theirs = asked(other)
    slots.release(third)
    assert settled(theirs).grant is not None
    assert not fourth.is_settled
    other.close()
    engine.ledger.release(bytes(16))
