"""Says why a run is where it is: what it waits for, why its result was not in the cache, why it failed.

Everything comes from the record, so it can be asked of any run at any time. A reason has causes, which are reasons too: a task run
did not start because another one failed, because of an exception in a line of a file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.ledger.port import RunFilter
from caudal.model.ids import format_id
from caudal.model.states import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow, TaskRunRow

#: Task runs of a flow run, and earlier runs of a task, that are looked at.
_LOOK_AT = 2_000
#: Reasons of one kind that are told one by one.
_TOLD = 10
#: How far causes are followed.
_DEPTH = 8

_SECONDS_UP_TO = 2 * 60
_MINUTES_UP_TO = 2 * 3600

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_BROKEN = ("FAILED", "CRASHED")
_OPEN = ("PENDING", "SCHEDULED", "RUNNING", "PAUSED", "CANCELLING")


@dataclass(slots=True)
class Reason:
    """One sentence of an explanation, and what is behind it."""

    text: str
    causes: list[Reason] = field(default_factory=list["Reason"])

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"text": self.text, "causes": [cause.as_dict() for cause in self.causes]}


@dataclass(slots=True)
class Explanation:
    """Why a run is in its state."""

    #: Name of the run.
    name: str
    #: Its id, as it is written.
    id: str
    #: Kind and name of its state.
    state_type: str
    state_name: str
    reasons: list[Reason]
    #: Commands that help now.
    commands: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "name": self.name,
            "id": self.id,
            "state_type": self.state_type,
            "state_name": self.state_name,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "commands": self.commands,
        }


def explain_flow_run(row: FlowRunRow) -> Explanation:
    """Return why a flow run is in its state.

    Args:
        row: The run as the ledger has it.
    """
    ledger = current_engine().ledger
    kind = row.state_type
    if kind in _BROKEN:
        reasons = _broken_flow(ledger, row, _DEPTH)
    elif kind in _OPEN:
        reasons = _open_flow(ledger, row)
    else:
        reasons = [Reason(_ended(row.state_name, row.details))]
        if kind == "COMPLETED":
            reasons += _completed_flow(ledger, row)
    commands = [f"caudal flow-run logs {row.name}"]
    if kind in {*_BROKEN, "CANCELLED", "PAUSED"}:
        commands.insert(0, f"caudal flow-run resume {row.name}")
    return Explanation(
        row.name, format_id(row.id), kind, row.state_name, reasons, commands
    )


def explain_task_run(row: TaskRunRow) -> Explanation:
    """Return why a task run is in its state, and why its result came from the cache or did not.

    Args:
        row: The run as the ledger has it.
    """
    ledger = current_engine().ledger
    kind = row.state_type
    if kind == "COMPLETED":
        reasons = [_cached(ledger, row)]
    else:
        reasons = [_task(ledger, row, _DEPTH)]
    commands = [f"caudal task-run logs {format_id(row.id)}"]
    if _of(row, "inputs_key"):
        commands.insert(0, f"caudal task-run replay {format_id(row.id)} --pdb")
    return Explanation(
        row.name, format_id(row.id), kind, row.state_name, reasons, commands
    )


def _broken_flow(ledger: Ledger, row: FlowRunRow, depth: int) -> list[Reason]:
    """Return why a flow run failed or crashed: its own error, the task runs and the child flow runs that failed."""
    causes = _failed_tasks(ledger, row.id, depth)
    causes += _failed_children(ledger, row.id, depth)
    not_ready = ledger.task_runs(
        RunFilter(state_names=("NotReady",), flow_run_id=row.id), limit=_LOOK_AT
    )
    reasons = [Reason(_failure(row.name, row.state_name, row.details, 0), causes)]
    if not_ready:
        counts = Counter(other.task_name for other in not_ready)
        names = ", ".join(f"{count} of {name}" for name, count in counts.items())
        text = f"{len(not_ready)} task runs did not start, because what they wait for did not complete: {names}"
        reasons.append(Reason(text))
    return reasons


def _failed_tasks(ledger: Ledger, flow_run_id: bytes, depth: int) -> list[Reason]:
    """Return the task runs of a flow run that broke, each below what it broke; those with the same error told once."""
    where = RunFilter(_BROKEN, flow_run_id=flow_run_id)
    broken = ledger.task_runs(where, limit=_LOOK_AT)
    behind = {cause.id for row in broken for cause in _causes(row, broken)}
    groups: dict[tuple[str, str], list[TaskRunRow]] = defaultdict(list)
    for row in broken:
        if row.id not in behind:
            error = _of(row, "error")
            groups[row.task_name, str(error.get("message", ""))].append(row)
    reasons: list[Reason] = []
    for (task_name, _), rows in list(groups.items())[:_TOLD]:
        reason = _task(ledger, rows[0], depth, broken)
        if len(rows) > 1:
            reason.text += f", and {len(rows) - 1} more of {task_name} likewise"
        reasons.append(reason)
    if len(groups) > _TOLD:
        reasons.append(Reason(f"{len(groups) - _TOLD} other errors"))
    return reasons


def _causes(row: TaskRunRow, broken: Iterable[TaskRunRow]) -> list[TaskRunRow]:
    """Return the broken runs that a broken run called, or took results of."""
    upstream = {bytes.fromhex(text) for text in _of(row, "upstream")}
    inside = f"{row.path}/"
    return [
        other
        for other in broken
        if other.id in upstream
        or (other.path.startswith(inside) and "/" not in other.path[len(inside) :])
    ]


def _failed_children(ledger: Ledger, flow_run_id: bytes, depth: int) -> list[Reason]:
    if depth == 0:
        return []
    where = RunFilter(_BROKEN, flow_run_id=flow_run_id)
    return [
        reason
        for child in ledger.flow_runs(where, limit=_TOLD)
        for reason in _broken_flow(ledger, child, depth - 1)
    ]


def _open_flow(ledger: Ledger, row: FlowRunRow) -> list[Reason]:
    """Return what a flow run that has not ended does, and what waits in it."""
    text = f"{row.name} is {row.state_name}"
    since = row.started_at or row.created_at
    text += f" since {_seconds(timestamp() - since)}"
    message = row.details.get("message")
    if message:
        text += f": {message}"
    reasons = [Reason(text + _owner(ledger, row))]
    opened = ledger.task_runs(RunFilter(_OPEN, flow_run_id=row.id), limit=_LOOK_AT)
    running = [other for other in opened if other.state_type == "RUNNING"]
    for task_name, rows in _by_task(running):
        oldest = min(other.started_at or other.created_at for other in rows)
        reasons.append(Reason(f"{len(rows)} of {task_name} running, the oldest for {_seconds(timestamp() - oldest)}"))  # fmt: skip
    waiting = [
        other
        for other in opened
        if other.state_type != "RUNNING" and other.state_name != "NotReady"
    ]
    for task_name, rows in _by_task(waiting):
        reason = _task(ledger, rows[0], 1)
        if len(rows) > 1:
            reason.text += f" ({len(rows)} of {task_name} wait)"
        reasons.append(reason)
    return reasons + _failed_tasks(ledger, row.id, _DEPTH)


def _by_task(rows: Sequence[TaskRunRow]) -> list[tuple[str, list[TaskRunRow]]]:
    groups: dict[str, list[TaskRunRow]] = defaultdict(list)
    for row in rows:
        groups[row.task_name].append(row)
    return list(groups.items())[:_TOLD]


def _owner(ledger: Ledger, row: FlowRunRow) -> str:
    if row.owner is None:
        return "; no process works on it"
    for lease in ledger.leases():
        if lease.owner == row.owner:
            return f"; process {lease.pid} on {lease.host} works on it"
    return "; the process that worked on it is gone"


def _completed_flow(ledger: Ledger, row: FlowRunRow) -> list[Reason]:
    """Return how much of a completed flow run was not done anew."""
    cached = ledger.task_runs(
        RunFilter(state_names=("Cached",), flow_run_id=row.id), limit=_LOOK_AT
    )
    reasons = [
        Reason(f"{len(rows)} of {task_name} came from the cache")
        for task_name, rows in _by_task(cached)
    ]
    restored = row.details.get("restored_task_runs")
    if restored:
        reasons.append(Reason(f"{restored} task runs kept the results of an earlier attempt"))  # fmt: skip
    return reasons


def _task(
    ledger: Ledger,
    row: TaskRunRow,
    depth: int,
    broken: Sequence[TaskRunRow] = (),
) -> Reason:
    """Return why a task run that did not complete is in its state."""
    details: dict[str, Any] = row.details or {}
    upstream = [
        other
        for text in details.get("upstream", ())
        if (other := ledger.task_run(bytes.fromhex(text))) is not None
    ]
    if row.state_name == "NotReady":
        missing = [other for other in upstream if other.state_type != "COMPLETED"]
        text = f"{row.name} did not start, because what it waits for did not complete"
        return Reason(text, _each(ledger, missing, depth))
    if row.state_type in _BROKEN:
        inside = RunFilter(_BROKEN, flow_run_id=row.flow_run_id)
        if not broken and row.flow_run_id is not None:
            broken = ledger.task_runs(inside, limit=_LOOK_AT)
        text = _failure(row.name, row.state_name, details, row.run_count)
        return Reason(text, _each(ledger, _causes(row, broken), depth, broken))
    if is_terminal(row.state_type):
        return Reason(f"{row.name}: {_ended(row.state_name, details)}")
    return _open_task(ledger, row, upstream)


def _each(
    ledger: Ledger,
    rows: Sequence[TaskRunRow],
    depth: int,
    broken: Sequence[TaskRunRow] = (),
) -> list[Reason]:
    if depth == 0:
        return []
    return [_task(ledger, row, depth - 1, broken) for row in rows[:_TOLD]]


def _open_task(
    ledger: Ledger, row: TaskRunRow, upstream: Sequence[TaskRunRow]
) -> Reason:
    details: dict[str, Any] = row.details or {}
    if row.state_type == "RUNNING":
        since = _seconds(timestamp() - (row.started_at or row.created_at))
        attempt = f", attempt {row.run_count}" if row.run_count > 1 else ""
        return Reason(f"{row.name} runs since {since}{attempt}")
    message = details.get("message")
    if message:  # a retry, a limit and who holds it
        return Reason(f"{row.name} is {row.state_name}: {message}")
    unmet = [other for other in upstream if not is_terminal(other.state_type)]
    if unmet:
        names = ", ".join(other.name for other in unmet[:_TOLD])
        more = f" and {len(unmet) - _TOLD} more" if len(unmet) > _TOLD else ""
        causes = [_open_task(ledger, other, ()) for other in unmet[:_TOLD]]
        return Reason(f"{row.name} waits for the results of {names}{more}", causes)
    running = 0
    if row.flow_run_id is not None:
        flow = ledger.flow_run(row.flow_run_id)
        running = flow.task_running if flow is not None else 0
    return Reason(f"{row.name} is ready, and waits for a free place of its task runner ({running} task runs of the flow run are running)")  # fmt: skip


def _cached(ledger: Ledger, row: TaskRunRow) -> Reason:
    """Return where a completed run's result came from: the cache, or a call, and then why not the cache."""
    details: dict[str, Any] = row.details or {}
    key, parts = details.get("cache_key"), _of(row, "cache_parts")
    earlier = [
        other
        for other in ledger.task_runs(RunFilter(of=row.task_name), limit=_LOOK_AT)
        if other.created_at < row.created_at and other.id != row.id
    ]
    if row.state_name == "Cached":
        maker = _maker(earlier, key)
        by = f" by {maker.name} in {_flow_name(ledger, maker)}, {_seconds(row.created_at - maker.created_at)} earlier" if maker else ""  # fmt: skip
        return Reason(f"{row.name} was not called: its result was stored under its cache key{by}")  # fmt: skip
    called = f"{row.name} was called and completed"
    if key is None:
        return Reason(f"{called}; it has no cache key, because its result is not kept or its cache policy gives none")  # fmt: skip
    known = [other for other in earlier if _of(other, "cache_parts")]
    if not known:
        return Reason(f"{called}; nothing was in the cache: no earlier run of {row.task_name} kept a result")  # fmt: skip
    closest = min(known, key=lambda other: len(_changed(parts, other)))
    changed = _changed(parts, closest)
    where = f"{closest.name} in {_flow_name(ledger, closest)}, {_seconds(row.created_at - closest.created_at)} earlier"  # fmt: skip
    if not changed:
        text = f"{called}, although {where}, had the same cache key: its result had expired or was deleted, could not be read, or the cache was to be refreshed"
        return Reason(text)
    reason = Reason(f"{called}: no result is stored under its cache key; the closest, that of {where}, differs")  # fmt: skip
    reason.causes = [Reason(_difference(name, parts, closest)) for name in changed]
    return reason


def _maker(earlier: Iterable[TaskRunRow], key: str | None) -> TaskRunRow | None:
    for other in earlier:
        details: dict[str, Any] = other.details or {}
        if other.state_name != "Cached" and key in {details.get("result_key"), details.get("cache_key")}:  # fmt: skip
            return other
    return None


def _changed(parts: dict[str, str], other: TaskRunRow) -> list[str]:
    theirs = _of(other, "cache_parts")
    names = parts.keys() | theirs.keys()
    return sorted(name for name in names if parts.get(name) != theirs.get(name))


def _difference(name: str, parts: dict[str, str], closest: TaskRunRow) -> str:
    theirs = _of(closest, "cache_parts")
    kind, _, argument = name.partition(".")
    if name not in theirs:
        return f"{name}: it was not part of the key then"
    if name not in parts:
        return f"{name}: it is not part of the key any more"
    if kind == "inputs":
        return f"the argument {argument!r} has another value"
    if name == "run_id":
        return "it is another flow run: the policy keeps results to one (INPUTS + TASK_SOURCE shares them)"
    if name == "task_source":
        return "the task's code is different"
    return f"{name} is different"


def _flow_name(ledger: Ledger, row: TaskRunRow) -> str:
    flow = None if row.flow_run_id is None else ledger.flow_run(row.flow_run_id)
    return "no flow" if flow is None else f"flow run {flow.name}"


def _of(row: TaskRunRow, name: str) -> Any:
    """Return a fact of a row's details; empty when it is not there."""
    return (row.details or {}).get(name) or {}


def _failure(name: str, state_name: str, details: dict[str, Any], attempts: int) -> str:
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


def _ended(state_name: str, details: dict[str, Any]) -> str:
    message = details.get("message")
    return f"it is {state_name}" + (f": {message}" if message else "")


def _seconds(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < _SECONDS_UP_TO:
        return f"{max(seconds, 0):.1f}s"
    if seconds < _MINUTES_UP_TO:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h"
