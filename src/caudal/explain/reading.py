"""The record as one explanation reads it: what was read once is not read again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.liveness import is_alive
from caudal.ledger.granting import live_holders
from caudal.ledger.port import RunFilter
from caudal.ledger.takeover import is_gone
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.ledger.port import Ledger
    from caudal.model.limits import Holder, Limit
    from caudal.model.runs import FlowRunRow, Lease, TaskRunRow

#: Task runs of a flow run, and earlier runs of a task, that are looked at.
LOOK_AT = 2_000

BROKEN = ("FAILED", "CRASHED")
OPEN = ("PENDING", "SCHEDULED", "RUNNING", "PAUSED", "CANCELLING")


class Record:
    """What one explanation knows.

    Args:
        ledger: Where it is read.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        #: Seconds since the epoch, UTC.
        self.now: float = timestamp()
        self._flow_runs: dict[bytes, FlowRunRow | None] = {}
        self._task_runs: dict[bytes, TaskRunRow | None] = {}
        self._open: dict[bytes, list[TaskRunRow]] = {}
        #: Runs of which is told already why they wait or failed.
        self.told: set[bytes] = set()

    def flow_run(self, flow_run_id: bytes | None) -> FlowRunRow | None:
        """Return a flow run, None where there is none."""
        if flow_run_id is None:
            return None
        if flow_run_id not in self._flow_runs:
            self._flow_runs[flow_run_id] = self.ledger.flow_run(flow_run_id)
        return self._flow_runs[flow_run_id]

    def task_run(self, task_run_id: bytes) -> TaskRunRow | None:
        """Return a task run, None where there is none."""
        if task_run_id not in self._task_runs:
            self._task_runs[task_run_id] = self.ledger.task_run(task_run_id)
        return self._task_runs[task_run_id]

    def upstream(self, row: TaskRunRow) -> list[TaskRunRow]:
        """Return the task runs whose results a task run takes, or waits for."""
        found = (self.task_run(bytes.fromhex(each)) for each in of(row, "upstream"))
        return [other for other in found if other is not None]

    def open_task_runs(self, flow_run_id: bytes) -> list[TaskRunRow]:
        """Return the task runs of a flow run that have not ended, oldest first; those that cannot start any more are none of them."""
        if flow_run_id not in self._open:
            rows = self.ledger.task_runs(
                RunFilter(OPEN, flow_run_id=flow_run_id), limit=LOOK_AT
            )
            self._task_runs |= {row.id: row for row in rows}
            self._open[flow_run_id] = [
                row for row in rows if row.state_name != "NotReady"
            ]
        return self._open[flow_run_id]

    def open_children(self, flow_run_id: bytes) -> Sequence[FlowRunRow]:
        """Return the flow runs that a flow run called and that have not ended."""
        return self.ledger.flow_runs(
            RunFilter(OPEN, flow_run_id=flow_run_id), limit=LOOK_AT
        )

    @cached_property
    def leases(self) -> dict[bytes, Lease]:
        """Leases by their owner."""
        return {lease.owner: lease for lease in self.ledger.leases()}

    @cached_property
    def limits(self) -> dict[str, Limit]:
        """Named limits by name."""
        return {limit.name: limit for limit in self.ledger.limits.all()}

    @cached_property
    def holders(self) -> list[Holder]:
        """Who holds slots of any limit and lives."""
        holders = self.ledger.limits.holders()
        return live_holders(holders, self.leases.values(), self.now, is_alive)

    def worker(self, row: FlowRunRow) -> Lease | None:
        """Return the lease of the process that works on a flow run; None when there is no such process, or no more."""
        lease = self.leases.get(row.owner or b"")
        if lease is None or is_gone(lease, self.now, is_alive):
            return None
        return lease

    def handle_of(self, row: FlowRunRow) -> str:
        """Return what a person can type to name a flow run: its name if no other run has it, else its id."""
        bearers = self.ledger.find_flow_runs(row.name, limit=2)
        return row.name if len(bearers) == 1 else format_id(row.id)


def of(row: TaskRunRow, name: str) -> Any:
    """Return a fact of a row's details; empty when it is not there."""
    return (row.details or {}).get(name) or {}
