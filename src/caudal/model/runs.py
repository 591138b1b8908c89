"""Runs as the ledger keeps them: changes, and the rows that changes add up to.

A *change* is what an event carries: the moves a run made since the last event, and what became known about it.
A *row* is the projection of all changes of one run. ``fold_flow_run`` and ``fold_task_run`` are the only code that turns
changes into rows; journal, ledgers and replay all call them, so a projection cannot differ from its events.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType, structs

from caudal.model.states import StateType, is_terminal

_PENDING = StateType.PENDING.value
_RUNNING = StateType.RUNNING.value
_COMPLETED = StateType.COMPLETED.value
_FAILED = StateType.FAILED.value
_CRASHED = StateType.CRASHED.value


class Move(NamedTuple):
    """One transition of a run; read by position, because the hot path makes bare tuples of the same shape."""

    #: Kind of the new state, a ``StateType`` value.
    type: str
    #: Name of the new state.
    name: str
    #: When, in seconds since the epoch, UTC.
    at: float
    #: A sentence for people.
    message: str | None = None


class Used(NamedTuple):
    """What an attempt at a task run used, as far as its runner can tell."""

    #: When it ended: the time of the move that says so.
    at: float
    #: Processor time.
    cpu_seconds: float | None = None
    #: Most memory that its process held.
    peak_memory_bytes: int | None = None


class FlowRunChange(Struct, omit_defaults=True):
    """What happened to a flow run between two events."""

    moves: list[Move] = []
    #: Given by the change that creates the run; name and tags also by others, that change them.
    name: str | None = None
    flow_name: str | None = None
    created_at: float | None = None
    parent_flow_run_id: str | None = None
    parent_task_run_id: str | None = None
    tags: list[str] | None = None
    #: What the run was called with, given again when another attempt is called with something else.
    parameters: dict[str, Any] | None = None
    #: Who works on the run, and the number of that attempt at it: the fencing token.
    owner: str | UnsetType | None = UNSET
    attempt: int | None = None
    #: What tells a durable run that is lost from others; None when it is not to be taken up again by itself.
    durable_key: str | UnsetType | None = UNSET
    #: Facts to merge into the row's details.
    details: dict[str, Any] | None = None


class TaskRunChange(Struct, omit_defaults=True, gc=False):
    """What happened to a task run between two events."""

    moves: list[Move] = []
    #: The fields from here to ``created_at`` are given once, by the change that creates the run.
    name: str | None = None
    task_name: str | None = None
    path: str | None = None
    created_at: float | None = None
    #: Facts to merge into the row's details.
    details: dict[str, Any] | None = None
    #: What attempts used that have ended; kept in the event alone.
    used: list[Used] = []


class FlowRunRow(Struct):
    """A flow run as it stands."""

    id: bytes
    name: str
    flow_name: str
    state_type: str
    state_name: str
    #: When it entered the state; this and all times are seconds since the epoch, UTC.
    state_at: float
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    #: How often it entered a running state.
    run_count: int = 0
    parent_flow_run_id: bytes | None = None
    parent_task_run_id: bytes | None = None
    #: Lease under which a process works on it; None when nobody does.
    owner: bytes | None = None
    #: Fencing token: how often a process took the run over, its creator included.
    attempt: int = 1
    #: Task runs in any state, and in the states that lists show.
    task_count: int = 0
    task_completed: int = 0
    task_failed: int = 0
    task_running: int = 0
    #: For a durable run: what a call of the same flow with the same parameters has in common with it.
    durable_key: str | None = None
    parameters: dict[str, Any] = {}
    tags: list[str] = []
    #: Facts without a column: message, error, entrypoint, version, result_key.
    details: dict[str, Any] = {}


class TaskRunRow(Struct, gc=False):
    """A task run as it stands."""

    id: bytes
    flow_run_id: bytes | None
    name: str
    task_name: str
    #: Position in the flow's program: ``task-index`` joined by slashes, the same when the flow is run again.
    path: str
    state_type: str
    state_name: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    run_count: int = 0
    #: Facts without a column: message, error, tags, upstream, cache_key, result_key, inputs_hash, rows, ...
    details: dict[str, Any] | None = None


class TaskCounts(NamedTuple):
    """Numbers of task runs by what became of them; as a difference, entries can be negative."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    running: int = 0


def fold_task_run(
    row: TaskRunRow | None,
    run_id: bytes,
    flow_run_id: bytes | None,
    change: TaskRunChange,
) -> TaskRunRow:
    """Return the row of a task run after a change; the row given stays as it is.

    Args:
        row: The row before, None for the change that creates the run.
        run_id: The task run.
        flow_run_id: Its flow run, None outside a flow.
        change: What happened.
    """
    if row is None:
        row = TaskRunRow(
            run_id, flow_run_id, change.name or "", change.task_name or "", change.path or "",
            "PENDING", "Pending", change.created_at or 0.0,
        )  # fmt: skip
    else:
        row = structs.replace(row)
        if change.name is not None:
            row.name = change.name
    for kind, name, at, message in change.moves:
        row.state_type, row.state_name = kind, name
        if kind == _RUNNING:
            row.run_count += 1
            if row.started_at is None:
                row.started_at = at
        elif kind == _PENDING:
            row.started_at = None  # it begins anew in another attempt at its flow run
        row.ended_at = at if kind != _RUNNING and is_terminal(kind) else None
        if message is not None or (row.details and "message" in row.details):
            row.details = {**(row.details or {}), "message": message}
    if change.details:
        row.details = {**(row.details or {}), **change.details}
    return row


def fold_flow_run(
    row: FlowRunRow | None, run_id: bytes, change: FlowRunChange
) -> FlowRunRow:
    """Return the row of a flow run after a change; the row given stays as it is.

    Args:
        row: The row before, None for the change that creates the run.
        run_id: The flow run.
        change: What happened.
    """
    if row is None:
        created = change.created_at or 0.0
        row = FlowRunRow(
            run_id, change.name or "", change.flow_name or "", "PENDING", "Pending", created, created,
            parent_flow_run_id=_id(change.parent_flow_run_id),
            parent_task_run_id=_id(change.parent_task_run_id),
            parameters=change.parameters or {}, tags=change.tags or [],
        )  # fmt: skip
    else:
        row = structs.replace(row)
    if change.attempt is not None:
        row.attempt = change.attempt
        row.started_at = None  # it takes as long as its last attempt
    if change.owner is not UNSET:
        row.owner = _id(change.owner)
    if change.durable_key is not UNSET:
        row.durable_key = change.durable_key
    if change.name:
        row.name = change.name
    if change.parameters is not None:
        row.parameters = change.parameters
    if change.tags is not None:
        row.tags = change.tags
    for move in change.moves:
        _move_flow_run(row, move)
    if change.details:
        row.details = {**row.details, **change.details}
    return row


def _move_flow_run(row: FlowRunRow, move: Move) -> None:
    kind, name, at, message = move
    row.state_type, row.state_name, row.state_at = kind, name, at
    if kind == _RUNNING:
        row.run_count += 1
        if row.started_at is None:
            row.started_at = at
    row.ended_at = at if is_terminal(kind) else None
    row.details = {**row.details, "message": message}


def count_change(before: TaskRunRow | None, after: TaskRunRow) -> TaskCounts:
    """Return how a flow run's task counts change when a task run's row does."""
    old = _counts(before) if before is not None else TaskCounts()
    new = _counts(after)
    return TaskCounts(
        new[0] - old[0], new[1] - old[1], new[2] - old[2], new[3] - old[3]
    )


def add_counts(row: FlowRunRow, counts: TaskCounts) -> FlowRunRow:
    """Return the flow run's row with its task counts changed."""
    return structs.replace(
        row,
        task_count=row.task_count + counts.total,
        task_completed=row.task_completed + counts.completed,
        task_failed=row.task_failed + counts.failed,
        task_running=row.task_running + counts.running,
    )


def _counts(row: TaskRunRow) -> TaskCounts:
    kind = row.state_type
    return TaskCounts(
        1,
        1 if kind == _COMPLETED else 0,
        1 if kind in {_FAILED, _CRASHED} else 0,
        1 if kind == _RUNNING else 0,
    )


def _id(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


class LogRow(NamedTuple):
    """One line that a run logged."""

    #: Seconds since the epoch, UTC.
    at: float
    #: The standard library's level number.
    level: int
    logger: str
    message: str
    flow_run_id: bytes | None = None
    task_run_id: bytes | None = None
    #: Structured fields, JSON-ready.
    extra: dict[str, Any] | None = None


class Event(NamedTuple):
    """One fact of the ledger's sequence."""

    #: Position in commit order, dense from 1.
    seq: int
    at: float
    #: ``flow_run``, ``task_run``, ``check`` or ``run_input``: how to read the payload.
    kind: str
    flow_run_id: bytes | None
    task_run_id: bytes | None
    #: JSON of a ``FlowRunChange``, ``TaskRunChange``, ``CheckResult`` or ``RunInputChange``.
    payload: bytes


class Lease(NamedTuple):
    """A process's time-limited claim on the flow runs it works on."""

    #: Identity of the process, new at every start: sixteen random bytes.
    owner: bytes
    #: Seconds since the epoch, UTC.
    expires_at: float
    host: str
    pid: int
    #: When the process started, as the system says it; tells a reused pid from the process.
    started: str


class Fence(NamedTuple):
    """Proof that a writer still owns a flow run, or that nobody does."""

    owner: bytes | None
    attempt: int
