"""What people and other processes ask of flow runs: that they stop.

A flow run belongs to the process that works on it, so whoever asks writes a state that this process looks for::

    open, owner A --- cancel: A works ---> CANCELLING, owner A --- A notices and ends it ---> CANCELLED
         |
         +----------- cancel: A is gone, or nobody owned it --------------------------------> CANCELLED

The functions here decide and return the batch to write. A ledger reads, calls them and writes inside one
transaction, as for claims and sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.exceptions import FlowRunNotCancellableError
from caudal.ledger.port import Batch, FlowWrite
from caudal.ledger.takeover import close_tasks, is_gone
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
