"""The ledger in one SQLite file: one row for each run, one for each event, written in batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from caudal.exceptions import ObjectNotFound
from caudal.ledger.encoding import decode_check, encode
from caudal.ledger.plan import Plan, flow_runs_changed, flow_runs_named, plan
from caudal.ledger.port import Batch, CheckWrite, Receipt
from caudal.ledger.sqlite.bulk import BulkStatement
from caudal.ledger.sqlite.control import SqliteControl
from caudal.ledger.sqlite.database import Database, Durability
from caudal.ledger.sqlite.documents import BULK as DOCUMENT_BULK
from caudal.ledger.sqlite.documents import SqliteDocuments
from caudal.ledger.sqlite.inputs import SqliteInputs
from caudal.ledger.sqlite.listing import (
    flow_run_conditions,
    merged,
    named,
    order,
    recent_named,
    task_run_conditions,
    with_id,
)
from caudal.ledger.sqlite.queries import load_queries
from caudal.ledger.sqlite.rows import (
    event_row,
    event_values,
    flow_run_row,
    flow_run_values,
    log_row,
    log_values,
    result_values,
    task_run_row,
    task_run_values,
)
from caudal.ledger.sqlite.search import SqliteSearch
from caudal.ledger.sqlite.stamps import Stamps
from caudal.ledger.takeover import (
    WRITER_SECONDS,
    check_claimable,
    orphans,
    plan_claim,
    plan_sweep,
)
from caudal.model.ids import format_id
from caudal.model.results import StoredResult
from caudal.model.runs import Event, FlowRunRow, Lease, LogRow, TaskRunRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from sqlite3 import Cursor

    from caudal.ledger.limits import Limits
    from caudal.ledger.port import RunFilter
    from caudal.ledger.sqlite.listing import Condition

_BULK = (
    "add_checks",
    "add_counts",
    "add_events",
    "add_logs",
    "fences",
    "flow_runs_by_id",
    "put_flow_runs",
    "put_results",
    "put_task_runs",
    *DOCUMENT_BULK,
)


class SqliteLedger:
    """A ``Ledger`` in a file; see the port for what its methods do.

    Any number of processes may open the same file, at the same moment too.

    Args:
        path: The file; it and its folder are made when they are missing.
        busy_timeout_seconds: How long a call waits for other processes that write.
        durability: ``commit`` survives the death of the process, ``sync`` also that of the machine. ``async`` is the
            same as ``commit`` here: it is the journal that does not wait.

    Raises:
        LedgerError: The file cannot be used: damaged, newer than this version, not writable.
    """

    location: str
    control: SqliteControl
    search: SqliteSearch
    inputs: SqliteInputs

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout_seconds: float = 30.0,
        durability: Durability = "commit",
    ) -> None:
        self._database = Database(
            Path(path).expanduser(), busy_timeout_seconds, durability
        )
        self.location = self._database.location
        self._queries = load_queries()
        self._bulk = {name: BulkStatement(self._queries[name]) for name in _BULK}
        self.inputs = SqliteInputs(self._database, self._queries)
        self.search = SqliteSearch(self._database, self._queries)
        self.control = SqliteControl(self._database, self._queries, self._write)
        self.documents: SqliteDocuments = SqliteDocuments(
            self._database, self._queries, self._bulk, self._write
        )
        self._stamps = Stamps(self._queries)
        self._limits: Limits | None = None

    @property
    def limits(self) -> Limits:
        """Named limits and who holds their slots."""
        if self._limits is None:
            from caudal.ledger.sqlite.limits import SqliteLimits  # noqa: PLC0415 - few processes use limits

            self._limits = SqliteLimits(self._database, self._queries)
        return self._limits

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch in one transaction."""
        with self._database.transaction() as cursor:
            written = batch.stamp and self._stamps.find(cursor, batch.stamp)
            if written is not None:
                return Receipt(self._last_seq(cursor), written)
            made, last_seq = self._write(cursor, batch)
            if batch.stamp is not None and made.refused:
                self._stamps.note(cursor, batch.stamp, made.refused)
        return Receipt(last_seq, made.refused)

    def renew(self, lease: Lease) -> None:
        """Store or extend a process's lease."""
        with self._database.transaction() as cursor:
            cursor.execute(self._queries["put_lease"], lease)

    def release(self, owner: bytes) -> None:
        """Delete a process's lease."""
        with self._database.transaction() as cursor:
            cursor.execute(self._queries["delete_lease"], (owner,))
            cursor.execute(self._queries["delete_writer"], (owner,))

    def leases(self) -> Sequence[Lease]:
        """Return all leases."""
        return [Lease(*values) for values in self._read("leases")]

    def claim(
        self,
        flow_run_id: bytes,
        owner: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        *,
        again: bool = False,
    ) -> FlowRunRow:
        """Take a flow run over."""
        with self._database.transaction() as cursor:
            found = self._bulk["flow_runs_by_id"].run(cursor, [(flow_run_id,)])
            if not found:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
            row = flow_run_row(found[0])
            values = cursor.execute(self._queries["lease"], (row.owner,)).fetchone()
            lease = None if values is None else Lease(*values)
            check_claimable(row, lease, now, is_alive, again=again)
            tasks = self._open_tasks(cursor, flow_run_id)
            batch = plan_claim(row, tasks, owner, now, again=again)
            made, _ = self._write(cursor, batch)
        return made.flow_rows[flow_run_id]

    def sweep(
        self,
        now: float,
        is_alive: Callable[[Lease], bool],
        *,
        recovery_limit: int = 3,
    ) -> Sequence[FlowRunRow]:
        """Close the flow runs whose owner is gone."""
        leases = self.leases()
        in_hand = self._read("flow_runs_in_hand")
        # A look without a lock first: mostly there is nothing to do, and a sweep should cost the writers nothing.
        rows = map(flow_run_row, in_hand)
        orphan = next(orphans(rows, leases, now, is_alive), None)
        if orphan is None and all(lease.expires_at > now for lease in leases):
            return []
        with self._database.transaction() as cursor:
            leases = [
                Lease(*values) for values in cursor.execute(self._queries["leases"])
            ]
            in_hand = cursor.execute(self._queries["flow_runs_in_hand"]).fetchall()
            batch = Batch()
            rows = map(flow_run_row, in_hand)
            for row in orphans(rows, leases, now, is_alive):
                tasks = self._open_tasks(cursor, row.id)
                batch.writes += plan_sweep(row, tasks, now, recovery_limit).writes
            made, _ = self._write(cursor, batch)
            cursor.execute(self._queries["delete_idle_leases"], (now,))
            cursor.execute(self._queries["delete_writers"], (now - WRITER_SECONDS,))
        return list(made.flow_rows.values())

    def unfinished(
        self,
        durable_key: str | None = None,
        *,
        given_up: bool = False,
        limit: int = 1000,
    ) -> Sequence[FlowRunRow]:
        """Return durable flow runs that have not come to an end of their own, oldest first."""
        where = "durable_key IS NOT NULL" if durable_key is None else "durable_key = ?"
        key = [] if durable_key is None else [durable_key]
        values = [*key, given_up, limit]
        query = self._queries["unfinished_flow_runs"].format(where=where)
        found = self._database.read(query, values)
        return [flow_run_row(values) for values in found]

    def flow_run(self, flow_run_id: bytes) -> FlowRunRow | None:
        """Return a flow run, or None."""
        rows = self._flow_runs([("id = ?", [flow_run_id])], 1)
        return rows[0] if rows else None

    def task_run(self, task_run_id: bytes) -> TaskRunRow | None:
        """Return a task run, or None."""
        rows = self._task_runs([("id = ?", [task_run_id])], 1)
        return rows[0] if rows else None

    def flow_runs(
        self, where: RunFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[FlowRunRow]:
        """Return flow runs, newest first."""
        return self._flow_runs(flow_run_conditions(where, before), limit)

    def task_runs(
        self, where: RunFilter, *, limit: int = 100, after: bytes | None = None
    ) -> Sequence[TaskRunRow]:
        """Return task runs: of one flow run oldest first, others newest first."""
        newest_first = where.flow_run_id is None
        conditions = task_run_conditions(where, after)
        return self._task_runs(conditions, limit, newest_first=newest_first)

    def find_flow_runs(self, text: str, *, limit: int = 10) -> Sequence[FlowRunRow]:
        """Return flow runs whose written id starts with the text or whose name equals it, newest first."""
        return self._flow_runs(named(text), limit)

    def find_task_runs(self, text: str, *, limit: int = 10) -> Sequence[TaskRunRow]:
        """Return task runs whose written id starts with the text or whose name equals it, newest first."""
        return self._task_runs([recent_named(text), *with_id(text)], limit)

    def events(
        self, *, since: int = 0, flow_run_id: bytes | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return events with a seq above ``since``, in order."""
        if flow_run_id is None:
            found = self._read("events", since, limit)
        else:
            found = self._read("events_of_flow_run", flow_run_id, since, limit)
        return [event_row(values) for values in found]

    def changes(
        self, flow_run_id: bytes | None, task_run_id: bytes | None = None
    ) -> Sequence[Event]:
        """Return all changes of one run, in order."""
        kind = "flow_run" if task_run_id is None else "task_run"
        found = self._read("changes", flow_run_id, task_run_id, kind)
        return [event_row(values) for values in found]

    def logs(
        self,
        *,
        flow_run_id: bytes | None = None,
        task_run_id: bytes | None = None,
        since: int = 0,
        limit: int = 1000,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position above ``since``, in order."""
        match flow_run_id, task_run_id:
            case None, None:
                query = "logs"
            case _, None:
                query = "logs_of_flow_run"
            case None, _:
                query = "logs_of_task_run"
            case _:
                query = "logs_of_task_run_in_flow_run"
        ids = [run_id for run_id in (flow_run_id, task_run_id) if run_id is not None]
        found = self._read(query, *ids, since, limit)
        return [(place, log_row(values)) for place, *values in found]

    def checks(self, flow_run_id: bytes, *, limit: int = 1000) -> Sequence[CheckWrite]:
        """Return the check results that a flow run recorded, in order."""
        return [
            CheckWrite(at, decode_check(payload), flow_run_id, task_run_id)
            for at, payload, _, task_run_id in self._read("checks", flow_run_id, limit)
        ]

    def result(self, key: str) -> StoredResult | None:
        """Return the result stored under a key, or None."""
        found = self._read("result", key)
        return StoredResult(*found[0]) if found else None

    def delete_result(self, key: str) -> None:
        """Forget the result stored under a key."""
        with self._database.transaction() as cursor:
            cursor.execute(self._queries["delete_result"], (key,))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._database.close()

    def _write(self, cursor: Cursor, batch: Batch) -> tuple[Plan, int]:
        """Write what the plan for a batch says and return the plan and the last event's seq."""
        bulk = self._bulk
        ids = [(run_id,) for run_id in flow_runs_named(batch)]
        fences = {
            run_id: (owner, attempt)
            for run_id, owner, attempt in bulk["fences"].run(cursor, ids)
        }
        changed = [(run_id,) for run_id in flow_runs_changed(batch) & fences.keys()]
        found = bulk["flow_runs_by_id"].run(cursor, changed)
        made = plan(
            batch,
            fences,
            {values[0]: flow_run_row(values) for values in found},
            self.documents.stored(cursor, batch.documents),
        )
        bulk["put_task_runs"].run(cursor, made.task_rows.values(), task_run_values)
        bulk["put_flow_runs"].run(cursor, made.flow_rows.values(), flow_run_values)
        counts = [(run_id, *numbers) for run_id, numbers in made.counts.items()]
        bulk["add_counts"].run(cursor, counts)
        self.documents.put(cursor, made.documents)
        bulk["put_results"].run(cursor, made.results, result_values)
        bulk["add_logs"].run(cursor, made.logs, log_values)
        return made, self._write_events(cursor, made)

    def _write_events(self, cursor: Cursor, made: Plan) -> int:
        if not made.events:
            return self._last_seq(cursor)
        self._bulk["add_events"].run(cursor, made.events, event_values)
        last_seq = cursor.lastrowid or 0
        first_check = last_seq - len(made.checks) + 1
        checks = [
            (first_check + place, at, flow_run_id, task_run_id, encode(result).decode())
            for place, (at, result, flow_run_id, task_run_id) in enumerate(made.checks)
        ]
        self._bulk["add_checks"].run(cursor, checks)
        return last_seq

    def _last_seq(self, cursor: Cursor) -> int:
        last = cursor.execute(self._queries["last_seq"]).fetchone()
        return 0 if last is None else last[0]

    def _open_tasks(self, cursor: Cursor, flow_run_id: bytes) -> list[TaskRunRow]:
        found = cursor.execute(self._queries["open_task_runs"], (flow_run_id,))
        return [task_run_row(values) for values in found]

    def _flow_runs(
        self, conditions: Iterable[Condition], limit: int
    ) -> list[FlowRunRow]:
        found = self._page("flow_runs", conditions, limit, newest_first=True)
        return [flow_run_row(values) for values in found]

    def _task_runs(
        self, conditions: Iterable[Condition], limit: int, *, newest_first: bool = True
    ) -> list[TaskRunRow]:
        found = self._page("task_runs", conditions, limit, newest_first=newest_first)
        return [task_run_row(values) for values in found]

    def _page(
        self,
        query: str,
        conditions: Iterable[Condition],
        limit: int,
        *,
        newest_first: bool,
    ) -> list[Any]:
        template, direction = self._queries[query], order(newest_first=newest_first)
        pages = [
            self._database.read(
                template.format(where=where, order=direction), [*values, limit]
            )
            for where, values in conditions
        ]
        return merged(pages, limit, newest_first=newest_first)

    def _read(self, query: str, *values: Any) -> list[Any]:
        return self._database.read(self._queries[query], values)
