"""Asks flow runs of a ledger in memory to stop or to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from caudal.exceptions import ObjectNotFound
from caudal.ledger.control import Asked
from caudal.ledger.requests import (
    check_cancellable,
    plan_cancel,
    plan_go_on,
    plan_suspend,
)
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
            row = self._row(flow_run_id)
            check_cancellable(row)
            batch = plan_cancel(
                self._below(row),
                self._lease,
                self._open_tasks,
                now,
                is_alive,
                message,
            )
            self._commit(batch)
            return structs.replace(self._flow_runs[flow_run_id])

    def suspend(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        details: dict[str, Any],
    ) -> FlowRunRow:
        """Ask an open flow run to stop so that it can be taken up later."""
        with self._open():
            row = self._row(flow_run_id)
            lease, tasks = self._lease(row.owner), self._open_tasks(row.id)
            self._commit(plan_suspend(row, lease, tasks, now, is_alive, details))
            return structs.replace(self._flow_runs[flow_run_id])

    def go_on(
        self, flow_run_id: bytes, now: float, is_alive: Callable[[Lease], bool]
    ) -> bool:
        """Move a paused flow run whose process waits for that to RUNNING."""
        with self._open():
            row = self._row(flow_run_id)
            batch = plan_go_on(row, self._lease(row.owner), now, is_alive)
            if batch is not None:
                self._commit(batch)
            return batch is not None

    def asked(self, owner: bytes) -> Sequence[Asked]:
        """Return the flow runs of a process that somebody wants to stop."""
        with self._open():
            return [
                Asked(row.id, row.state_type, row.state_name, row.details.get("message"))
                for row in self._flow_runs.values()
                if row.owner == owner and row.state_type in {"CANCELLING", "PAUSED"}
            ]  # fmt: skip

    def _row(self, flow_run_id: bytes) -> FlowRunRow:
        row = self._flow_runs.get(flow_run_id)
        if row is None:
            raise ObjectNotFound("flow run", format_id(flow_run_id))
        return row

    def _lease(self, owner: bytes | None) -> Lease | None:
        return self._leases.get(owner or b"")

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
