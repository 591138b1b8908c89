"""A ledger in memory: the smallest right implementation, for tests and for runs that need no record."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from caudal.exceptions import LedgerError, ObjectNotFound
from caudal.ledger.memory_control import MemoryControl
from caudal.ledger.memory_documents import MemoryDocuments
from caudal.ledger.memory_inputs import MemoryInputs
from caudal.ledger.memory_limits import MemoryLimits
from caudal.ledger.memory_search import MemorySearch
from caudal.ledger.plan import flow_runs_named, plan
from caudal.ledger.port import Receipt
from caudal.ledger.prefixes import id_range
from caudal.ledger.takeover import (
    OPEN,
    WRITER_SECONDS,
    check_claimable,
    is_gone,
    is_unfinished,
    plan_claim,
    plan_sweep,
)
from caudal.model.ids import format_id
from caudal.model.runs import Event, FlowRunRow, TaskRunRow, add_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from caudal.ledger.limits import Limits
    from caudal.ledger.plan import NewEvent
    from caudal.ledger.port import Batch, CheckWrite, RunFilter, Stamp
    from caudal.model.results import StoredResult
    from caudal.model.runs import Lease, LogRow

Row = TypeVar("Row", FlowRunRow, TaskRunRow)


class MemoryLedger:
    """A ``Ledger`` that keeps everything in this process; see the port for what its methods do."""

    location = ":memory:"
    control: MemoryControl
    search: MemorySearch
    inputs: MemoryInputs

    def __init__(self) -> None:
        self._lock = RLock()
        self._closed = False
        self._events: list[Event] = []
        self._flow_runs: dict[bytes, FlowRunRow] = {}
        self._task_runs: dict[bytes, TaskRunRow] = {}
        self._logs: list[LogRow] = []
        self._checks: list[CheckWrite] = []
        self._results: dict[str, StoredResult] = {}
        self._leases: dict[bytes, Lease] = {}
        self._writers: dict[bytes, tuple[Stamp, dict[bytes, str]]] = {}
        self.inputs = MemoryInputs(self._open, self._flow_runs, self._events)
        self.search = MemorySearch(
            self._open, self._flow_runs, self._task_runs, self._logs
        )
        self.control = MemoryControl(
            self._open, self.commit, self._flow_runs, self._task_runs, self._leases
        )
        self.limits: Limits = MemoryLimits(
            self._open, self.leases, self._record, self.flow_run
        )
        self.documents: MemoryDocuments = MemoryDocuments(self._open, self.commit)

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch in one step."""
        with self._open():
            fences = {
                run_id: (row.owner, row.attempt)
                for run_id in flow_runs_named(batch)
                if (row := self._flow_runs.get(run_id)) is not None
            }
            stamp = batch.stamp
            if stamp is not None:
                last = self._writers.get(stamp.writer)
                if last is not None and last[0].number >= stamp.number:
                    return Receipt(len(self._events), last[1])
            made = plan(batch, fences, self._flow_runs, self.documents.rows)
            self._record(made.events)
            self._flow_runs |= made.flow_rows
            for run_id, counts in made.counts.items():
                self._flow_runs[run_id] = add_counts(self._flow_runs[run_id], counts)
            self._task_runs |= made.task_rows
            self._logs += made.logs
            self._checks += made.checks
            self._results |= {result.key: result for result in made.results}
            self.documents.put(made.documents)
            if stamp is not None:
                self._writers[stamp.writer] = stamp, made.refused
            return Receipt(len(self._events), made.refused)

    def renew(self, lease: Lease) -> None:
        """Store or extend a process's lease."""
        with self._open():
            self._leases[lease.owner] = lease

    def release(self, owner: bytes) -> None:
        """Delete a process's lease."""
        with self._open():
            self._leases.pop(owner, None)
            self._writers.pop(owner, None)

    def leases(self) -> Sequence[Lease]:
        """Return all leases."""
        with self._open():
            return list(self._leases.values())

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
        with self._open():
            row = self._flow_runs.get(flow_run_id)
            if row is None:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
            lease = self._leases.get(row.owner or b"")
            check_claimable(row, lease, now, is_alive, again=again)
            tasks = self._open_tasks(flow_run_id)
            self.commit(plan_claim(row, tasks, owner, now, again=again))
            return structs.replace(self._flow_runs[flow_run_id])

    def sweep(
        self,
        now: float,
        is_alive: Callable[[Lease], bool],
        *,
        recovery_limit: int = 3,
    ) -> Sequence[FlowRunRow]:
        """Close the flow runs whose owner is gone."""
        with self._open():
            rows = sorted(self._flow_runs.values(), key=_id)
            swept: list[bytes] = []
            for row in filter(_is_owned, rows):
                lease = self._leases.get(row.owner or b"")
                if is_gone(lease, now, is_alive):
                    tasks = self._open_tasks(row.id)
                    self.commit(plan_sweep(row, tasks, now, recovery_limit))
                    swept.append(row.id)
            named = {row.owner for row in self._flow_runs.values() if _is_owned(row)}
            for lease in list(self._leases.values()):
                if lease.expires_at <= now and lease.owner not in named:
                    del self._leases[lease.owner]
            for writer, (stamp, _) in list(self._writers.items()):
                if stamp.at < now - WRITER_SECONDS:
                    del self._writers[writer]
            return [structs.replace(self._flow_runs[run_id]) for run_id in swept]

    def unfinished(
        self,
        durable_key: str | None = None,
        *,
        given_up: bool = False,
        limit: int = 1000,
    ) -> Sequence[FlowRunRow]:
        """Return durable flow runs that have not come to an end of their own, oldest first."""
        with self._open():
            rows = sorted(self._flow_runs.values(), key=_id)
            found = [
                row
                for row in rows
                if is_unfinished(row, durable_key, given_up=given_up)
            ]
            return [structs.replace(row) for row in found[:limit]]

    def flow_run(self, flow_run_id: bytes) -> FlowRunRow | None:
        """Return a flow run, or None."""
        with self._open():
            row = self._flow_runs.get(flow_run_id)
            return None if row is None else structs.replace(row)

    def task_run(self, task_run_id: bytes) -> TaskRunRow | None:
        """Return a task run, or None."""
        with self._open():
            row = self._task_runs.get(task_run_id)
            return None if row is None else structs.replace(row)

    def flow_runs(
        self, where: RunFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[FlowRunRow]:
        """Return flow runs, newest first."""
        with self._open():
            rows = [
                row
                for row in self._flow_runs.values()
                if _has_state(where, row)
                and where.of in {None, row.flow_name}
                and where.flow_run_id in {None, row.parent_flow_run_id}
                and (before is None or row.id < before)
            ]
        return _newest(rows, limit)

    def task_runs(
        self, where: RunFilter, *, limit: int = 100, after: bytes | None = None
    ) -> Sequence[TaskRunRow]:
        """Return task runs: of one flow run oldest first, others newest first."""
        forward = where.flow_run_id is not None
        with self._open():
            rows = [
                row
                for row in self._task_runs.values()
                if _has_state(where, row)
                and where.of in {None, row.task_name}
                and where.flow_run_id in {None, row.flow_run_id}
                and (after is None or (row.id > after if forward else row.id < after))
            ]
        rows.sort(key=_id, reverse=not forward)
        return [structs.replace(row) for row in rows[:limit]]

    def find_flow_runs(self, text: str, *, limit: int = 10) -> Sequence[FlowRunRow]:
        """Return flow runs whose written id starts with the text or whose name equals it, newest first."""
        with self._open():
            return _newest(_found(text, self._flow_runs.values()), limit)

    def find_task_runs(self, text: str, *, limit: int = 10) -> Sequence[TaskRunRow]:
        """Return task runs whose written id starts with the text or whose name equals it, newest first."""
        with self._open():
            return _newest(_found(text, self._task_runs.values()), limit)

    def events(
        self, *, since: int = 0, flow_run_id: bytes | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return events with a seq above ``since``, in order."""
        with self._open():
            later = self._events[since:]
        if flow_run_id is not None:
            later = [event for event in later if event.flow_run_id == flow_run_id]
        return later[:limit]

    def changes(
        self, flow_run_id: bytes | None, task_run_id: bytes | None = None
    ) -> Sequence[Event]:
        """Return all changes of one run, in order."""
        kind = "flow_run" if task_run_id is None else "task_run"
        with self._open():
            return [
                event
                for event in self._events
                if event[2:5] == (kind, flow_run_id, task_run_id)
            ]

    def logs(
        self,
        *,
        flow_run_id: bytes | None = None,
        task_run_id: bytes | None = None,
        since: int = 0,
        limit: int = 1000,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position above ``since``, in order."""
        with self._open():
            later = list(enumerate(self._logs[since:], since + 1))
        return [
            (place, log)
            for place, log in later
            if flow_run_id in {None, log.flow_run_id}
            and task_run_id in {None, log.task_run_id}
        ][:limit]

    def checks(self, flow_run_id: bytes, *, limit: int = 1000) -> Sequence[CheckWrite]:
        """Return the check results that a flow run recorded, in order."""
        with self._open():
            found = [each for each in self._checks if each.flow_run_id == flow_run_id]
        return found[:limit]

    def result(self, key: str) -> StoredResult | None:
        """Return the result stored under a key, or None."""
        with self._open():
            return self._results.get(key)

    def delete_result(self, key: str) -> None:
        """Forget the result stored under a key."""
        with self._open():
            self._results.pop(key, None)

    def close(self) -> None:
        """Refuse every call from here on."""
        with self._lock:
            self._closed = True

    def _open(self) -> RLock:
        if self._closed:
            raise LedgerError(self.location, "it is closed", "Open it again.")
        return self._lock

    def _record(self, events: Iterable[NewEvent]) -> None:
        for number, event in enumerate(events, len(self._events) + 1):
            self._events.append(Event(number, *event))

    def _open_tasks(self, flow_run_id: bytes) -> list[TaskRunRow]:
        tasks = self._task_runs.values()
        found = [row for row in tasks if row.flow_run_id == flow_run_id]
        return sorted((row for row in found if row.state_type in OPEN), key=_id)


def _id(row: FlowRunRow | TaskRunRow) -> bytes:
    return row.id


def _is_owned(row: FlowRunRow) -> bool:
    return row.owner is not None and row.ended_at is None


def _has_state(where: RunFilter, row: FlowRunRow | TaskRunRow) -> bool:
    return (
        (not where.state_types or row.state_type in where.state_types)
        and (not where.state_names or row.state_name in where.state_names)
        and where.name in {None, row.name}
    )


def _found(text: str, rows: Iterable[Row]) -> list[Row]:
    ids = id_range(text)
    return [
        row
        for row in rows
        if row.name == text or (ids is not None and ids[0] <= row.id <= ids[1])
    ]


def _newest(rows: list[Row], limit: int) -> list[Row]:
    rows.sort(key=_id, reverse=True)
    return [structs.replace(row) for row in rows[:limit]]
