"""What people and other processes ask of flow runs: that they stop, for good or for a while, and that they go on.

A flow run belongs to the process that works on it, so whoever asks writes a state that this process looks for::

    open, owner A --- cancel: A works ---> CANCELLING, owner A --- A notices and ends it ---> CANCELLED
         |
         +----------- cancel: A is gone, or nobody owned it --------------------------------> CANCELLED

    open, owner A --- suspend: A works ---> PAUSED "Suspended", owner A --- A has ended its part ---> PAUSED, no owner
         |
         +----- A itself pauses and waits --> PAUSED "Paused", owner A --- go on ---> RUNNING, owner A

The functions here decide and return the batch to write. A ledger reads, calls them and writes inside one
transaction, as for claims and sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import FlowRunNotCancellableError, FlowRunNotPausableError
from caudal.ledger.control import PAUSED, SUSPENDED
from caudal.ledger.port import Batch, FlowWrite
from caudal.ledger.takeover import GONE, close_tasks, is_gone
from caudal.model.runs import FlowRunChange, Move
from caudal.model.states import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.model.runs import FlowRunRow, Lease, TaskRunRow


def check_cancellable(row: FlowRunRow) -> None:
    """Do nothing if a flow run is open.

    Raises:
        FlowRunNotCancellableError: It has ended.
    """
    if is_terminal(row.state_type):
        raise FlowRunNotCancellableError(row.name, row.state_name)


def plan_cancel(
    rows: Iterable[FlowRunRow],
    lease_of: Callable[[bytes | None], Lease | None],
    open_tasks: Callable[[bytes], Iterable[TaskRunRow]],
    now: float,
    is_alive: Callable[[Lease], bool],
    message: str | None,
) -> Batch:
    """Return the batch that cancels open flow runs.

    Args:
        rows: A flow run and all below it; those that have ended are left alone.
        lease_of: Returns an owner's lease.
        open_tasks: Returns the open task runs of a flow run.
        now: Seconds since the epoch, UTC.
        is_alive: Whether the process of a lease that has not expired lives.
        message: Why, for people.
    """
    batch = Batch()
    for row in rows:
        if is_terminal(row.state_type):
            continue
        moves: list[Move] = []
        if row.state_type != "CANCELLING":
            moves.append(Move("CANCELLING", "Cancelling", now, message))
        change = FlowRunChange(moves)
        if is_gone(lease_of(row.owner), now, is_alive):
            moves.append(Move("CANCELLED", "Cancelled", now, message))
            change.owner = None
            batch.writes += close_tasks(open_tasks(row.id), moves[-1])
        if moves:
            batch.writes.append(FlowWrite(row.id, change))
    return batch


def plan_suspend(
    row: FlowRunRow,
    lease: Lease | None,
    open_tasks: Iterable[TaskRunRow],
    now: float,
    is_alive: Callable[[Lease], bool],
    details: dict[str, Any],
) -> Batch:
    """Return the batch that suspends an open flow run.

    Raises:
        FlowRunNotPausableError: It has ended, is being cancelled, or is suspended already.
    """
    if (
        is_terminal(row.state_type)
        or row.state_type == "CANCELLING"
        or row.state_name == SUSPENDED
    ):
        reason = f"it is {row.state_name}, so there is nothing to suspend."
        raise FlowRunNotPausableError(row.name, reason)
    batch = Batch()
    change = FlowRunChange([Move("PAUSED", SUSPENDED, now)], details=details)
    if is_gone(lease, now, is_alive):
        change.owner = None
        crashed = Move("CRASHED", "Crashed", now, GONE)
        batch.writes += close_tasks(open_tasks, crashed)
    batch.writes.append(FlowWrite(row.id, change))
    return batch


def plan_go_on(
    row: FlowRunRow, lease: Lease | None, now: float, is_alive: Callable[[Lease], bool]
) -> Batch | None:
    """Return the batch that lets a flow run go on whose process waits for that, or None."""
    if (row.state_type, row.state_name) != ("PAUSED", PAUSED):
        return None
    if is_gone(lease, now, is_alive):
        return None
    batch = Batch()
    change = FlowRunChange([Move("RUNNING", "Running", now)], details={"pause": None})
    batch.writes.append(FlowWrite(row.id, change))
    return batch
