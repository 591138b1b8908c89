"""Finds rows of a ledger in memory by conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from caudal.model.search import Condition, Related, Where, holds, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from caudal.model.runs import FlowRunRow, LogRow, TaskRunRow
    from caudal.model.search import Order

Row = TypeVar("Row")


class MemorySearch:
    """A ``Search`` of a ledger in memory; see there for what its methods do.

    Args:
        is_open: Holds the ledger's lock within a ``with`` block.
        flow_runs: The ledger's flow runs.
        task_runs: Its task runs.
        logs: Its log lines.
    """

    def __init__(
        self,
        is_open: Callable[[], AbstractContextManager[object]],
        flow_runs: Mapping[bytes, FlowRunRow],
        task_runs: Mapping[bytes, TaskRunRow],
        logs: Sequence[LogRow],
    ) -> None:
        self._open, self._logs = is_open, logs
        self._tables: Mapping[str, Mapping[bytes, Any]] = {
            "flow_run": flow_runs,
            "task_run": task_runs,
        }

    def flow_runs(
        self,
        where: Where,
        order: Order,
        *,
        limit: int = 100,
        offset: int = 0,
        after: bytes | None = None,
    ) -> Sequence[FlowRunRow]:
        """Return flow runs."""
        rows = self._found("flow_run", where)
        return _page(rows, order, after)[offset : offset + limit]

    def task_runs(
        self,
        where: Where,
        order: Order,
        *,
        limit: int = 100,
        offset: int = 0,
        after: bytes | None = None,
    ) -> Sequence[TaskRunRow]:
        """Return task runs."""
        rows = self._found("task_run", where)
        return _page(rows, order, after)[offset : offset + limit]

    def logs(
        self,
        where: Where,
        *,
        descending: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position, in the order in which they were recorded."""
        with self._open():
            test = self._test(where)
            found = [line for line in enumerate(self._logs, 1) if test(line[1])]
        return (found[::-1] if descending else found)[offset : offset + limit]

    def count(self, table: str, where: Where) -> int:
        """Return how many rows there are."""
        return len(self._found(table, where))

    def _found(self, table: str, where: Where) -> list[Any]:
        with self._open():
            return [*filter(self._test(where), self._tables[table].values())]

    def _test(self, where: Where) -> Callable[[Any], bool]:
        tests = [self._part(part) for part in where.parts]
        if where.is_or and tests:
            return lambda row: any(test(row) for test in tests)
        return lambda row: all(test(row) for test in tests)

    def _part(self, part: Condition | Related | Where) -> Callable[[Any], bool]:
        if isinstance(part, Where):
            return self._test(part)
        if isinstance(part, Related):
            rows = self._found(part.table, part.where)
            others = {value_of(row, part.other) for row in rows} - {None}
            return lambda row: value_of(row, part.field) in others
        return lambda row: holds(part, value_of(row, part.field))


def _page(rows: Iterable[Any], order: Order, after: bytes | None) -> list[Any]:
    def key(row: Any) -> tuple[bool, Any, bytes]:
        value = value_of(row, order.field)
        return (value is not None, "" if value is None else value, row.id)

    ordered = sorted(rows, key=key, reverse=order.descending)
    if after is None:
        return ordered
    places = [place for place, row in enumerate(ordered) if row.id == after]
    return ordered[places[0] + 1 :] if places else []
