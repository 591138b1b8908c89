"""Gathers what is on record about one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.cli.finding import find_task_run
from caudal.cli.following import ProgressReader
from caudal.cli.records import (
    attempt_records,
    flow_run_record,
    group_records,
    history_record,
    task_run_record,
)
from caudal.client import get_client
from caudal.engine.composition import current_engine
from caudal.ledger.encoding import decode_task_change
from caudal.model.attempts import attempts_of
from caudal.model.views import flow_run_view, task_run_view

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.model.attempts import Attempt
    from caudal.model.checks import CheckResult
    from caudal.model.progress import Progress
    from caudal.model.runs import FlowRunRow, Move, Used
    from caudal.model.views import FlowRun, TaskRun

#: Task runs that failed, of which an inspection tells more than their number.
_FAILED_SHOWN = 10


@dataclass(slots=True, kw_only=True)
class FlowRunInspection:
    """A flow run and everything that belongs to it."""

    run: FlowRun
    #: The states it was in, and its task runs and child flow runs, counted.
    progress: Progress
    #: The first task runs that failed.
    failed: list[TaskRun]
    checks: list[CheckResult]
    #: The process that works on it, as ``pid 12 on host``.
    worker: str | None

    @property
    def pause(self) -> dict[str, Any] | None:
        """What a paused run waits for."""
        return self.run.details.get("pause") if self.run.state.is_paused() else None

    @property
    def waits_for(self) -> str | None:
        """What a paused run waits for, in words; None for any other one."""
        if self.pause is None:
            return None
        schema: dict[str, Any] = self.pause.get("schema") or {}
        needed = schema.get("required", ())
        fields = [
            name if name in needed else f"{name} (or not)"
            for name in schema.get("properties", ())
        ]
        said = self.pause.get("description")
        inputs = f"{', '.join(fields)}: resume it with --input JSON"
        return said or (inputs if fields else "being resumed")

    def as_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            **flow_run_record(self.run),
            "worker": self.worker,
            "pause": self.pause,
            "history": history_record(self.progress.history),
            **group_records(self.progress.root),
            "failed_task_runs": [task_run_record(run) for run in self.failed],
            "checks": [check.as_dict() for check in self.checks],
        }


@dataclass(slots=True, kw_only=True)
class TaskRunInspection:
    """A task run and everything that belongs to it."""

    run: TaskRun
    #: The flow run it belongs to; None outside flows.
    flow_run: FlowRun | None
    #: The states it was in.
    history: list[Move]
    #: Its tries, with what they took.
    attempts: list[Attempt]
    #: The task runs whose results it took.
    upstream: list[TaskRun]

    def as_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            **task_run_record(self.run),
            "attempts": attempt_records(self.attempts),
            "history": history_record(self.history),
        }


def inspect_flow_run(given: str) -> FlowRunInspection:
    """Return everything about a flow run.

    Args:
        given: Its id, the start of it, or its name.

    Raises:
        ObjectNotFound: There is none.
        AmbiguousNameError: There are several.
    """
    engine, client = current_engine(), get_client()
    engine.sweep()
    row = client.find_flow_run(given)
    run = flow_run_view(row)
    return FlowRunInspection(
        run=run,
        progress=ProgressReader(engine.ledger, row.id).read(),
        failed=client.read_task_runs(
            flow_run_id=run.id, state_types=("FAILED", "CRASHED"), limit=_FAILED_SHOWN
        ),
        checks=client.read_checks(run.id),
        worker=_worker(engine.ledger, row),
    )


def inspect_task_run(given: str, flow_run: str | None) -> TaskRunInspection:
    """Return everything about a task run.

    Args:
        given: Its id, the start of it, or its name.
        flow_run: The flow run it belongs to, likewise; None when it does not matter.

    Raises:
        ObjectNotFound: There is none.
        AmbiguousNameError: There are several.
    """
    engine = current_engine()
    engine.sweep()
    run = find_task_run(given, flow_run)
    owner = (
        None
        if run.flow_run_id is None
        else engine.ledger.flow_run(run.flow_run_id.bytes)
    )
    upstream = (
        engine.ledger.task_run(bytes.fromhex(text))
        for text in run.details.get("upstream", ())
    )
    history, used = _task_history(engine.ledger, run)
    return TaskRunInspection(
        run=run,
        flow_run=None if owner is None else flow_run_view(owner),
        history=history,
        attempts=attempts_of(history, used),
        upstream=[task_run_view(row) for row in upstream if row is not None],
    )


def _task_history(ledger: Ledger, run: TaskRun) -> tuple[list[Move], list[Used]]:
    owner = None if run.flow_run_id is None else run.flow_run_id.bytes
    events = ledger.changes(owner, run.id.bytes)
    changes = [decode_task_change(event.payload) for event in events]
    moves = [move for change in changes for move in change.moves]
    return moves, [used for change in changes for used in change.used]


def _worker(ledger: Ledger, row: FlowRunRow) -> str | None:
    for lease in ledger.leases():
        if lease.owner == row.owner:
            return f"pid {lease.pid} on {lease.host}"
    return None


def parent_of(run: FlowRun) -> str | None:
    """Return the name of the flow run whose code called this one."""
    if run.parent_flow_run_id is None:
        return None
    row = current_engine().ledger.flow_run(run.parent_flow_run_id.bytes)
    return str(UUID(bytes=run.parent_flow_run_id.bytes)) if row is None else row.name
