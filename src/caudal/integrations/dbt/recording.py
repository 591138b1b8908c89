"""Turns dbt's events into task runs, check results and log lines of the run that is in charge."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from caudal.checks import record_checks
from caudal.engine.calls import observe_task
from caudal.engine.context import current
from caudal.engine.logs import run_logger
from caudal.integrations.dbt.checks import check_result
from caudal.integrations.dbt.events import (
    LogLine,
    NodeAnnounced,
    NodeEnded,
    NodeRunning,
)
from caudal.integrations.dbt.results import DONE, SKIPPED, NodeResult
from caudal.logging import get_logger
from caudal.tasks import observed_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.live_task import LiveTask
    from caudal.integrations.dbt.events import Event, NodeInfo
    from caudal.integrations.dbt.manifest import Manifest
    from caudal.model.checks import CheckResult

#: Lines that are kept to say what went wrong when dbt itself fails.
_KEPT_LINES = 20
#: A traceback of dbt's own code helps nobody who uses it; dbt's log has it.
_UNHELPFUL = frozenset({"MainStackTrace"})


class _Node:
    """A node of this invocation and its task run."""

    __slots__ = ("ended", "info", "rows", "run", "status")

    def __init__(self, info: NodeInfo, run: LiveTask) -> None:
        self.info, self.run = info, run
        #: dbt's word, once the node has ended.
        self.status: str | None = None
        self.ended: NodeEnded | None = None
        self.rows: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status is None


class Recorder:
    """Records one dbt invocation.

    Args:
        read_manifest: Reads the project's manifest; called when the first node starts, because dbt has written it by then.
        find_compiled: Returns the path of the first of some files below the target folder that exists, or None.
    """

    def __init__(
        self,
        read_manifest: Callable[[], Manifest],
        find_compiled: Callable[[tuple[str, ...]], str | None],
    ) -> None:
        self._read_manifest, self._find_compiled = read_manifest, find_compiled
        self._manifest: Manifest | None = None
        self._nodes: dict[str, _Node] = {}
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._plain: deque[str] = deque(maxlen=_KEPT_LINES)
        self.checks: list[CheckResult] = []
        run = current.get()
        self._logger = get_logger("dbt") if run is None else run_logger(run)

    def take(self, event: Event | None) -> None:
        """Record what dbt said."""
        match event:
            case None:
                pass
            case NodeAnnounced(node):
                self._find(node)
            case NodeRunning(node):
                self._start(self._find(node))
            case NodeEnded(node):
                self._end(self._find(node), event)
            case LogLine():
                self._log(event)

    def close(self, kind: str, name: str, status: str, message: str) -> None:
        """End the task runs of nodes that dbt did not end.

        Args:
            kind: Kind of their last state.
            name: Name of their last state.
            status: Word for it.
            message: What happened, for people.
        """
        for node in self._nodes.values():
            if node.is_open:
                node.status = status
                node.run.know(status=status)
                node.run.finish(kind, name, None, message)

    def count_rows(self, count: Callable[[str], int]) -> None:
        """Ask for the rows of each table and view that was built and of which dbt did not say.

        Args:
            count: Returns the number of rows of a relation, given its quoted name.
        """
        for node in self._nodes.values():
            relation = node.info.relation
            if node.status not in DONE or node.rows is not None or _is_test(node):
                continue
            if relation is None:
                continue
            try:
                node.rows = int(count(relation))
            except Exception as error:  # noqa: BLE001 - the user's code; the node is built all the same
                self._logger.warning(
                    "the rows of %s could not be counted: %s", relation, error
                )
                continue
            node.run.know(rows=node.rows)
            node.run.journal.put(node.run)

    @property
    def results(self) -> tuple[NodeResult, ...]:
        """What became of each node, in the order in which they were started."""
        return tuple(map(_result, self._nodes.values()))

    @property
    def last_errors(self) -> tuple[str, ...]:
        """The last errors that dbt told."""
        return tuple(self._errors)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines that were none of dbt's events, such as a message about wrong usage."""
        return tuple(self._plain)

    def _known(self) -> Manifest:
        if self._manifest is None:
            self._manifest = self._read_manifest()
        return self._manifest

    def _find(self, info: NodeInfo) -> _Node:
        """Return a node, with a new task run if it has none yet."""
        node = self._nodes.get(info.unique_id)
        if node is None:
            run = observe_task(observed_spec(info.name, tags=("dbt",)))
            run.name = info.name
            details: dict[str, Any] = {
                "unique_id": info.unique_id,
                "resource_type": info.unique_id.partition(".")[0],
                "materialized": info.materialized or None,
                "relation": info.relation,
                "upstream": self._upstream(info.unique_id) or None,
            }
            run.know(**_given(details))
            node = self._nodes[info.unique_id] = _Node(info, run)
        return node

    def _upstream(self, unique_id: str) -> list[str]:
        parents = dict.fromkeys(self._known().parents(unique_id))
        return [
            self._nodes[parent].run.id.hex()
            for parent in parents
            if parent in self._nodes
        ]

    def _start(self, node: _Node) -> None:
        if node.is_open and node.run.type != "RUNNING":
            node.run.move("RUNNING", "Running")

    def _end(self, node: _Node, event: NodeEnded) -> None:
        if not node.is_open:
            return
        node.status, node.ended, node.rows = event.status, event, event.rows
        run, message = node.run, event.message
        if event.status == SKIPPED:
            message = self._why_skipped(node)
        else:
            self._start(node)
        details: dict[str, Any] = {
            "status": event.status,
            "duration_seconds": event.duration_seconds,
            "rows": event.rows,
            "failures": event.failures if _is_test(node) else None,
            "adapter_response": event.facts or None,
            "compiled_path": self._compiled(node),
        }
        run.know(**_given(details))
        if _is_data_test(node):
            self._check(node, check_result(event, self._known(), message))
        kind, name = _state(event.status)
        if kind == "FAILED" and not _is_data_test(node):
            run_logger(run).error("%s", message or event.status)
        run.finish(kind, name, None, message)

    def _why_skipped(self, node: _Node) -> str:
        by_status: dict[bool, list[str]] = {True: [], False: []}
        for unique_id, other in self._nodes.items():
            if other.status is not None and other.status not in DONE:
                by_status[other.status == SKIPPED].append(unique_id)
        causes = self._known().causes(
            node.info.unique_id, by_status[False], by_status[True]
        )
        names = ", ".join(repr(self._nodes[cause].info.name) for cause in causes)
        return f"Skipped by dbt: upstream {names or 'nodes'} did not succeed."

    def _compiled(self, node: _Node) -> str | None:
        found = self._known().find(node.info.unique_id)
        if found is None or node.status == SKIPPED:
            return None
        return self._find_compiled(found.compiled_paths)

    def _check(self, node: _Node, check: CheckResult) -> None:
        """Record a check with the task run of its test."""
        self.checks.append(check)
        token = current.set(node.run)
        try:
            record_checks([check])
        finally:
            current.reset(token)

    def _log(self, line: LogLine) -> None:
        node = self._nodes.get(line.unique_id or "")
        level = line.level
        if line.event is None:
            self._plain.append(line.text)
        elif line.event in _UNHELPFUL or (node is not None and line.is_repeat):
            level = logging.DEBUG
        elif level >= logging.ERROR:
            self._errors.append(line.text)
        logger = self._logger if node is None else run_logger(node.run)
        fields = _given({"dbt_event": line.event, "unique_id": line.unique_id})
        logger.log(level, "%s", line.text, extra=fields)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _is_test(node: _Node) -> bool:
    return _is_data_test(node) or node.info.unique_id.startswith("unit_test.")


def _is_data_test(node: _Node) -> bool:
    return node.info.unique_id.startswith("test.")


def _state(status: str) -> tuple[str, str]:
    """Return kind and name of the state for a word of dbt's; one that is not known is a failure."""
    if status == SKIPPED:
        return "PENDING", "NotReady"
    if status == "reused":
        return "COMPLETED", "Cached"
    return ("COMPLETED", "Completed") if status in DONE else ("FAILED", "Failed")


def _result(node: _Node) -> NodeResult:
    ended = node.ended
    return NodeResult(
        unique_id=node.info.unique_id,
        name=node.info.name,
        resource_type=node.info.unique_id.partition(".")[0],
        materialized=node.info.materialized,
        status=node.status or "unknown",
        message=node.run.message,
        duration_seconds=ended.duration_seconds if ended else None,
        rows=node.rows,
        failures=ended.failures if ended and _is_test(node) else None,
        relation=node.info.relation,
        task_run_id=node.run.uuid,
    )
