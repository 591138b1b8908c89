"""What earlier attempts at a flow run left on record, and how today's calls compare with it.

A call is found by its *path*: the task's name and the number of its calls before, under the paths of the runs around it. So code
may change between two attempts, and whatever still makes the same calls finds its results. Three things show that it does not:

- a call finds its record, but inputs or source are others than they were;
- the call that an attempt makes as its n-th is new, and the n-th one on record has not been made: a task was renamed,
  put in between, or the code takes another way;
- when the flow's function has ended, a call that completed has not been made again: it was removed, or the code takes another way.

Neither ever serves a result that is not that of the call. What happens instead is the setting ``resume_mismatch``: the function is called,
and a warning names both sides; or the call raises ``ResumeMismatchError``, and what is on record stays as it is.

Where an attempt goes on with one that was cut off, because its process died or it was suspended, the failed tries of its tasks count: a task
has no more of them than its retries allow. Where somebody runs again what came to an end of its own, they are counted anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from caudal.engine.logs import flow_logger
from caudal.exceptions import ResumeMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caudal.engine.parts import Scope
    from caudal.model.runs import FlowRunRow, TaskRunRow


#: Calls that a message names before it counts the others.
_NAMED = 5


class Recorded:
    """The runs that earlier attempts at a flow run made.

    Args:
        tasks: Its task runs, in the order in which they were made.
        flows: The flow runs that its code called, likewise.
        strict: Whether a call that does not match is an error.
        goes_on: Whether the attempt goes on where the last one was cut off, so that failed tries count.
    """

    __slots__ = (
        "_flows",
        "_made",
        "_met",
        "_met_flows",
        "_missed",
        "_order",
        "_strict",
        "_tasks",
        "goes_on",
    )

    def __init__(
        self,
        tasks: Iterable[TaskRunRow],
        flows: Iterable[FlowRunRow],
        *,
        strict: bool,
        goes_on: bool,
    ) -> None:
        self.goes_on: bool = goes_on
        self._tasks = {row.path: row for row in tasks}
        self._flows = {str(row.details.get("path")): row for row in flows}
        self._strict = strict
        self._order: dict[str, list[str]] = defaultdict(list)
        for path in self._tasks:
            self._order[_parent(path)].append(path)
        #: How many tasks the flow and its task runs have called, as far as they have called anything.
        self._made: Counter[str] = Counter({"": 0})
        self._met: set[str] = set()
        self._met_flows: set[str] = set()
        #: Calls on record of which was said that others are made in their place.
        self._missed: set[str] = set()

    def task(self, path: str) -> TaskRunRow | None:
        """Return the task run that was recorded at a path, or None."""
        return self._tasks.get(path)

    def flow(self, path: str) -> FlowRunRow | None:
        """Return the flow run that was recorded at the path of a new call, or None."""
        self._made[_parent(path)] += 0
        self._met_flows.add(path)
        return self._flows.get(path)

    def meet(self, scope: Scope, path: str) -> TaskRunRow | None:
        """Return the task run that was recorded at the path of a new call, or None, after a look whether the calls match.

        Raises:
            ResumeMismatchError: They do not, and that is an error.
        """
        parent = _parent(path)
        place = self._made[parent]
        self._made[parent] += 1
        self._met.add(path)
        row = self._tasks.get(path)
        order = self._order[parent]
        if row is None and place < len(order) and order[place] not in self._met:
            self._missed.add(order[place])
            was, now = (each.rpartition("/")[2] for each in (order[place], path))
            self.report(
                scope,
                f"call {place + 1} of {parent or 'the flow'} was {was!r} in an earlier attempt and is {now!r} now",
                "It is run as a new one.",
            )
        return row

    def conclude(self, scope: Scope, *, failed: bool) -> None:
        """Compare the calls on record with those that were made, now that the flow's function has ended.

        Args:
            scope: The flow run.
            failed: Whether it failed: then what came behind the last call that was made again is not missed, and there is no further error.

        Raises:
            ResumeMismatchError: A call that had completed was not made, and that is an error.
        """
        missed: dict[str, list[str]] = defaultdict(list)
        for calls, met in ((self._tasks, self._met), (self._flows, self._met_flows)):
            ends: dict[str, float] = defaultdict(float)
            for path in met & calls.keys():
                parent = _parent(path)
                ends[parent] = max(ends[parent], calls[path].created_at)
            for path, row in calls.items():
                parent = _parent(path)
                is_behind = failed and row.created_at > ends[parent]
                if path not in met and parent in self._made and not is_behind and self._is_missed(path, row):  # fmt: skip
                    missed[parent].append(path.rpartition("/")[2])
        for parent, names in missed.items():
            self._report_missed(scope, parent, names, failed=failed)

    def _is_missed(self, path: str, row: TaskRunRow | FlowRunRow) -> bool:
        return (
            row.state_type == "COMPLETED"
            and path not in self._missed
            and not is_forgotten(row.details)
        )

    def _report_missed(
        self, scope: Scope, parent: str, names: list[str], *, failed: bool
    ) -> None:
        shown = ", ".join(map(repr, names[:_NAMED]))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        them = "it" if len(names) == 1 else "them"
        difference = f"{shown}{more} of {parent or 'the flow'} completed in an earlier attempt, and this one did not call {them}"
        if failed and self._strict:
            flow_logger(scope).error("%s.", difference)
        else:
            self.report(scope, difference, "What was done stays as it is.")

    def report(self, scope: Scope, difference: str, instead: str) -> None:
        """Log how a call differs from the record, and what is done instead of using it.

        Raises:
            ResumeMismatchError: The settings ask for an error.
        """
        if self._strict:
            raise ResumeMismatchError(scope.name, difference)
        flow_logger(scope).warning("%s. %s", difference, instead)


def _parent(path: str) -> str:
    """Return the path of the run that made a call; empty for the flow itself."""
    return path.rpartition("/")[0]


def failed_tries(row: TaskRunRow | None, flow_failures: int) -> int:
    """Return how many tries of a recorded call have failed since its flow's function was called last.

    Args:
        row: What is recorded of the call, None when nothing is.
        flow_failures: How often the flow's function has failed.
    """
    details: dict[str, Any] = (row and row.details) or {}
    is_of_this_try = details.get("flow_failures", 0) == flow_failures
    return details.get("failures", 0) if is_of_this_try else 0


def is_forgotten(details: Mapping[str, Any] | None) -> bool:
    """Say whether the result of a run was to be forgotten: it runs again, whatever the cache holds."""
    return details is not None and details.get("result_key", "") is None
