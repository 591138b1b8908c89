"""Checks that judge a table as a whole: its size, its columns, their types, and how full each load is."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

from caudal.model.checks import SAMPLE_LIMIT
from caudal.quality.checks import Check, Finding
from caudal.quality.sql import (
    fetch_value,
    quote_identifier,
    quote_table,
    read_columns,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caudal.quality.sql import Connection


@dataclass(frozen=True, slots=True)
class NotEmpty(Check):
    """The table has at least one row."""

    kind: ClassVar[str] = "not_empty"

    def examine(self, connection: Connection) -> Finding:
        """Count the rows."""
        query = f"SELECT COUNT(*) FROM {quote_table(self.table)}"  # noqa: S608 - names are quoted
        total = int(fetch_value(connection, query))
        return Finding(total > 0, f"{total:,} rows", "at least one row", None, total)


@dataclass(frozen=True, slots=True)
class RequiredColumns(Check):
    """The table has all the columns it should; further columns do no harm."""

    required: tuple[str, ...]
    kind: ClassVar[str] = "required_columns"

    def examine(self, connection: Connection) -> Finding:
        """Look for each column."""
        there = read_columns(connection, self.table)
        missing = [column for column in self.required if column not in there]
        observed = f"missing: {', '.join(missing)}" if missing else "all are there"
        return Finding(not missing, observed, ", ".join(self.required))


@dataclass(frozen=True, slots=True)
class ColumnTypes(Check):
    """Columns have the types they should, in the warehouse's own names for types."""

    types: Mapping[str, str]
    kind: ClassVar[str] = "column_types"

    def examine(self, connection: Connection) -> Finding:
        """Compare each column's type."""
        there = read_columns(connection, self.table)
        wrong = [
            f"{column} is {there.get(column, 'missing')}"
            for column, wanted in self.types.items()
            if there.get(column) != wanted.upper()
        ]
        expected = ", ".join(
            f"{column} {wanted}" for column, wanted in self.types.items()
        )
        return Finding(not wrong, ", ".join(wrong) or "all are right", expected)


@dataclass(frozen=True, slots=True)
class RowCountBand(Check):
    """Each load has about as many rows as the loads before it.

    A load is compared with the median of the loads before it. The first loads, which have too few before them,
    are not judged.
    """

    #: The column that says which load a row came with; loads follow each other in its order.
    load_column: str
    #: How far from the median a load may lie, as a share of the median.
    tolerance: float = field(default=0.5, kw_only=True)
    #: How many loads before it a load is compared with.
    history: int = field(default=8, kw_only=True)
    #: How many loads there must be before one is judged.
    minimum_history: int = field(default=4, kw_only=True)
    kind: ClassVar[str] = "row_count_band"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that says which load a row came with."""
        return (self.load_column,)

    def examine(self, connection: Connection) -> Finding:
        """Count the rows of each load and compare them."""
        load = quote_identifier(self.load_column)
        query = f"SELECT {load}, COUNT(*) FROM {quote_table(self.table)} GROUP BY {load} ORDER BY {load}"  # noqa: S608 - names are quoted
        loads = [
            (name, int(rows)) for name, rows in connection.execute(query).fetchall()
        ]
        outside = self._outside(loads)
        named = ", ".join(str(row["load"]) for row in outside[:SAMPLE_LIMIT])
        return Finding(
            passed=not outside,
            observed=f"{len(outside)} of {len(loads)} loads lie outside: {named}"
            if outside
            else f"all of {len(loads)} loads lie within",
            expected=f"each {self.load_column} within {self.tolerance:.0%} of the median of the {self.history} before it",
            failed_rows=sum(row["rows"] for row in outside),
            total_rows=sum(rows for _, rows in loads),
            sample=tuple(outside[:SAMPLE_LIMIT]),
        )

    def _outside(self, loads: list[tuple[Any, int]]) -> list[dict[str, Any]]:
        outside: list[dict[str, Any]] = []
        for index in range(self.minimum_history, len(loads)):
            load, rows = loads[index]
            middle = median(
                count for _, count in loads[max(0, index - self.history) : index]
            )
            low, high = middle * (1 - self.tolerance), middle * (1 + self.tolerance)
            if not low <= rows <= high:
                name = load if isinstance(load, int) else str(load)
                outside.append(
                    {"load": name, "rows": rows, "low": round(low), "high": round(high)}
                )
        return outside
