"""Where the result of a run came from: a cache, or a call, and then why not the cache."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from caudal.explain.reading import LOOK_AT, of
from caudal.explain.reasons import TOLD, Reason, seconds
from caudal.ledger.port import RunFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.explain.reading import Record
    from caudal.model.runs import FlowRunRow, TaskRunRow


def came_from_cache(record: Record, row: FlowRunRow) -> list[Reason]:
    """Return how much of a completed flow run was not done anew."""
    where = RunFilter(state_names=("Cached",), flow_run_id=row.id)
    cached = record.ledger.task_runs(where, limit=LOOK_AT)
    counts = Counter(each.task_name for each in cached).most_common(TOLD)
    reasons = [Reason(f"{count} of {name} came from the cache") for name, count in counts]  # fmt: skip
    restored = row.details.get("restored_task_runs")
    if restored:
        reasons.append(Reason(f"{restored} task runs kept the results of an earlier attempt"))  # fmt: skip
    return reasons


def origin_of_result(record: Record, row: TaskRunRow) -> Reason:
    """Return where a completed run's result came from: the cache, or a call, and then why not the cache."""
    details: dict[str, Any] = row.details or {}
    key, miss = details.get("cache_key"), details.get("cache_miss")
    earlier = _earlier(record, row, row.task_name)
    if row.state_name == "Cached":
        maker = _maker(earlier, key) or _maker(_earlier(record, row, None), key)
        by = "" if maker is None else f" by {_where(record, maker, row)}"
        return Reason(f"{row.name} was not called: its result was stored under its cache key{by}")  # fmt: skip
    called = f"{row.name} was called and completed"
    if miss:
        return Reason(f"{called}: {miss}")
    if key is None:
        why = "its cache policy gives none" if details.get("result_key") else "its result is not kept"  # fmt: skip
        return Reason(f"{called}; it has no cache key, because {why}")
    same = [other for other in earlier if (other.details or {}).get("cache_key") == key]
    if same:
        kept = _maker(same, key) or same[0]
        return Reason(f"{called}, although {_where(record, kept, row)}, had the same cache key: {_no_result(kept, row)}")  # fmt: skip
    known = [other for other in earlier if of(other, "cache_parts") and of(other, "result_key")]  # fmt: skip
    if not known:
        return Reason(f"{called}; nothing was in the cache: no earlier run of {row.task_name} kept a result")  # fmt: skip
    parts = of(row, "cache_parts")
    closest = min(known, key=lambda other: len(_changed(parts, other)))
    return Reason(
        f"{called}: no result is stored under its cache key; the closest, that of {_where(record, closest, row)}, differs",
        [Reason(_difference(name, parts, closest)) for name in _changed(parts, closest)],
    )  # fmt: skip


def _earlier(
    record: Record, row: TaskRunRow, task_name: str | None
) -> list[TaskRunRow]:
    """Return task runs that were made before one, the newest first; of one task, or of any."""
    return [
        other
        for other in record.ledger.task_runs(RunFilter(of=task_name), limit=LOOK_AT)
        if other.created_at < row.created_at and other.id != row.id
    ]


def _maker(earlier: Iterable[TaskRunRow], key: str | None) -> TaskRunRow | None:
    """Return the last run that was called and stored its result under a key."""
    for other in earlier:
        if other.state_name != "Cached" and of(other, "result_key") == key:
            return other
    return None


def _no_result(other: TaskRunRow, row: TaskRunRow) -> str:
    """Return why an earlier run with the same key left nothing that a later one could use."""
    if other.ended_at is None or other.ended_at > (row.started_at or row.created_at):
        return "it had not ended when this one began"
    if other.state_type != "COMPLETED":
        return f"it is {other.state_name}, so it left no result"
    return "its result was deleted since"


def _where(record: Record, other: TaskRunRow, row: TaskRunRow) -> str:
    """Return which run another one is, and how long before."""
    flow = record.flow_run(other.flow_run_id)
    of_flow = "no flow" if flow is None else f"flow run {flow.name}"
    return f"{other.name} in {of_flow}, {seconds(row.created_at - other.created_at)} earlier"  # fmt: skip


def _changed(parts: dict[str, str], other: TaskRunRow) -> list[str]:
    theirs = of(other, "cache_parts")
    names = parts.keys() | theirs.keys()
    return sorted(name for name in names if parts.get(name) != theirs.get(name))


def _difference(name: str, parts: dict[str, str], closest: TaskRunRow) -> str:
    theirs = of(closest, "cache_parts")
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
