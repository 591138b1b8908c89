"""What a flow run needs to be tried again later: its parameters, and what its earlier attempts did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import CaudalError, FlowRunNotResumableError
from caudal.ledger.port import RunFilter
from caudal.model.ids import format_id
from caudal.model.jsonable import is_exact, jsonable

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow

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
