"""The little SQL that checks share: a connection's shape, quoting, and reading rows as dictionaries.

Everything here is standard SQL that DuckDB, PostgreSQL and Snowflake understand. Names are always quoted, so a
column may have any name and a name can never become SQL. Snowflake folds unquoted names to upper case when a
table is made: give such names to checks in upper case.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Cursor(Protocol):
    """The answer to a statement, as DB-API 2.0 gives it."""

    @property
    def description(self) -> Any:
        """One tuple for each column; its name comes first."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> Any:
        """Return all rows that are left."""
        ...


class Connection(Protocol):
    """What checks need of a warehouse: a DuckDB connection, or the cursor of a DB-API driver with ``?`` parameters."""

    def execute(self, query: str, parameters: Any = ..., /) -> Cursor:
        """Run one statement and return its rows."""
        ...


def quote_identifier(name: str) -> str:
    """Return a name in double quotes, so that it can stand anywhere in a statement."""
    if not name or "\0" in name:
        msg = f"{name!r} cannot be the name of a table or column. Give a name that is not empty and has no NUL in it."
        raise ValueError(msg)
    return '"' + name.replace('"', '""') + '"'


def split_table(table: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a table's name; text is split at its dots, a tuple is taken as it is."""
    return table if isinstance(table, tuple) else tuple(table.split("."))


def quote_table(table: str | tuple[str, ...]) -> str:
    """Return a table's name with every part quoted."""
    return ".".join(map(quote_identifier, split_table(table)))


def quote_columns(columns: Iterable[str], prefix: str = "") -> str:
    """Return quoted column names, separated by commas.

    Args:
        columns: The names.
        prefix: What to put before each, such as ``"t."``.
    """
    return ", ".join(prefix + quote_identifier(column) for column in columns)


def number(value: float | Decimal) -> str:
    """Return a number as SQL writes it.

    Raises:
        ValueError: The number is not finite.
    """
    if not math.isfinite(value):
        msg = f"{value!r} cannot be the bound of a range. Leave the bound out instead."
        raise ValueError(msg)
    return str(value)


def fetch_value(
    connection: Connection, query: str, parameters: Sequence[Any] = ()
) -> Any:
    """Return the first column of a statement's only row."""
    return connection.execute(query, list(parameters)).fetchone()[0]


def fetch_sample(connection: Connection, query: str) -> tuple[dict[str, Any], ...]:
    """Return a statement's rows as dictionaries of plain values; the statement limits its rows itself."""
    cursor = connection.execute(query)
    names = [str(column[0]) for column in cursor.description]
    rows = cast("list[tuple[Any, ...]]", cursor.fetchall())
    return tuple(dict(zip(names, map(_plain, row), strict=True)) for row in rows)


def read_columns(
    connection: Connection, table: str | tuple[str, ...]
) -> dict[str, str]:
    """Return the columns of a table and their types, upper case, in order.

    Raises:
        LookupError: There is no such table.
    """
    parts = split_table(table)
    names = ("table_name", "table_schema", "table_catalog")
    wanted = dict(zip(names, reversed(parts), strict=False))
    where = " AND ".join(f"{name} = ?" for name in wanted)
    if len(parts) == 1:
        where += " AND table_schema = current_schema()"
    query = f"SELECT column_name, data_type FROM information_schema.columns WHERE {where} ORDER BY ordinal_position"  # noqa: S608 - fixed names
    rows = connection.execute(query, list(wanted.values())).fetchall()
    if not rows:
        msg = f"there is no table {'.'.join(parts)!r}"
        raise LookupError(msg)
    return {str(name): str(kind).upper() for name, kind in rows}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)
