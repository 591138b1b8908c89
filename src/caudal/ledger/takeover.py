"""What happens to a flow run whose process is gone: it is closed by a sweep, or taken over by a claim.

A process holds one lease and puts its owner id on every flow run it works on. The pair of owner and attempt is
the fencing token: each batch carries it, and the ledger refuses a batch whose token is not the stored one.

    open, owner A, attempt 1 --- sweep: A is gone ---> CRASHED, no owner, attempt 1
            |                                              |
            +------- claim by B: A is gone -------+--------+
                                                  v
                                   RUNNING, owner B, attempt 2

A run that waits for somebody is no less whole without its process: a sweep leaves it suspended, and whoever resumes it claims it. Only when nobody
has by the end of its time does it fail.

A process that only seemed to be gone (a suspended laptop, a long pause of the machine) finds out with its next
batch: after a sweep the owner differs, after a claim the attempt does too. What it did in between stays unwritten.

The functions here decide and return the batch to write. A ledger reads, calls them and writes inside one
transaction, which makes the decision atomic: of two sweeps or two claims at once, the second sees what the first wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import FlowRunNotResumableError
from caudal.ledger.control import PAUSED, SUSPENDED
from caudal.ledger.port import Batch, FlowWrite, TaskWrite
from caudal.model.runs import FlowRunChange, Move, TaskRunChange
from caudal.model.states import TERMINAL, StateType, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from caudal.model.runs import FlowRunRow, Lease, TaskRunRow

#: Kinds of state in which a task run is still open.
OPEN = tuple(kind.value for kind in StateType if kind not in TERMINAL)
#: Kinds of state that a sweep closes.
SWEPT = frozenset({"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"})

#: How long a ledger remembers a writer's last batch.
WRITER_SECONDS = 86_400

#: Why runs of a dead process are closed.
GONE = "The process that worked on it is gone."


def is_gone(lease: Lease | None, now: float, is_alive: Callable[[Lease], bool]) -> bool:
    """Say whether the process that a lease stands for works no more."""
    return lease is None or lease.expires_at <= now or not is_alive(lease)


def is_unfinished(
    row: FlowRunRow, durable_key: str | None, *, given_up: bool = False
) -> bool:
    """Say whether a flow run is a durable one, of a key or of any, that has not come to an end of its own.

    Args:
        row: The flow run.
        durable_key: The key; None is any.
        given_up: Whether those are meant that were given up, instead of the others.
    """
    return (
        row.durable_key is not None
        and durable_key in {None, row.durable_key}
        and row.state_type not in {"COMPLETED", "FAILED", "CANCELLED"}
        and bool(row.details.get("given_up")) == given_up
    )


def orphans(
    in_hand: Iterable[FlowRunRow],
    leases: Iterable[Lease],
    now: float,
    is_alive: Callable[[Lease], bool],
) -> Iterator[FlowRunRow]:
    """Yield the flow runs that a sweep closes or suspends, of those that are open and have an owner."""
    known = {lease.owner: lease for lease in leases}
    for row in in_hand:
        lease = known.get(row.owner or b"")
        if not is_terminal(row.state_type) and is_gone(lease, now, is_alive):
            yield row


def plan_sweep(
    row: FlowRunRow, open_tasks: Iterable[TaskRunRow], now: float, limit: int
) -> Batch:
    """Return the batch that closes a flow run whose owner is gone; a durable one that was lost too often is given up.

    One that waits for somebody is suspended.
    """
    if row.state_type == "PAUSED":
        return _plan_suspend(row, open_tasks, now)
    move = _closing_move(row, now)
    losses = _losses(row) + 1
    batch = Batch()
    batch.writes += close_tasks(open_tasks, move)
    change = FlowRunChange([move], owner=None, details={"losses": losses})
    if row.durable_key is not None and losses > limit and move.type == "CRASHED":
        message = (
            f"Its process was lost {losses} times, and recovery_limit is {limit}: it is not taken up again by itself. "
            f"{_what_to_do(row)}"
        )
        change.moves = [move._replace(message=message)]
        change.details = {"losses": losses, "given_up": True}
    batch.writes.append(FlowWrite(row.id, change))
    return batch


def _plan_suspend(
    row: FlowRunRow, open_tasks: Iterable[TaskRunRow], now: float
) -> Batch:
    """Return the batch that lets a paused flow run wait without its process, or closes it when its time is over."""
    batch = Batch()
    batch.writes += close_tasks(open_tasks, Move("CRASHED", "Crashed", now, GONE))
    change = FlowRunChange(owner=None)
    pause: dict[str, Any] = row.details.get("pause") or {}
    if is_expired(row, now):
        change = expiry(row, now)
        change.owner = None
    elif row.state_name == PAUSED:
        message = f"The process that waited is gone. Go on with: caudal flow-run resume {row.name}"
        change.moves = [Move("PAUSED", SUSPENDED, now, message)]
        change.details = {"pauses": _without(row, pause.get("key"))}
    batch.writes.append(FlowWrite(row.id, change))
    return batch


def is_expired(row: FlowRunRow, now: float) -> bool:
    """Say whether a flow run is paused or suspended, and the time is over in which it could be resumed."""
    pause: dict[str, Any] = row.details.get("pause") or {}
    until: float | None = pause.get("until")
    return row.state_type == "PAUSED" and until is not None and now >= until


def expiry(row: FlowRunRow, now: float) -> FlowRunChange:
    """Return the change that closes a flow run which nobody resumed in time; run again, it asks again."""
    move = Move("FAILED", "Failed", now, "It was paused and never resumed.")
    key: str | None = row.details["pause"].get("key")
    return FlowRunChange([move], details={"pause": None, "pauses": _without(row, key)})


def is_lost_pause(row: FlowRunRow) -> bool:
    """Say whether a flow run waits for somebody, and has lost the process in which it did."""
    pause: dict[str, Any] = row.details.get("pause") or {}
    is_paused = row.state_type == "PAUSED" and pause.get("name") == PAUSED
    return is_paused and row.owner is None


def was_cut_off(row: FlowRunRow) -> bool:
    """Say whether a flow run that is to be taken over was stopped in the middle, instead of having come to an end of its own."""
    is_lost = row.state_type == "CRASHED" and row.details.get("message") == GONE
    return is_lost or not is_terminal(row.state_type)


def _without(row: FlowRunRow, key: str | None) -> list[str]:
    """Return the pauses that a flow run has behind it, without the one in which it waits."""
    return [each for each in row.details.get("pauses", ()) if each != key]


def _losses(row: FlowRunRow) -> int:
    return row.details.get("losses", 0)


def _what_to_do(row: FlowRunRow) -> str:
    return (
        f"Find out why. Then `caudal flow-run resume {row.name} --force` goes on with it, and "
        f"`caudal flow-run recover --give-up {row.name}` lets the next call start a new run."
    )


def plan_claim(
    row: FlowRunRow,
    open_tasks: Iterable[TaskRunRow],
    owner: bytes,
    now: float,
    *,
    again: bool,
) -> Batch:
    """Return the batch that takes a flow run over; one that is run again by somebody's will has its losses forgotten."""
    attempt = row.attempt + 1
    message = f"Taken up again, attempt {attempt}." if attempt > 1 else None
    moves = [Move("RUNNING", "Running", now, message)]
    if row.state_type == "CANCELLING" or (row.owner and row.state_type in SWEPT):
        moves.insert(0, _closing_move(row, now))
    batch = Batch()
    begun = [task for task in open_tasks if task.run_count or row.attempt]
    batch.writes += close_tasks(begun, Move("CRASHED", "Crashed", now, GONE))
    change = FlowRunChange(moves, owner=owner.hex(), attempt=attempt)
    if again and _losses(row):
        change.details = {"losses": 0, "given_up": False}
    elif len(moves) > 1:
        change.details = {"losses": _losses(row) + 1}
    change.details = {**(change.details or {}), **_pause_of_claimed(row)} or None
    batch.writes.append(FlowWrite(row.id, change, reopen=True))
    return batch


def _pause_of_claimed(row: FlowRunRow) -> dict[str, Any]:
    """Return what is known of the pause in which a flow run was, when it is taken over.

    It is over, unless the run waited in a process that died and nobody has resumed it: then it waits again, until the same time.
    """
    pause: dict[str, Any] | None = row.details.get("pause")
    if pause is None:
        return {}
    key: str | None = pause.get("key")
    if row.state_name == PAUSED and row.owner is not None:
        return {"pauses": _without(row, key)}
    if pause.get("name") == PAUSED and key not in row.details.get("pauses", ()):
        return {}
    return {"pause": None}


def check_claimable(
    row: FlowRunRow,
    lease: Lease | None,
    now: float,
    is_alive: Callable[[Lease], bool],
    *,
    again: bool,
) -> None:
    """Do nothing if a flow run may be taken over.

    Args:
        row: The flow run.
        lease: Its owner's lease.
        now: Seconds since the epoch, UTC.
        is_alive: Whether the process of a lease that has not expired lives.
        again: Whether somebody wants it run again although it completed, or was given up.

    Raises:
        FlowRunNotResumableError: It completed, or a live process works on it.
    """
    if row.state_type == "COMPLETED" and not again:
        reason = "it completed, so there is nothing left to do. Start a new run."
        raise FlowRunNotResumableError(row.name, reason)
    if row.details.get("given_up") and not again:
        reason = (
            f"it was given up after its process was lost {_losses(row)} times, which may be its own doing. "
            f"{_what_to_do(row)}"
        )
        raise FlowRunNotResumableError(row.name, reason)
    if is_terminal(row.state_type) or row.owner is None or lease is None:
        return
    if not is_gone(lease, now, is_alive):
        reason = f"process {lease.pid} on {lease.host!r} works on it. Wait until it ends, or stop it first."
        raise FlowRunNotResumableError(row.name, reason)


def _closing_move(row: FlowRunRow, now: float) -> Move:
    if row.state_type == "CANCELLING":
        return Move("CANCELLED", "Cancelled", now, GONE)
    return Move("CRASHED", "Crashed", now, GONE)


def close_tasks(tasks: Iterable[TaskRunRow], move: Move) -> list[TaskWrite]:
    """Return the changes that take task runs to a last state."""
    change = TaskRunChange([move])
    return [TaskWrite.of(row.id, row.flow_run_id, change, row) for row in tasks]
