"""Asks flow runs of a ledger in memory to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from caudal.exceptions import ObjectNotFound
from caudal.ledger.control import check_cancellable, plan_cancel
from caudal.ledger.port import Asked
from caudal.ledger.takeover import OPEN
from caudal.model.ids import format_id
from caudal.model.runs import FlowRunRow, TaskRunRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from caudal.ledger.port import Batch, Receipt
    from caudal.model.runs import Lease


class MemoryControl:
    """A ``Control`` of a ledger in memory; see there for what its methods do.

    Args:
        is_open: Holds the ledger's lock within a ``with`` block.
        commit: Writes a batch.
        flow_runs: The ledger's flow runs.
        task_runs: Its task runs.
        leases: Its leases.
    """

    def __init__(
        self,
        is_open: Callable[[], AbstractContextManager[object]],
        commit: Callable[[Batch], Receipt],
        flow_runs: Mapping[bytes, FlowRunRow],
        task_runs: Mapping[bytes, TaskRunRow],
        leases: Mapping[bytes, Lease],
    ) -> None:
        self._open, self._commit = is_open, commit
        self._flow_runs, self._task_runs = flow_runs, task_runs
        self._leases = leases

    def cancel(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        message: str | None = None,
    ) -> FlowRunRow:
        """Ask for the end of a flow run and of every flow run below it."""
        with self._open():
            row = self._flow_runs.get(flow_run_id)
            if row is None:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
            check_cancellable(row)
            batch = plan_cancel(
                self._below(row),
                lambda owner: self._leases.get(owner or b""),
                self._open_tasks,
                now,
                is_alive,
                message,
            )
            self._commit(batch)
            return structs.replace(self._flow_runs[flow_run_id])

    def asked(self, owner: bytes) -> Sequence[Asked]:
        """Return the flow runs of a process that somebody wants to stop."""
        with self._open():
            return [
                Asked(row.id, row.state_type, row.state_name, row.details.get("message"))
                for row in self._flow_runs.values()
                if row.owner == owner and row.state_type in {"CANCELLING", "PAUSED"}
            ]  # fmt: skip

    def _below(self, row: FlowRunRow) -> Iterator[FlowRunRow]:
        """Yield a flow run and all below it, each after the one that called it."""
        yield row
        for child in tuple(self._flow_runs.values()):
            if child.parent_flow_run_id == row.id:
                yield from self._below(child)

    def _open_tasks(self, flow_run_id: bytes) -> list[TaskRunRow]:
        tasks = self._task_runs.values()
        found = [row for row in tasks if row.flow_run_id == flow_run_id]
        return [row for row in found if row.state_type in OPEN]
