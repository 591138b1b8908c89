"""Asks flow runs of an SQLite ledger to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import ObjectNotFound
from caudal.ledger.control import check_cancellable, plan_cancel
from caudal.ledger.port import Asked
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
            rows = self._below(cursor, flow_run_id)
            if not rows:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
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
            return self._below(cursor, flow_run_id)[0]

    def asked(self, owner: bytes) -> Sequence[Asked]:
        """Return the flow runs of a process that somebody wants to stop."""
        found = self._database.read(self._queries["asked_to_stop"], [owner])
        return [Asked(*values) for values in found]

    def _below(self, cursor: Cursor, flow_run_id: bytes) -> list[FlowRunRow]:
        found = cursor.execute(self._queries["flow_runs_below"], (flow_run_id,))
        return [flow_run_row(values) for values in found]

    def _lease(self, cursor: Cursor, owner: bytes | None) -> Lease | None:
        values = cursor.execute(self._queries["lease"], (owner,)).fetchone()
        return None if values is None else Lease(*values)

    def _open_tasks(self, cursor: Cursor, flow_run_id: bytes) -> list[TaskRunRow]:
        found = cursor.execute(self._queries["open_task_runs"], (flow_run_id,))
        return [task_run_row(values) for values in found.fetchall()]
