"""Limits on the tags of a task run: an attempt starts when a slot of each of them was acquired, and gives them back when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.commands import Io, Until
from caudal.engine.names import label_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.commands import Command
    from caudal.engine.live_task import LiveTask


def acquire(run: LiveTask, tags: frozenset[str]) -> Generator[Command, Any, None]:
    """Wait for a slot of each limit that is defined on a tag; a run that is stopped meanwhile has ended afterwards.

    Raises:
        LedgerError: The limits cannot be looked at.
    """
    scope, slots = run.scope, run.scope.parts.slots
    names = slots.limits_on(tags)
    if names is None:
        names = yield Io(slots.read_limits_on, tags)
    if not names:
        return
    ticket = run.ticket = slots.ticket(
        names,
        run=run,
        holder=label_of(run),
        is_stopped=lambda: scope.stopping is not None,
    )
    yield Io(slots.ask, ticket)
    if not ticket.is_settled:
        run.move("SCHEDULED", "AwaitingConcurrencySlot", ticket.why())
        yield Until(ticket.subscribe)
    if ticket.error is not None:
        raise ticket.error
    if scope.stopping is not None:
        give_up(run)
        run.finish("CANCELLED", "Cancelled", None, f"Not started: {scope.stopping}.")


def give_up(run: LiveTask) -> None:
    """Give back what was acquired, and acquire nothing more; without waiting."""
    ticket, run.ticket = run.ticket, None
    if ticket is not None:
        run.scope.parts.slots.give_up(ticket)
