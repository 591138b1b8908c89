"""Tasks that are called now and run later, in a process that serves them.

Such a call is a durable flow run of one task run, made in the state ``Scheduled`` and owned by nobody. Whatever holds for durable flow runs holds
for it: a serving process claims it, holds a lease, writes under a fence; a run whose process died is found by a sweep and taken up by another
one, until it was lost more than ``recovery_limit`` times. Its durable key is the task's name, by which those who serve the task find it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from caudal.clock import timestamp
from caudal.engine.calls import make_task_run
from caudal.engine.composition import current_engine
from caudal.engine.context import added_tags, current
from caudal.engine.inputs import Pending, find
from caudal.engine.names import random_name
from caudal.engine.tracebacks import error_details
from caudal.exceptions import CaudalError
from caudal.ledger.port import FlowWrite, TaskWrite
from caudal.model.ids import TaskRunIds, format_id, new_id
from caudal.model.jsonable import jsonable
from caudal.model.runs import FlowRunChange, Move, TaskRunChange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.engine.engine import Engine
    from caudal.ledger.port import Batch
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import TaskSpec


class Payload(NamedTuple):
    """What a call is made with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    wait_for: Any


def delay_task(
    spec: TaskSpec, payload: Payload, dependencies: dict[str, Any] | None = None
) -> bytes:
    """Record a call for those who serve the task and return the id of its task run; the call is durable then.

    Args:
        spec: The task.
        payload: What it is called with; futures in it are those of runs in the ledger.
        dependencies: Facts about other runs that it depends on, kept with the run.

    Raises:
        SerializationError: An argument cannot be sent to another process.
        LedgerError: The call cannot be recorded.
    """
    engine, now = current_engine(), timestamp()
    flow_run_id = new_id(now, os.urandom(8))
    task_run_id = TaskRunIds(flow_run_id, 0, os.urandom(3)).new()
    key = f"task-run-{format_id(task_run_id)}-call"
    engine.results.write(tuple(payload), key, serializer="pickle")
    caller = current.get()
    flow_change = FlowRunChange(
        moves=[Move("SCHEDULED", "Scheduled", now)],
        name=random_name(engine.random),
        flow_name=spec.name,
        created_at=now,
        tags=sorted(added_tags.get()),
        attempt=0,
        durable_key=_key_of(spec.name),
        details={
            "call_key": key,
            **({} if caller is None or caller.id is None else {"called_by": caller.id.hex()}),
        },
    )  # fmt: skip
    task_change = _task_change(spec, payload, dependencies, flow_change)
    item = _Delayed(flow_run_id, flow_change, task_run_id, task_change)
    engine.journal.put(item)
    engine.journal.barrier().wait()
    return task_run_id


def _task_change(
    spec: TaskSpec,
    payload: Payload,
    dependencies: dict[str, Any] | None,
    flow_change: FlowRunChange,
) -> TaskRunChange:
    shown = spec.bind(payload.args, payload.kwargs)
    details: dict[str, Any] = {
        "parameters": {name: jsonable(value) for name, value in shown.items()}
    }
    tags = sorted({*(flow_change.tags or ()), *spec.tags})
    if tags:
        details["tags"] = tags
    found = find((*payload.args, payload.wait_for), payload.kwargs)
    upstream = [item.run.id.hex() for item in found if isinstance(item, Pending)]
    if upstream:
        details["upstream"] = upstream
    if dependencies:
        details["dependencies"] = jsonable(dependencies)
    name = f"{spec.name}-0"
    return TaskRunChange(
        moves=flow_change.moves,
        name=name,
        task_name=spec.name,
        path=name,
        created_at=flow_change.created_at,
        details=details,
    )


def waiting_runs(engine: Engine, task_names: Iterable[str]) -> list[FlowRunRow]:
    """Return the delayed calls that nobody works on, oldest first, so that none is begun before those that it may wait for.

    Args:
        engine: Whose ledger to look into.
        task_names: The tasks.
    """
    rows = [
        row
        for name in task_names
        for row in engine.ledger.unfinished(_key_of(name))
        if row.owner is None and row.state_type in _WAITING
    ]
    return sorted(rows, key=_id)


def _id(row: FlowRunRow) -> bytes:
    return row.id


_WAITING = frozenset({"SCHEDULED", "CRASHED"})


def load_payload(engine: Engine, row: FlowRunRow, spec: TaskSpec) -> Payload:
    """Return what a delayed call is made with; called by the code of its flow run.

    Raises:
        CaudalError: It cannot be had again; the task run has failed with that.
    """
    try:
        return Payload(*engine.results.load(row.details["call_key"]))
    except CaudalError as error:
        run = make_task_run(spec, (), {}, None)
        run.know(error=error_details(error))
        run.finish("FAILED", "Failed", error, f"It cannot be called: {error}")
        raise


def _key_of(task_name: str) -> str:
    return f"task:{task_name}"


class _Delayed:
    """A delayed call on its way into the ledger."""

    __slots__ = ("_flow_change", "_flow_run_id", "_task_change", "_task_run_id")

    def __init__(
        self,
        flow_run_id: bytes,
        flow_change: FlowRunChange,
        task_run_id: bytes,
        task_change: TaskRunChange,
    ) -> None:
        self._flow_run_id, self._flow_change = flow_run_id, flow_change
        self._task_run_id, self._task_change = task_run_id, task_change

    def collect(self, batch: Batch) -> None:
        """Add the creation of flow run and task run to a batch."""
        flow_run_id, task_run_id = self._flow_run_id, self._task_run_id
        batch.writes.append(FlowWrite(flow_run_id, self._flow_change))
        batch.writes.append(
            TaskWrite.of(task_run_id, flow_run_id, self._task_change, None)
        )
