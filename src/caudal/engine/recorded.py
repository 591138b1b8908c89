"""What earlier attempts at a flow run left on record, and how today's calls compare with it.

A call is found by its *path*: the task's name and the number of its calls before, under the paths of the runs around it. So code
may change between two attempts, and whatever still makes the same calls finds its results. Two things show that it does not:

- a call finds its record, but inputs or source are others than they were;
- the call that an attempt makes as its n-th is new, and the n-th one on record has not been made: a task was renamed,
  removed, put in between, or the code takes another way.

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

    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.parts import Scope
    from caudal.model.runs import FlowRunRow, TaskRunRow


class Recorded:
    """The runs that earlier attempts at a flow run made.

    Args:
        tasks: Its task runs, in the order in which they were made.
        flows: The flow runs that its code called, likewise.
        strict: Whether a call that does not match is an error.
        goes_on: Whether the attempt goes on where the last one was cut off, so that failed tries count.
    """

    __slots__ = ("_flows", "_made", "_met", "_order", "_strict", "_tasks", "goes_on")

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
        self._flows = {row.details.get("path"): row for row in flows}
        self._strict = strict
        self._order: dict[str, list[str]] = defaultdict(list)
        for path in self._tasks:
            self._order[path.rpartition("/")[0]].append(path)
        self._made: Counter[str] = Counter()
        self._met: set[str] = set()

    def task(self, path: str) -> TaskRunRow | None:
        """Return the task run that was recorded at a path, or None."""
        return self._tasks.get(path)

    def flow(self, path: str) -> FlowRunRow | None:
        """Return the flow run that was recorded at a path, or None."""
        return self._flows.get(path)

    def meet(self, scope: Scope, path: str) -> TaskRunRow | None:
        """Return the task run that was recorded at the path of a new call, or None, after a look whether the calls match.

        Raises:
            ResumeMismatchError: They do not, and that is an error.
        """
        parent = path.rpartition("/")[0]
        place = self._made[parent]
        self._made[parent] += 1
        self._met.add(path)
        row = self._tasks.get(path)
        order = self._order[parent]
        if row is None and place < len(order) and order[place] not in self._met:
            was, now = (each.rpartition("/")[2] for each in (order[place], path))
            self.report(
                scope,
                f"call {place + 1} of {parent or 'the flow'} was {was!r} in an earlier attempt and is {now!r} now",
                "It is run as a new one.",
            )
        return row

    def report(self, scope: Scope, difference: str, instead: str) -> None:
        """Log how a call differs from the record, and what is done instead of using it.

        Raises:
            ResumeMismatchError: The settings ask for an error.
        """
        if self._strict:
            raise ResumeMismatchError(scope.name, difference)
        flow_logger(scope).warning("%s. %s", difference, instead)


def failed_tries(scope: FlowScope, row: TaskRunRow | None) -> int:
    """Return how many tries of a recorded call have failed since its flow's function was called last.

    Args:
        scope: The flow run.
        row: What is recorded of the call, None when nothing is.
    """
    details: dict[str, Any] = (row and row.details) or {}
    is_of_this_try = details.get("flow_failures", 0) == scope.failures
    return details.get("failures", 0) if is_of_this_try else 0


def is_forgotten(details: Mapping[str, Any] | None) -> bool:
    """Say whether the result of a run was to be forgotten: it runs again, whatever the cache holds."""
    return details is not None and details.get("result_key", "") is None
