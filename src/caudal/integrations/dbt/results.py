"""What a dbt command did, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from caudal.model.checks import CheckResult

#: dbt's words for a node that did what it should; a warning counts as done.
DONE = frozenset({"success", "pass", "warn", "no-op", "reused"})
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """One node of a dbt project: a model, test, seed, snapshot or unit test."""

    #: dbt's identity of the node: ``model.shop.stg_orders``.
    unique_id: str
    #: Type and name, which is also the name of its task run: ``model.stg_orders``.
    name: str
    resource_type: str
    #: How it is kept in the warehouse: ``table``, ``view``, ``incremental``, ``seed``, ``test``, ...
    materialized: str
    #: dbt's word: success, pass, warn, fail, error, skipped, ...; or ``cancelled`` and ``unknown`` for a node that dbt did not end.
    status: str
    message: str | None
    #: Seconds it took; None when dbt did not end it.
    duration_seconds: float | None
    #: Rows that were written, or that the table or view holds; None when unknown.
    rows: int | None
    #: Rows that a test found; None for other nodes.
    failures: int | None
    #: The quoted name of its table or view; None for nodes that make none.
    relation: str | None
    #: Its task run.
    task_run_id: UUID

    @property
    def is_failed(self) -> bool:
        """Whether the node was tried and did not do what it should."""
        return self.status not in DONE and self.status != SKIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtResult:
    """What a dbt command did."""

    #: The command, as it would be typed.
    command: str
    exit_code: int
    duration_seconds: float
    #: dbt's log file.
    log_path: str
    #: The nodes, in the order in which they were started.
    nodes: tuple[NodeResult, ...]
    #: One result for each data test.
    checks: tuple[CheckResult, ...]

    @property
    def success(self) -> bool:
        """Whether dbt ended well and no node failed."""
        return self.exit_code == 0 and not self.failed

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """The nodes that failed."""
        return tuple(node for node in self.nodes if node.is_failed)

    @property
    def skipped(self) -> tuple[NodeResult, ...]:
        """The nodes that dbt skipped."""
        return tuple(node for node in self.nodes if node.status == SKIPPED)
