"""Checks that judge row by row, and the base that all checks share.

A row check is one SQL expression that is true for a row that breaks the rule. The same expression counts the
rows, samples them, and lets a pipeline move them to a quarantine table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from caudal.model.checks import SAMPLE_LIMIT, Severity
from caudal.quality.sql import (
    fetch_sample,
    fetch_value,
    number,
    quote_columns,
    quote_identifier,
    quote_table,
    split_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from typing import Any

    from caudal.quality.sql import Connection


class Finding(NamedTuple):
    """What a check saw, before its severity turns it into a status."""

    #: Whether the data keeps the rule.
    passed: bool
    observed: str
    expected: str
    failed_rows: int | None = None
    total_rows: int | None = None
    sample: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Check(ABC):
    """A rule that a table must keep."""

    #: ``"schema.table"``, or the parts of the name when one of them holds a dot.
    table: str | tuple[str, ...]
    severity: Severity = field(default=Severity.ERROR, kw_only=True)
    #: Its name; None lets `label` make one from the kind and the columns.
    name: str | None = field(default=None, kw_only=True)

    kind: ClassVar[str]

    @property
    def asset(self) -> str:
        """The table's name for people."""
        return ".".join(split_table(self.table))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the rule is about; empty when it is about the whole table."""
        return ()

    @property
    def label(self) -> str:
        """The check's name, unique within its table."""
        if self.name:
            return self.name
        return f"{self.kind}({', '.join(self.columns)})" if self.columns else self.kind

    @abstractmethod
    def examine(self, connection: Connection) -> Finding:
        """Look at the table."""


class RowCheck(Check):
    """A rule that each row keeps or breaks."""

    __slots__ = ()

    @property
    @abstractmethod
    def rule(self) -> str:
        """The rule in words, such as ``quantity > 0``."""

    @abstractmethod
    def failing_sql(self, alias: str) -> str:
        """Return the SQL expression that is true for a row that breaks the rule.

        It may hold window functions, so it belongs in a select list.

        Args:
            alias: The name under which the statement around it knows the table.
        """

    def examine(self, connection: Connection) -> Finding:
        """Count the rows that break the rule, and sample them."""
        source, failing = quote_table(self.table), self.failing_sql("t")
        judged = (
            f"SELECT CASE WHEN {failing} THEN 1 ELSE 0 END AS failed FROM {source} AS t"  # noqa: S608 - names are quoted
        )
        counts = f"SELECT COUNT(*), COALESCE(SUM(failed), 0) FROM ({judged}) AS judged"  # noqa: S608
        total, failed = map(int, connection.execute(counts).fetchone())
        sample: tuple[dict[str, Any], ...] = ()
        if failed:
            query = (
                f"SELECT * FROM (SELECT t.*, CASE WHEN {failing} THEN 1 ELSE 0 END AS failed__ FROM {source} AS t) AS judged "  # noqa: S608
                f"WHERE failed__ = 1 LIMIT {SAMPLE_LIMIT}"
            )
            sample = fetch_sample(connection, query)
            for row in sample:
                row.popitem()
        observed = (
            f"{failed:,} of {total:,} rows break it" if failed else "every row keeps it"
        )
        return Finding(not failed, observed, self.rule, failed, total, sample)


@dataclass(frozen=True, slots=True)
class NotNull(RowCheck):
    """A column has a value in every row."""

    column: str
    kind: ClassVar[str] = "not_null"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"{self.column} is not null"

    def failing_sql(self, alias: str) -> str:
        """True where the column is null."""
        return f"{alias}.{quote_identifier(self.column)} IS NULL"


@dataclass(frozen=True, slots=True)
class AcceptedRange(RowCheck):
    """A number lies within bounds. Null is left to `NotNull`.

    Raises:
        ValueError: There is no bound, or one is not finite.
    """

    column: str
    minimum: float | Decimal | None = None
    maximum: float | Decimal | None = None
    #: Whether the bounds themselves are refused.
    exclusive: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "accepted_range"

    def __post_init__(self) -> None:
        """Refuse bounds that could not be written as SQL."""
        if self.minimum is None and self.maximum is None:
            msg = f"an accepted range for {self.column!r} needs a minimum, a maximum or both."
            raise ValueError(msg)
        for _, bound in self._bounds(("", "")):
            number(bound)

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def rule(self) -> str:
        """The rule in words."""
        signs = (">", "<") if self.exclusive else (">=", "<=")
        return " and ".join(
            f"{self.column} {sign} {bound}" for sign, bound in self._bounds(signs)
        )

    def failing_sql(self, alias: str) -> str:
        """True where the value lies outside a bound."""
        value = f"{alias}.{quote_identifier(self.column)}"
        signs = ("<=", ">=") if self.exclusive else ("<", ">")
        parts = [
            f"{value} {sign} {number(bound)}" for sign, bound in self._bounds(signs)
        ]
        return f"({' OR '.join(parts)})"

    def _bounds(self, signs: tuple[str, str]) -> list[tuple[str, float | Decimal]]:
        bounds = zip(signs, (self.minimum, self.maximum), strict=True)
        return [(sign, bound) for sign, bound in bounds if bound is not None]


@dataclass(frozen=True, slots=True)
class RowCondition(RowCheck):
    """A condition holds for every row; a row for which it is null is left to `NotNull`."""

    #: The condition as SQL over the table's columns. It is run as it is: never build it from foreign text.
    condition: str
    kind: ClassVar[str] = "row_condition"

    @property
    def label(self) -> str:
        """The check's name, or its condition."""
        return self.name or f"{self.kind}({self.condition})"

    @property
    def rule(self) -> str:
        """The condition."""
        return self.condition

    def failing_sql(self, alias: str) -> str:  # noqa: ARG002 - the condition names columns only
        """True where the condition is false."""
        return f"(NOT ({self.condition}))"


@dataclass(frozen=True, slots=True)
class Unique(RowCheck):
    """No two rows have the same key; every row after a key's first one breaks the rule.

    Rows in which a part of the key is null are left to `NotNull`.
    """

    key: tuple[str, ...]
    kind: ClassVar[str] = "unique"

    @property
    def columns(self) -> tuple[str, ...]:
        """The key."""
        return self.key

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"one row for each ({', '.join(self.key)})"

    def failing_sql(self, alias: str) -> str:
        """True for a key's second row and all after it."""
        key = quote_columns(self.key, f"{alias}.")
        given = " AND ".join(
            f"{alias}.{quote_identifier(column)} IS NOT NULL" for column in self.key
        )
        return (
            f"({given} AND ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {key}) > 1)"
        )


@dataclass(frozen=True, slots=True)
class Relationship(RowCheck):
    """Every value of a column is known in another table. Null is left to `NotNull`."""

    column: str
    to_table: str | tuple[str, ...]
    to_column: str
    kind: ClassVar[str] = "relationship"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"{self.column} is in {'.'.join(split_table(self.to_table))}.{self.to_column}"

    def failing_sql(self, alias: str) -> str:
        """True where the other table does not know the value."""
        value, known = (
            f"{alias}.{quote_identifier(self.column)}",
            quote_identifier(self.to_column),
        )
        query = f"SELECT {known} FROM {quote_table(self.to_table)} WHERE {known} IS NOT NULL"  # noqa: S608 - names are quoted
        return f"({value} IS NOT NULL AND {value} NOT IN ({query}))"


@dataclass(frozen=True, slots=True)
class CustomSql(Check):
    """A query finds nothing: each row it returns is one failure."""

    #: The query, in the warehouse's own words. It is run as it is: never build it from foreign text.
    query: str
    #: The rule in words.
    rule: str
    kind: ClassVar[str] = "custom_sql"

    def examine(self, connection: Connection) -> Finding:
        """Count the rows the query returns, and sample them."""
        count = f"SELECT COUNT(*) FROM ({self.query}) AS failing"  # noqa: S608 - the author's own query
        failed = int(fetch_value(connection, count))
        sample: tuple[dict[str, Any], ...] = ()
        if failed:
            limited = f"SELECT * FROM ({self.query}) AS failing LIMIT {SAMPLE_LIMIT}"  # noqa: S608
            sample = fetch_sample(connection, limited)
        observed = f"{failed:,} rows break it" if failed else "nothing breaks it"
        return Finding(not failed, observed, self.rule, failed, None, sample)
