"""Why a run has not ended: what it waits for, and who has that."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from caudal.explain.failing import failures_so_far
from caudal.explain.reading import of
from caudal.explain.reasons import TOLD, Reason, listed, seconds
from caudal.ledger.limits import Refusal
from caudal.model.limits import TAG_PREFIX
from caudal.model.states import is_terminal

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from caudal.explain.reading import Record
    from caudal.model.runs import FlowRunRow, TaskRunRow

_FOR_SLOTS = "AwaitingConcurrencySlot"


def open_flow(record: Record, row: FlowRunRow, depth: int) -> list[Reason]:
    """Return what a flow run that has not ended does, and what waits in it."""
    reasons = [_flow(record, row)]
    opened = record.open_task_runs(row.id)
    running = [other for other in opened if _works(other)]
    for task_name, rows in _by_task(running):
        oldest = min(other.started_at or other.created_at for other in rows)
        reasons.append(Reason(f"{len(rows)} of {task_name} running, the oldest for {seconds(record.now - oldest)}"))  # fmt: skip
    reasons += _waiting_tasks(record, opened, depth)
    for child in record.open_children(row.id)[:TOLD] if depth else ():
        first, *behind = open_flow(record, child, depth - 1)
        first.causes += behind
        reasons.append(first)
    return reasons + failures_so_far(record, row)


def _works(row: TaskRunRow) -> bool:
    return row.state_type == "RUNNING" and not of(row, "waits_for")


def _by_task(rows: Sequence[TaskRunRow]) -> list[tuple[str, list[TaskRunRow]]]:
    groups: dict[str, list[TaskRunRow]] = defaultdict(list)
    for row in rows:
        groups[row.task_name].append(row)
    return list(groups.items())[:TOLD]


def _flow(record: Record, row: FlowRunRow) -> Reason:
    """Return what the code of an open flow run does, and where."""
    details = row.details
    if row.state_name == "AwaitingRetry" and details.get("retry"):
        text, causes = _next_try(record, row.name, details["retry"]), []
    else:
        since = row.started_at if row.state_type == "RUNNING" else row.state_at
        text = f"{row.name} has been {row.state_name} for {seconds(record.now - (since or row.created_at))}"
        message = details.get("message")
        text += f": {message.removesuffix('.')}" if message else ""
        waits, causes = _for_slots(record, details.get("waits_for") or ())
        text += waits
    return Reason(f"{text}; {_worker(record, row)}", causes)


def _worker(record: Record, row: FlowRunRow) -> str:
    lease = record.worker(row)
    if lease is not None:
        return f"process {lease.pid} on {lease.host} works on it"
    return "the process that worked on it is gone" if row.owner else "no process works on it"  # fmt: skip


def _waiting_tasks(
    record: Record, opened: Sequence[TaskRunRow], depth: int
) -> list[Reason]:
    """Return why task runs wait; those of one task that wait for the same kind of thing are told once."""
    groups: dict[Hashable, list[TaskRunRow]] = defaultdict(list)
    for row in opened:
        if not _works(row):
            groups[row.task_name, *_kind_of_wait(record, row)].append(row)
    reasons: list[Reason] = []
    for rows in list(groups.values())[:TOLD]:
        reason = open_task(record, rows[0], depth)
        if len(rows) > 1:
            reason.text += f"; {len(rows) - 1} more of {rows[0].task_name} wait likewise"  # fmt: skip
        reasons.append(reason)
    if len(groups) > TOLD:
        rest = sum(map(len, list(groups.values())[TOLD:]))
        reasons.append(Reason(f"{rest} other task runs wait"))
    return reasons


def _kind_of_wait(record: Record, row: TaskRunRow) -> tuple[Hashable, ...]:
    """Return what tells why a task run waits from why another one does."""
    if row.state_type == "PENDING":
        unmet = _unmet(record, row)
        return row.state_name, frozenset((each.task_name, each.state_name) for each in unmet)  # fmt: skip
    limits = [name for wait in of(row, "waits_for") or () for name in wait["limits"]]
    return row.state_name, tuple(limits)


def _unmet(record: Record, row: TaskRunRow) -> list[TaskRunRow]:
    return [
        other
        for other in record.upstream(row)
        if not is_terminal(other.state_type) and other.state_name != "NotReady"
    ]


def open_task(record: Record, row: TaskRunRow, depth: int) -> Reason:
    """Return what a task run that has not ended does or waits for."""
    record.told.add(row.id)
    details = row.details or {}
    if row.state_type == "RUNNING":
        return _running(record, row, depth)
    if row.state_name == "AwaitingRetry" and details.get("retry"):
        return Reason(_next_try(record, row.name, details["retry"]))
    if row.state_name == _FOR_SLOTS:
        limits = [name for tag in details.get("tags", ()) if (name := TAG_PREFIX + tag) in record.limits]  # fmt: skip
        text, causes = _for_slots(record, [{"limits": limits, "slots": 1}])
        return Reason(f"{row.name} is ready{text}", causes)
    unmet = _unmet(record, row)
    if unmet:
        text = f"{row.name} waits for the results of {listed(unmet)}"
        return Reason(text, _each(record, unmet, depth))
    flow = record.flow_run(row.flow_run_id)
    if flow is not None and record.worker(flow) is None:
        whose = f"a process that serves {row.task_name}" if "call_key" in flow.details else f"somebody to go on with {flow.name}: no process works on it"  # fmt: skip
        return Reason(f"{row.name} waits for {whose}")
    running = flow.task_running if flow is not None else 0
    return Reason(f"{row.name} is ready, and waits for a free place of its task runner ({running} task runs of the flow run are running)")  # fmt: skip


def _each(record: Record, rows: Iterable[TaskRunRow], depth: int) -> list[Reason]:
    """Return why some task runs have not ended, as far as that is not told already."""
    if not depth:
        return []
    untold = [row for row in rows if row.id not in record.told][:TOLD]
    record.told |= {row.id for row in untold}
    return [open_task(record, row, depth - 1) for row in untold]


def _running(record: Record, row: TaskRunRow, depth: int) -> Reason:
    """Return what a task run that executes waits for: slots, and what it called."""
    since = seconds(record.now - (row.started_at or row.created_at))
    attempt = f", attempt {row.run_count}" if row.run_count > 1 else ""
    text, causes = _for_slots(record, of(row, "waits_for") or ())
    reason = Reason(f"{row.name} has run for {since}{attempt}{text}", causes)
    if row.flow_run_id is None or not depth:
        return reason
    inside = f"{row.path}/"
    called = [
        other
        for other in record.open_task_runs(row.flow_run_id)
        if other.path.startswith(inside) and "/" not in other.path[len(inside) :]
    ]
    reason.causes += _each(record, called, depth)
    for child in record.open_children(row.flow_run_id):
        if child.parent_task_run_id == row.id:
            first, *behind = open_flow(record, child, depth - 1)
            first.causes += behind
            reason.causes.append(first)
    return reason


def _next_try(record: Record, name: str, retry: dict[str, Any]) -> str:
    """Return when a run is tried again, and what happened before."""
    left = retry["at"] - record.now
    when = f"in {seconds(left)}" if left > 0 else "at any moment"
    return f"{name} is AwaitingRetry, and is tried again {when} (retry {retry['number']} of {retry['of']}): {retry['after']}"


def _for_slots(
    record: Record, waits: Iterable[dict[str, Any]]
) -> tuple[str, list[Reason]]:
    """Return for which slots a run waits, and for each limit who has them."""
    text, causes = "", list[Reason]()
    for wait in waits:
        names: list[str] = wait["limits"]
        how = f"has waited for {seconds(record.now - wait['since'])}" if "since" in wait else "waits"  # fmt: skip
        what = "a slot" if wait["slots"] == 1 else f"{wait['slots']} slots"
        shown = " and ".join(map(repr, names))
        text += f", and {how} for {what} of concurrency limit {shown}"
        causes += [Reason(_slots(record, name, wait["slots"])) for name in names]
    return text, causes


def _slots(record: Record, name: str, wanted: int) -> str:
    """Return how many slots a limit has, and who holds them now."""
    limit = record.limits.get(name)
    if limit is None:
        return f"There is no concurrency limit {name!r} any more."
    holders = tuple(each for each in record.holders if each.name == name)
    free = limit.slots - sum(each.slots for each in holders) - limit.used_slots(record.now)  # fmt: skip
    if limit.slots and free >= wanted:
        return f"{int(free)} of the {limit.slots} slots of concurrency limit {name!r} are free now."
    return Refusal(limit, holders, None).reason()
