"""Validate: every rule the raw tables must keep, and the quarantine for rows that do not.

A failing check of severity ``error`` stops the pipeline. A failing row check of severity ``warn`` sends its rows to
``quarantine.<table>`` with the reason, and the pipeline goes on with the rest in ``validated.<table>``. Every row read is in
exactly one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from errors import AccountingError
from warehouse import TABLES, TRANSACTIONS, connect

from caudal.quality import (
    AcceptedRange,
    Check,
    CheckResult,
    ColumnTypes,
    CustomSql,
    NotEmpty,
    NotNull,
    Relationship,
    RequiredColumns,
    RowCheck,
    RowCondition,
    RowCountBand,
    Severity,
    Unique,
    quote_columns,
    run_checks,
    skip_checks,
)

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

#: Columns that identify a row of each table.
KEYS = {
    TRANSACTIONS: ("basket_id", "product_id"),
    "products": ("product_id",),
    "demographics": ("household_id",),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id",),
    "coupons": ("coupon_upc", "product_id", "campaign_id"),
    "coupon_redemptions": (
        "household_id",
        "coupon_upc",
        "campaign_id",
        "redemption_date",
    ),
}

#: Sales may lose at most this share of their rows to quarantine.
MAX_QUARANTINED_SHARE = 0.05

_SALES = f"raw.{TRANSACTIONS}"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Where the rows of one table went."""

    table: str
    read: int
    loaded: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Validation:
    """What validation found."""

    results: list[CheckResult]
    #: One entry for each table; empty when a check on the shape of the tables failed.
    counts: list[RowCounts]


def structure_checks() -> list[Check]:
    """Return the checks on the tables' shape, which all other checks build on."""
    checks: list[Check] = []
    for table, types in TABLES.items():
        name = f"raw.{table}"
        checks += [
            NotEmpty(name),
            RequiredColumns(name, tuple(types)),
            ColumnTypes(name, types),
        ]
    return checks


def row_checks(table: str) -> list[RowCheck]:
    """Return the checks that judge a table row by row."""
    name, key = f"raw.{table}", KEYS[table]
    checks: list[RowCheck] = [
        NotNull(name, column) for column in _required_values(table)
    ]
    # One coupon is delivered several times over for the same product; the copies carry nothing new.
    repeats = Severity.WARN if table == "coupons" else Severity.ERROR
    checks.append(Unique(name, key, severity=repeats))
    if table == TRANSACTIONS:
        checks += [
            AcceptedRange(name, "quantity", 0),
            AcceptedRange(name, "sales_value", 0),
            AcceptedRange(name, "retail_disc", 0),
            AcceptedRange(name, "coupon_disc", 0),
            AcceptedRange(name, "coupon_match_disc", 0),
            AcceptedRange(
                name,
                "quantity",
                0,
                exclusive=True,
                name="quantity above zero",
                severity=Severity.WARN,
            ),
            RowCondition(
                name,
                "sales_value + retail_disc + coupon_match_disc >= 0.005",
                name="shelf price above zero",
                severity=Severity.WARN,
            ),
            Relationship(
                name, "product_id", "raw.products", "product_id", severity=Severity.WARN
            ),
        ]
    return checks


def table_checks() -> list[Check]:
    """Return the checks on sales as a whole, run when quarantine is filled."""
    too_many = (
        "SELECT * FROM (SELECT (SELECT COUNT(*) FROM quarantine.transactions) AS quarantined, "
        f"(SELECT COUNT(*) FROM {_SALES}) AS rows_read) AS counts WHERE quarantined > {MAX_QUARANTINED_SHARE} * rows_read"
    )
    return [
        RowCountBand(_SALES, "week", severity=Severity.WARN),
        CustomSql(
            _SALES,
            too_many,
            f"at most {MAX_QUARANTINED_SHARE:.0%} of the rows are quarantined",
            name="quarantined share",
        ),
    ]


def validate(warehouse: Path) -> Validation:
    """Run every check and part the raw rows into validated and quarantined ones.

    When the shape of a table is wrong, the other checks are skipped and no rows are parted.
    """
    by_table = {table: row_checks(table) for table in TABLES}
    with connect(warehouse) as connection:
        results = run_checks(connection, structure_checks())
        if any(result.is_blocking for result in results):
            waiting = [*chain.from_iterable(by_table.values()), *table_checks()]
            return Validation(
                results + skip_checks(waiting, "the shape of the tables is wrong"), []
            )
        for checks in by_table.values():
            results += run_checks(connection, checks)
        counts = [
            part_rows(connection, table, checks) for table, checks in by_table.items()
        ]
        results += run_checks(connection, table_checks())
    return Validation(results, counts)


def part_rows(
    connection: duckdb.DuckDBPyConnection, table: str, checks: list[RowCheck]
) -> RowCounts:
    """Copy a raw table's rows into ``validated`` or, with the reasons, into ``quarantine``; return how many went where."""
    reasons = ", ".join(
        f"CASE WHEN {check.failing_sql('t')} THEN '{_quoted(check.label)}' END"
        for check in checks
    )
    columns = quote_columns(TABLES[table])
    connection.execute("BEGIN")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT t.*, concat_ws('; ', {reasons}) AS _reason FROM raw.{table} AS t"
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE quarantine.{table} AS SELECT * FROM judged WHERE _reason <> ''"
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE validated.{table} AS SELECT {columns} FROM judged WHERE _reason = ''"
    )
    connection.execute("DROP TABLE judged")
    connection.execute("COMMIT")
    return count_rows(connection, table)


def count_all_rows(warehouse: Path) -> list[RowCounts]:
    """Return for every table how many rows were read, loaded and quarantined.

    Raises:
        AccountingError: Rows read are not rows loaded plus rows quarantined.
    """
    with connect(warehouse) as connection:
        return [count_rows(connection, table) for table in TABLES]


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> RowCounts:
    """Return how many rows of a table were read when they landed, and where they are now.

    Raises:
        AccountingError: Rows are missing or there are too many.
    """
    row = connection.execute(
        "SELECT (SELECT COALESCE(SUM(row_count), 0)::BIGINT FROM raw._drops WHERE table_name = ?), "
        f"(SELECT COUNT(*) FROM validated.{table}), (SELECT COUNT(*) FROM quarantine.{table})",
        [table],
    ).fetchone()
    read, loaded, quarantined = row or (0, 0, 0)
    if read != loaded + quarantined:
        raise AccountingError(table, read, loaded, quarantined)
    return RowCounts(table, read, loaded, quarantined)


def _required_values(table: str) -> tuple[str, ...]:
    if table == TRANSACTIONS:
        return tuple(TABLES[table])
    return (
        *KEYS[table],
        *{
            "products": ("department",),
            "campaign_descriptions": ("start_date", "end_date"),
        }.get(table, ()),
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")
