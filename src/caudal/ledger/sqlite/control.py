"""Asks flow runs of an SQLite ledger to stop or to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import ObjectNotFound
from caudal.ledger.control import Asked
from caudal.ledger.requests import (
    check_cancellable,
    plan_cancel,
    plan_go_on,
    plan_suspend,
)
from caudal.ledger.sqlite.rows import flow_run_row, task_run_row
from caudal.model.ids import format_id
from caudal.model.runs import FlowRunRow, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from sqlite3 import Cursor

    from caudal.ledger.port import Batch
    from caudal.ledger.sqlite.database import Database
    from caudal.model.runs import TaskRunRow


class SqliteControl:
    """A ``Control`` of an SQLite ledger; see there for what its methods do.

    Args:
        database: The file.
        queries: Its statements by name.
        write: Writes a batch within a transaction.
    """

    def __init__(
        self,
        database: Database,
        queries: Mapping[str, str],
        write: Callable[[Cursor, Batch], Any],
    ) -> None:
        self._database, self._queries, self._write = database, queries, write

    def cancel(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        message: str | None = None,
    ) -> FlowRunRow:
        """Ask for the end of a flow run and of every flow run below it."""
        with self._database.transaction() as cursor:
            self._row(cursor, flow_run_id)
            rows = self._below(cursor, flow_run_id)
            check_cancellable(rows[0])
            batch = plan_cancel(
                rows,
                lambda owner: self._lease(cursor, owner),
                lambda run_id: self._open_tasks(cursor, run_id),
                now,
                is_alive,
                message,
            )
            self._write(cursor, batch)
            return self._row(cursor, flow_run_id)

    def suspend(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        details: dict[str, Any],
    ) -> FlowRunRow:
        """Ask an open flow run to stop so that it can be taken up later."""
        with self._database.transaction() as cursor:
            row = self._row(cursor, flow_run_id)
            lease, tasks = (
                self._lease(cursor, row.owner),
                self._open_tasks(cursor, row.id),
            )
            batch = plan_suspend(row, lease, tasks, now, is_alive, details)
            self._write(cursor, batch)
            return self._row(cursor, flow_run_id)

    def go_on(
        self, flow_run_id: bytes, now: float, is_alive: Callable[[Lease], bool]
    ) -> bool:
        """Move a paused flow run whose process waits for that to RUNNING."""
        with self._database.transaction() as cursor:
            row = self._row(cursor, flow_run_id)
            batch = plan_go_on(row, self._lease(cursor, row.owner), now, is_alive)
            if batch is not None:
                self._write(cursor, batch)
            return batch is not None

    def asked(self, owner: bytes) -> Sequence[Asked]:
        """Return the flow runs of a process that somebody wants to stop."""
        found = self._database.read(self._queries["asked_to_stop"], [owner])
        return [Asked(*values) for values in found]

    def _row(self, cursor: Cursor, flow_run_id: bytes) -> FlowRunRow:
        found = cursor.execute(self._queries["flow_run"], (flow_run_id,)).fetchone()
        if found is None:
            raise ObjectNotFound("flow run", format_id(flow_run_id))
        return flow_run_row(found)

    def _below(self, cursor: Cursor, flow_run_id: bytes) -> list[FlowRunRow]:
        found = cursor.execute(self._queries["flow_runs_below"], (flow_run_id,))
        return [flow_run_row(values) for values in found]

    def _lease(self, cursor: Cursor, owner: bytes | None) -> Lease | None:
        values = cursor.execute(self._queries["lease"], (owner,)).fetchone()
        return None if values is None else Lease(*values)

    def _open_tasks(self, cursor: Cursor, flow_run_id: bytes) -> list[TaskRunRow]:
        found = cursor.execute(self._queries["open_task_runs"], (flow_run_id,))
        return [task_run_row(values) for values in found.fetchall()]
