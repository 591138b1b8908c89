"""Reads what earlier attempts at a flow run did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.engine.recorded import Recorded
from caudal.ledger.port import RunFilter
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.model.runs import FlowRunRow, TaskRunRow

_PAGE = 5000


def load_recorded(scope: FlowScope) -> None:
    """Read what earlier attempts at a flow run left, so that it is not done again."""
    assert scope.id is not None, "only flow runs have attempts"
    scope.journal.barrier().wait()
    ledger, where = scope.parts.ledger, RunFilter(flow_run_id=scope.id)
    tasks: list[TaskRunRow] = []
    after: bytes | None = None
    while True:
        page = ledger.task_runs(where, limit=_PAGE, after=after)
        tasks += page
        if len(page) < _PAGE:
            break
        after = page[-1].id
    flows: list[FlowRunRow] = []
    before: bytes | None = None
    while True:
        rows = ledger.flow_runs(where, limit=_PAGE, before=before)
        flows += rows
        if len(rows) < _PAGE:
            break
        before = rows[-1].id
    strict = get_current_settings().resume_mismatch == "error"
    scope.recorded = Recorded(tasks, reversed(flows), strict=strict)
