"""Reads what the ledger knows about runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from caudal.client_documents import DocumentReads
from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.engine.liveness import is_alive
from caudal.exceptions import AmbiguousNameError, ObjectNotFound
from caudal.ledger.port import RunFilter
from caudal.model.ids import format_id
from caudal.model.views import flow_run_view, task_run_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.engine.engine import Engine
    from caudal.model.checks import CheckResult
    from caudal.model.runs import FlowRunRow, LogRow, TaskRunRow
    from caudal.model.views import FlowRun, TaskRun

#: The most rows a single read returns.
MAX_LIMIT = 10_000


class SyncClient(DocumentReads):
    """Reads runs from the ledger; what this process recorded so far is seen.

    Args:
        engine: Whose ledger to read.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """Return a flow run by its id, the start of its id, or its name.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
        """
        return flow_run_view(self.find_flow_run(flow_run_id))

    def read_task_run(self, task_run_id: UUID | str) -> TaskRun:
        """Return a task run by its id, the start of its id, or its name.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
        """
        self._settle()
        ledger = self._engine.ledger
        if isinstance(task_run_id, UUID):
            row = ledger.task_run(task_run_id.bytes)
            rows: Sequence[TaskRunRow] = [row] if row is not None else []
        else:
            rows = ledger.find_task_runs(task_run_id)
        return task_run_view(_one(rows, "task run", str(task_run_id)))

    def read_flow_runs(
        self,
        *,
        flow_name: str | None = None,
        state_types: tuple[str, ...] = (),
        state_names: tuple[str, ...] = (),
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[FlowRun]:
        """Return flow runs, newest first.

        Args:
            flow_name: Only runs of this flow.
            state_types: Only runs in these kinds of state.
            state_names: Only runs in states of these names.
            limit: The most runs to return, up to 10,000.
            before: Continue a list after this run.
        """
        self._settle()
        where = RunFilter(state_types, state_names, of=flow_name)
        rows = self._engine.ledger.flow_runs(
            where, limit=min(limit, MAX_LIMIT), before=before.bytes if before else None
        )
        return [flow_run_view(row) for row in rows]

    def read_task_runs(
        self,
        *,
        flow_run_id: UUID | str | None = None,
        task_name: str | None = None,
        state_types: tuple[str, ...] = (),
        state_names: tuple[str, ...] = (),
        limit: int = 100,
        after: UUID | None = None,
    ) -> list[TaskRun]:
        """Return task runs: those of one flow run oldest first, others newest first.

        Args:
            flow_run_id: Only runs of this flow run.
            task_name: Only runs of this task.
            state_types: Only runs in these kinds of state.
            state_names: Only runs in states of these names.
            limit: The most runs to return, up to 10,000.
            after: Continue a list after this run.
        """
        self._settle()
        owner = None if flow_run_id is None else self.find_flow_run(flow_run_id).id
        where = RunFilter(state_types, state_names, of=task_name, flow_run_id=owner)
        rows = self._engine.ledger.task_runs(
            where, limit=min(limit, MAX_LIMIT), after=after.bytes if after else None
        )
        return [task_run_view(row) for row in rows]

    def read_logs(
        self,
        *,
        flow_run_id: UUID | None = None,
        task_run_id: UUID | None = None,
        since: int = 0,
        limit: int = 1000,
    ) -> list[tuple[int, LogRow]]:
        """Return log lines with their position, in order.

        Args:
            flow_run_id: Only lines of this flow run and its tasks.
            task_run_id: Only lines of this task run.
            since: Only lines after this position.
            limit: The most lines to return, up to 10,000.
        """
        self._settle()
        return list(
            self._engine.ledger.logs(
                flow_run_id=flow_run_id.bytes if flow_run_id else None,
                task_run_id=task_run_id.bytes if task_run_id else None,
                since=since,
                limit=min(limit, MAX_LIMIT),
            )
        )

    def read_checks(self, flow_run_id: UUID | str) -> list[CheckResult]:
        """Return the check results that a flow run recorded, in order."""
        self._settle()
        row = self.find_flow_run(flow_run_id)
        return [
            write.result
            for write in self._engine.ledger.checks(row.id, limit=MAX_LIMIT)
        ]

    def cancel_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """Have a flow run end, with the flow runs that it called, and return it as it is then.

        Its process notices within about a second and ends it ``Cancelled``; until then it is ``Cancelling``. A run whose process is gone is
        ``Cancelled`` at once.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
            FlowRunNotCancellableError: It has ended.
        """
        row = self.find_flow_run(flow_run_id)
        control = self._engine.ledger.control
        return flow_run_view(control.cancel(row.id, timestamp(), is_alive))

    def find_flow_run(self, given: UUID | str) -> FlowRunRow:
        """Return a flow run's row by its id, the start of its id, or its name; see `read_flow_run`."""
        self._settle()
        ledger = self._engine.ledger
        if isinstance(given, UUID):
            row = ledger.flow_run(given.bytes)
            return _one([row] if row is not None else [], "flow run", str(given))
        return _one(ledger.find_flow_runs(given), "flow run", given)

    def _settle(self) -> None:
        """Have everything written that this process recorded so far."""
        self._engine.journal.barrier().wait()


def get_client(*, sync_client: bool = True) -> SyncClient:
    """Return a client for the current ledger.

    Args:
        sync_client: Accepted for compatibility; the client is a sync one.
    """
    if not sync_client:
        msg = "only sync clients are available: call get_client(sync_client=True)"
        raise NotImplementedError(msg)
    return SyncClient(current_engine())


def _one(rows: Sequence[Any], kind: str, given: str) -> Any:
    if not rows:
        raise ObjectNotFound(kind, given)
    if len(rows) > 1:
        exact = [row for row in rows if format_id(row.id) == given]
        if len(exact) == 1:
            return exact[0]
        raise AmbiguousNameError(kind, given, tuple(format_id(row.id) for row in rows))
    return rows[0]
