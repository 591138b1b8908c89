"""What is told of a task run beside the moves that nearly every run makes, on its way into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.model.states import StateType, is_terminal

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.journal import Item
    from caudal.ledger.port import Batch
    from caudal.model.runs import TaskRunChange


class Afterwards:
    """What became known of a run after its end; its flow run may have ended too, and have no owner any more.

    Args:
        run: The task run.
        scope: Its flow run.
    """

    __slots__ = ("_run", "_scope")

    def __init__(self, run: Item, scope: FlowScope) -> None:
        self._run, self._scope = run, scope

    def collect(self, batch: Batch) -> None:
        """Add what is new to a batch."""
        scope = self._scope
        if scope.lost is not None:
            return
        self._run.collect(batch)
        if scope.id is not None and is_terminal(scope.type):
            batch.fences.pop(scope.id, None)


def begun_at(run: Any) -> float | None:
    """Return when a task run started first in this attempt at its flow run, as the record has it or will; None before."""
    if run.started_at:
        return run.started_at
    for news in tuple(run.news or ()):
        if news.__class__ is tuple and news[0] == StateType.RUNNING:
            return news[2]
    if not run.run_count:
        return None
    # Where the row does not have it either, the journal has it in its hands at this very moment.
    return (run.row and run.row.started_at) or run.at


def add_news(change: TaskRunChange, news: list[Any]) -> None:
    """Add news to a change, behind its moves."""
    for item in news:
        if item.__class__ is tuple:
            change.moves.append(item)
        elif item.__class__ is dict:
            change.details = {**(change.details or {}), **item}
        else:
            change.used = [*change.used, item]
