"""What a flow run needs to be tried again later: its parameters, and what its earlier attempts did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.recorded import Recorded
from caudal.exceptions import CaudalError, FlowRunNotResumableError
from caudal.ledger.port import RunFilter
from caudal.model.ids import format_id
from caudal.model.jsonable import is_exact, jsonable
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow, TaskRunRow

_PAGE = 5000


def record_parameters(scope: FlowScope) -> dict[str, Any]:
    """Return the details from which a flow run's parameters can be had again.

    A run's row shows its parameters as JSON, shortened. Where that is not exactly what was given, and the flow stores results, the
    parameters are stored like a result.
    """
    given = scope.parameters
    if all(is_exact(value) and jsonable(value) == value for value in given.values()):
        return {}
    if not scope.persist or scope.id is None:
        return {"parameters": "shown"}
    key = f"flow-run-{format_id(scope.id)}-parameters"
    try:
        scope.parts.results.write(given, key)
    except CaudalError:
        return {"parameters": "shown"}
    return {"parameters": "stored", "parameters_key": key}


def recorded_parameters(parts: Parts, row: FlowRunRow) -> dict[str, Any]:
    """Return the parameters that a flow run was started with.

    Raises:
        FlowRunNotResumableError: They were not kept exactly.
        MissingResult: They were stored and are gone.
    """
    match row.details.get("parameters"):
        case None:
            return dict(row.parameters)
        case "stored":
            return parts.results.load(row.details["parameters_key"])
        case _:
            raise FlowRunNotResumableError(
                row.name,
                "its parameters cannot be had again from the record, which shows them shortened. Give them once more, "
                "or set persist_result=True on the flow so that they are stored next time.",
            )


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


def had_parameters(parts: Parts, row: FlowRunRow, given: dict[str, Any]) -> bool:
    """Say whether a flow run was started with these parameters; where that cannot be known it was not."""
    from caudal.model.hashing import stable_hash  # noqa: PLC0415 - 10 ms that only resumed runs need

    try:
        return stable_hash(recorded_parameters(parts, row)) == stable_hash(given)
    except CaudalError:
        return False
