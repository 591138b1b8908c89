"""Why a run failed, crashed or did not start: its own error, and the runs that led to it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from caudal.explain.reading import BROKEN, LOOK_AT, of
from caudal.explain.reasons import TOLD, Reason, ended
from caudal.ledger.port import RunFilter
from caudal.ledger.takeover import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caudal.explain.reading import Record
    from caudal.model.runs import FlowRunRow, TaskRunRow

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


def broken_flow(record: Record, row: FlowRunRow, depth: int) -> list[Reason]:
    """Return why a flow run failed or crashed, and which of its task runs did not start therefore."""
    if _is_lost(row.state_type, row.details):
        return [_lost_flow(record, row)]
    reason = Reason(_failure(row.name, row.state_name, row.details, 0))
    reason.causes = _behind(record, row.details, depth)
    where = RunFilter(state_names=("NotReady",), flow_run_id=row.id)
    not_ready = record.ledger.task_runs(where, limit=LOOK_AT)
    if not not_ready:
        return [reason]
    names = _counted(not_ready)
    text = f"{len(not_ready)} task runs did not start, because what they wait for did not complete: {names}"
    return [reason, Reason(text)]


def ended_task(record: Record, row: TaskRunRow, depth: int) -> Reason:
    """Return why a task run ended that did not complete, or why it did not start."""
    record.told.add(row.id)
    details: dict[str, Any] = row.details or {}
    if row.state_name == "NotReady":
        missing = [other for other in record.upstream(row) if other.state_type != "COMPLETED"]  # fmt: skip
        text = f"{row.name} did not start, because what it waits for did not complete"
        return Reason(text, _each(record, missing, depth))
    if _is_lost(row.state_type, details):
        return _lost_task(record, row)
    if row.state_type not in BROKEN:
        return Reason(f"{row.name}: {ended(row.state_name, details)}")
    text = _failure(row.name, row.state_name, details, details.get("failures", 0))
    return Reason(text, _behind(record, details, depth))


def failures_so_far(record: Record, row: FlowRunRow) -> list[Reason]:
    """Return which task runs of an open flow run failed in this attempt at it."""
    where = RunFilter(BROKEN, flow_run_id=row.id)
    began_at = row.state_at if row.state_type == "RUNNING" else 0.0
    broken = [
        other
        for other in record.ledger.task_runs(where, limit=LOOK_AT)
        if (other.ended_at or 0.0) >= began_at
    ]
    return _grouped(record, broken, 1)


def _is_lost(state_type: str, details: dict[str, Any]) -> bool:
    """Say whether a run was closed because its process was gone."""
    message = details.get("message")
    return state_type == "CRASHED" and (message == GONE or bool(details.get("given_up")))  # fmt: skip


def _lost_flow(record: Record, row: FlowRunRow) -> Reason:
    """Return why a flow run crashed whose process was gone, and what it did then."""
    reason = Reason(f"{row.name} is Crashed: {row.details['message']}")
    if row.details.get("given_up") and row.durable_key is None:
        text = "It was given up by hand, so nothing goes on with it by itself"
        reason.causes.append(Reason(text))
    crashed = record.ledger.task_runs(
        RunFilter(("CRASHED",), flow_run_id=row.id), limit=LOOK_AT
    )
    lost = [other for other in crashed if of(other, "message") == GONE]
    executing = [other for other in lost if other.started_at is not None]
    waiting = [other for other in lost if other.started_at is None]
    if executing:
        text = f"These task runs were executing then: {_counted(executing)}"
        reason.causes.append(Reason(text))
    if waiting:
        text = f"These had not started: {_counted(waiting)}"
        reason.causes.append(Reason(text))
    return reason


def _lost_task(record: Record, row: TaskRunRow) -> Reason:
    """Return why a task run crashed whose process was gone."""
    when = "" if row.started_at is not None else ", before it had started"
    reason = Reason(f"{row.name} is Crashed{when}: {GONE}")
    flow = record.flow_run(row.flow_run_id)
    if flow is not None and flow.details.get("given_up"):
        reason.causes.append(_lost_flow(record, flow))
    return reason


def _behind(record: Record, details: dict[str, Any], depth: int) -> list[Reason]:
    """Return what led to a failure: exceptions behind its own, and runs that it came from."""
    if not depth:
        return []
    error: dict[str, Any] = details.get("error") or {}
    reasons = [Reason(f"behind it: {text}") for text in error.get("from", ())]
    tasks: list[TaskRunRow] = []
    for run_id in [bytes.fromhex(text) for text in details.get("because", ())]:
        task_run = record.task_run(run_id)
        flow_run = record.flow_run(run_id) if task_run is None else None
        if task_run is not None:
            tasks += _roots(record, task_run)
        elif flow_run is not None and run_id not in record.told:
            record.told.add(run_id)
            first, *further = broken_flow(record, flow_run, depth - 1)
            first.causes += further
            reasons.append(first)
    return reasons + _grouped(record, tasks, depth - 1)


def _roots(record: Record, row: TaskRunRow) -> list[TaskRunRow]:
    """Return a run, or, when it did not start, those that are at the beginning of why."""
    found: dict[bytes, TaskRunRow] = {}
    seen: set[bytes] = set()
    look_at = [row]
    while look_at and len(seen) < LOOK_AT:
        run = look_at.pop()
        if run.id in seen or run.state_type == "COMPLETED":
            continue
        seen.add(run.id)
        upstream = record.upstream(run) if run.state_name == "NotReady" else []
        look_at += reversed(upstream)
        if not upstream:
            found[run.id] = run
    return list(found.values())


def _grouped(record: Record, rows: Iterable[TaskRunRow], depth: int) -> list[Reason]:
    """Return why some task runs broke; those of one task with the same error are told once."""
    groups: dict[tuple[str, str], dict[bytes, TaskRunRow]] = defaultdict(dict)
    for row in rows:
        message = of(row, "error") and of(row, "error")["message"]
        groups[row.task_name, str(message or of(row, "message"))][row.id] = row
    reasons: list[Reason] = []
    for (task_name, _), of_group in list(groups.items())[:TOLD]:
        reason = ended_task(record, next(iter(of_group.values())), depth)
        if len(of_group) > 1:
            reason.text += f", and {len(of_group) - 1} more of {task_name} likewise"
        reasons.append(reason)
    if len(groups) > TOLD:
        reasons.append(Reason(f"{len(groups) - TOLD} other errors"))
    return reasons


def _each(record: Record, rows: Iterable[TaskRunRow], depth: int) -> list[Reason]:
    """Return why some task runs did not complete, as far as that is not told already."""
    if not depth:
        return []
    untold = [row for row in rows if row.id not in record.told][:TOLD]
    record.told |= {row.id for row in untold}
    return [ended_task(record, row, depth - 1) for row in untold]


def _counted(rows: Sequence[TaskRunRow]) -> str:
    """Return the names of a few task runs, or how many there are of each task."""
    if len(rows) == 1:
        return rows[0].name
    counts = Counter(row.task_name for row in rows)
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def _failure(name: str, state_name: str, details: dict[str, Any], attempts: int) -> str:
    """Return how a run failed: its error, and the line of code that raised it."""
    error: dict[str, Any] = details.get("error") or {}
    message = str(details.get("message") or state_name)
    frames = _FRAME.findall(str(error.get("traceback", "")))
    place = ""
    if frames:
        file, line, function = frames[-1]
        place = f" ({file}:{line} in {function})"
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    if error:
        message = f"{error['type']}: {error['message']}"
    return f"{name} is {state_name}{tries}: {message}{place}"
