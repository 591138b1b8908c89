"""Turns conditions into SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from caudal.ledger.sqlite.rows import flow_run_row, log_row, task_run_row
from caudal.model.search import Condition, Related, Relation, Where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caudal.ledger.sqlite.database import Database
    from caudal.model.runs import FlowRunRow, LogRow, TaskRunRow
    from caudal.model.search import Order

#: Where fields are that have no column of their own name, by table.
_PLACES = {
    ("flow_run", "flow_version"): "json_extract(details, '$.version')",
    ("task_run", "tags"): "json_extract(details, '$.tags')",
}
_OPERATORS = {Relation.AT_LEAST: ">=", Relation.AT_MOST: "<="}
#: Text of a condition, and the values of its parameters.
_Sql = tuple[str, list[Any]]


class SqliteSearch:
    """A ``Search`` of an SQLite ledger; see there for what its methods do.

    Args:
        database: The file.
        queries: Its statements by name.
    """

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database, self._queries = database, queries

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
        query = self._queries["found_flow_runs"]
        found = self._rows(query, "flow_run", where, order, limit, offset, after)
        return [flow_run_row(values) for values in found]

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
        query = self._queries["found_task_runs"]
        found = self._rows(query, "task_run", where, order, limit, offset, after)
        return [task_run_row(values) for values in found]

    def logs(
        self,
        where: Where,
        *,
        descending: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position, in the order in which they were recorded."""
        text, values = _compiled("log", where)
        query = self._queries["found_logs"].format(
            where=text, direction=_direction(descending=descending)
        )
        found = self._database.read(query, [*values, limit, offset])
        return [(place, log_row(rest)) for place, *rest in found]

    def count(self, table: str, where: Where) -> int:
        """Return how many rows there are."""
        text, values = _compiled(table, where)
        query = self._queries["count"].format(table=table, where=text)
        return self._database.read(query, values)[0][0]

    def _rows(
        self,
        query: str,
        table: str,
        where: Where,
        order: Order,
        limit: int,
        offset: int,
        after: bytes | None,
    ) -> list[Any]:
        text, values = _compiled(table, where)
        field = _column(table, order.field)
        if after is not None:
            more, keys = _behind(table, order, field, after)
            text, values = f"{text} AND {more}", values + keys
        direction = _direction(descending=order.descending)
        by = dict.fromkeys((field, "id"))
        terms = ", ".join(f"{each} {direction}" for each in by)
        statement = query.format(where=text, terms=terms)
        return self._database.read(statement, [*values, limit, offset])


def _behind(table: str, order: Order, field: str, after: bytes) -> _Sql:
    """Return the condition on rows that come behind one in an order."""
    operator = "<" if order.descending else ">"
    if order.field == "id":
        return f"id {operator} ?", [after]
    key = f"(SELECT {field} FROM {table} WHERE id = ?)"  # noqa: S608 - names of our own
    is_null = "IS NOT NULL" if operator == ">" else "IS NULL"
    same = f"({field} IS {key} AND id {operator} ?)"
    nulls = (
        f"({key} IS NULL AND {field} {is_null})"
        if operator == ">"
        else f"({key} IS NOT NULL AND {field} {is_null})"
    )
    text = f"({field} {operator} {key} OR {same} OR {nulls})"
    return text, [after, after, after, after]


def _compiled(table: str, where: Where) -> _Sql:
    if not where.parts:
        return "TRUE", []
    parts = [_part(table, part) for part in where.parts]
    joined = (" OR " if where.is_or else " AND ").join(text for text, _ in parts)
    return f"({joined})", [value for _, values in parts for value in values]


def _part(table: str, part: Condition | Related | Where) -> _Sql:
    if isinstance(part, Where):
        return _compiled(table, part)
    if isinstance(part, Related):
        text, values = _compiled(part.table, part.where)
        inner = (
            f"SELECT {_column(part.table, part.other)} FROM {part.table} WHERE {text}"  # noqa: S608 - names of our own
        )
        return f"{_column(table, part.field)} IN ({inner})", values
    return _condition(_column(table, part.field), part)


def _condition(column: str, condition: Condition) -> _Sql:
    _, test, value = condition
    match test:
        case Relation.IN | Relation.NOT_IN:
            values = list(value)
            marks = ", ".join("?" * len(values))
            word = "IN" if test is Relation.IN else "NOT IN"
            return f"{column} {word} ({marks})", values
        case Relation.CONTAINS:
            return f"instr(lower({column}), lower(?)) > 0", [value]
        case Relation.IS_NULL:
            empty = f"({column} IS NULL OR {column} = '[]')"
            return (empty if value else f"NOT {empty}"), []
        case Relation.HAS_ALL | Relation.HAS_ANY:
            wanted = json.dumps(list(value), ensure_ascii=False)
            among = f"SELECT value FROM json_each(coalesce({column}, '[]'))"  # noqa: S608 - our own column
            if test is Relation.HAS_ALL:
                lacking = f"SELECT 1 FROM json_each(?) AS wanted WHERE wanted.value NOT IN ({among})"  # noqa: S608
                return f"NOT EXISTS ({lacking})", [wanted]
            shared = (
                f"SELECT 1 FROM json_each(?) AS wanted WHERE wanted.value IN ({among})"  # noqa: S608
            )
            return f"EXISTS ({shared})", [wanted]
        case _:
            return f"{column} {_OPERATORS[test]} ?", [value]


def _column(table: str, field: str) -> str:
    return _PLACES.get((table, field), field)


def _direction(*, descending: bool) -> str:
    return "DESC" if descending else "ASC"
