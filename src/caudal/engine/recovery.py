"""Gives a flow run that is tried again what its earlier attempts did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.ledger.port import RunFilter

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope

_PAGE = 5000


def load_recorded(scope: FlowScope) -> None:
    """Read a flow run's task runs of earlier attempts, so that what they did is not done again."""
    assert scope.id is not None, "only flow runs have attempts"
    scope.journal.barrier().wait()
    where = RunFilter(flow_run_id=scope.id)
    after: bytes | None = None
    while True:
        rows = scope.parts.ledger.task_runs(where, limit=_PAGE, after=after)
        scope.recorded.update((row.path, row) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id
