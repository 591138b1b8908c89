"""Which runs of a flow run follow from others: what has to run again when one of them does.

Where the record shows what a run took its inputs from, the edges decide. It does not show it for numbers, texts and what went through
files and tables. Such a run follows from an earlier one when it was called after that one had ended, unless the same task was called before
already: then it is another round of a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence

    from caudal.model.runs import FlowRunRow, TaskRunRow


class Again(NamedTuple):
    """What is to be done again of a flow run."""

    #: Paths of its calls.
    paths: Container[str]
    #: By the path of a flow that it called, what is to be done again of that one; the rest of it is not.
    within: Mapping[str, Again]


class Call(NamedTuple):
    """A call that a flow's code made, of a task or a flow."""

    id: str
    #: Name of the task or flow.
    callee: str
    #: Position in the flow's program.
    path: str
    created_at: float
    ended_at: float | None
    run_count: int
    #: Ids of the task runs that it took results of; empty when that is not known.
    upstream: Sequence[str]

    @property
    def parent(self) -> str:
        """Path of the call whose code made this one; empty for the flow's own code."""
        return self.path.rpartition("/")[0]


def calls_of(tasks: Iterable[TaskRunRow], flows: Iterable[FlowRunRow]) -> list[Call]:
    """Return the calls on record in the order in which they were made."""
    calls = [
        Call(row.id.hex(), row.task_name, row.path, row.created_at, row.ended_at, row.run_count, (row.details or {}).get("upstream", ()))
        for row in tasks
    ]  # fmt: skip
    calls += [
        Call(row.id.hex(), row.flow_name, row.details["path"], row.created_at, row.ended_at, row.run_count, ())
        for row in flows if row.details.get("path")
    ]  # fmt: skip
    return sorted(calls, key=lambda call: call.created_at)


def named(calls: Iterable[Call], name: str) -> set[str]:
    """Return the paths of the calls that a name means: a path, its last part, or a task's or flow's name."""
    return {
        call.path
        for call in calls
        if name in {call.path, call.path.rpartition("/")[2], call.callee}
    }


def to_run_again(
    calls: Iterable[Call], chosen: Collection[str], within: Collection[str] = ()
) -> frozenset[str]:
    """Return the paths of what has to run again when some calls do: these, those around and in them, and what follows.

    Args:
        calls: All calls, in the order in which they were made.
        chosen: Paths of those that are to run again.
        within: Paths of calls of flows in which something is to run again. They are not among those returned, unless they follow from others.
    """
    around = {outer for path in (*chosen, *within) for outer in _around(path)}
    seeds = {*chosen, *within, *around}
    whole = set(chosen)
    ids: set[str] = set()
    codes: dict[str, _Code] = {}
    for call in calls:
        code = codes.setdefault(call.parent, _Code())
        is_seed = call.path in seeds
        follows = (
            not ids.isdisjoint(call.upstream)
            if call.upstream
            else code.is_followed_by(call)
        )
        if follows or not whole.isdisjoint(_around(call.path)):
            whole.add(call.path)
        if is_seed or call.path in whole:
            ids.add(call.id)
        code.note(call, is_seed=is_seed)
    return frozenset((seeds - set(within)) | whole)


def _around(path: str) -> Iterable[str]:
    """Yield the paths of the calls that a call was made in, the innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


class _Code:
    """The code of a flow or task, as far as it has made calls."""

    def __init__(self) -> None:
        self._callees: set[str] = set()
        self._seed: Call | None = None

    def note(self, call: Call, *, is_seed: bool) -> None:
        """Add a call; up to the first one that is to run again, whom the code called is remembered."""
        if self._seed is None:
            self._callees.add(call.callee)
            self._seed = call if is_seed else None

    def is_followed_by(self, call: Call) -> bool:
        """Say whether a call whose inputs are not known was made after one that is to run again, as the first of its callee."""
        seed = self._seed
        if seed is None or call.callee in self._callees:
            return False
        # The times of one that ran more than once are those of its last run, which says nothing.
        is_over = seed.run_count == 1 and seed.ended_at is not None
        return not is_over or call.created_at >= (seed.ended_at or 0.0)
