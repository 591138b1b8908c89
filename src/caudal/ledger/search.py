"""Finds rows by any conditions: what the client's filters and, later, the lists of a user interface ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.model.runs import FlowRunRow, LogRow, TaskRunRow
    from caudal.model.search import Order, Where


class Search(Protocol):
    """Finds rows by conditions on their fields.

    Fields are those of the rows; flow runs also have ``flow_version``, task runs also have ``tags``. Rows without a value come first in ascending order.
    """

    def flow_runs(
        self,
        where: Where,
        order: Order,
        *,
        limit: int = 100,
        offset: int = 0,
        after: bytes | None = None,
    ) -> Sequence[FlowRunRow]:
        """Return flow runs.

        Args:
            where: Which.
            order: In which order.
            limit: The most runs to return.
            offset: How many to pass over.
            after: Continue an ordered list behind this run: as cheap on the last page as on the first.
        """
        ...

    def task_runs(
        self,
        where: Where,
        order: Order,
        *,
        limit: int = 100,
        offset: int = 0,
        after: bytes | None = None,
    ) -> Sequence[TaskRunRow]:
        """Return task runs; see `flow_runs`."""
        ...

    def logs(
        self,
        where: Where,
        *,
        descending: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position, in the order in which they were recorded."""
        ...

    def count(self, table: str, where: Where) -> int:
        """Return how many rows of ``flow_run`` or ``task_run`` there are."""
        ...
