"""Says why a run is where it is: what it waits for, why its result was not in the cache, why it failed.

Everything comes from the record, so it can be asked of any run at any time. A reason has causes, which are reasons too: a task run
did not start because another one failed, because of an exception in a line of a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caudal.engine.composition import current_engine
from caudal.explain.caching import came_from_cache, origin_of_result
from caudal.explain.failing import broken_flow, ended_task
from caudal.explain.reading import BROKEN, OPEN, Record
from caudal.explain.reasons import DEPTH, Reason, ended
from caudal.explain.waiting import open_flow, open_task
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from caudal.model.runs import FlowRunRow, TaskRunRow

__all__ = ["Explanation", "Reason", "explain_flow_run", "explain_task_run"]


@dataclass(slots=True)
class Explanation:
    """Why a run is in its state."""

    #: Name of the run.
    name: str
    #: Its id, as it is written.
    id: str
    #: Kind and name of its state.
    state_type: str
    state_name: str
    reasons: list[Reason]
    #: Commands that help now.
    commands: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "name": self.name,
            "id": self.id,
            "state_type": self.state_type,
            "state_name": self.state_name,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "commands": self.commands,
        }


def explain_flow_run(row: FlowRunRow) -> Explanation:
    """Return why a flow run is in its state.

    Args:
        row: The run as the ledger has it.
    """
    record = Record(current_engine().ledger)
    kind = row.state_type
    if kind in BROKEN:
        reasons = broken_flow(record, row, DEPTH)
    elif kind in OPEN:
        reasons = open_flow(record, row, DEPTH)
    else:
        reasons = [Reason(ended(row.state_name, row.details))]
        if kind == "COMPLETED":
            reasons += came_from_cache(record, row)
    handle = record.handle_of(row)
    commands = [f"caudal flow-run logs {handle}"]
    if kind in {*BROKEN, "CANCELLED", "PAUSED"} and "call_key" not in row.details:
        force = " --force" if row.details.get("given_up") else ""
        commands.insert(0, f"caudal flow-run resume {handle}{force}")
    return Explanation(
        row.name, format_id(row.id), kind, row.state_name, reasons, commands
    )


def explain_task_run(row: TaskRunRow) -> Explanation:
    """Return why a task run is in its state, and why its result came from the cache or did not.

    Args:
        row: The run as the ledger has it.
    """
    record = Record(current_engine().ledger)
    kind = row.state_type
    if kind == "COMPLETED":
        reason = origin_of_result(record, row)
    elif kind in OPEN and row.state_name != "NotReady":
        reason = open_task(record, row, DEPTH)
    else:
        reason = ended_task(record, row, DEPTH)
    details = row.details or {}
    commands = [f"caudal task-run logs {format_id(row.id)}"]
    if details.get("inputs_key"):
        commands.insert(0, f"caudal task-run replay {format_id(row.id)} --pdb")
    return Explanation(
        row.name, format_id(row.id), kind, row.state_name, [reason], commands
    )
