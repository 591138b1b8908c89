"""Checks that judge a table as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.quality import (
    ColumnTypes,
    NotEmpty,
    RequiredColumns,
    RowCountBand,
    Severity,
    run_checks,
)

if TYPE_CHECKING:
    import duckdb

SALES = "raw.sales"


def test_not_empty_wants_one_row(warehouse: duckdb.DuckDBPyConnection) -> None:
    """A table with rows passes, one without fails."""
    warehouse.execute("CREATE TABLE raw.nothing (id INTEGER)")

    full, empty = run_checks(warehouse, [NotEmpty(SALES), NotEmpty("raw.nothing")])

    assert full.passed
    assert full.observed == "5 rows"
    assert not empty.passed


def test_required_columns_names_those_missing(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """The result says which columns are missing; surplus ones do no harm."""
    good, bad = run_checks(
        warehouse,
        [
            RequiredColumns(SALES, ("basket", "price")),
            RequiredColumns(SALES, ("basket", "colour", "shape")),
        ],
    )

    assert good.passed
    assert bad.observed == "missing: colour, shape"


def test_column_types_names_those_wrong(warehouse: duckdb.DuckDBPyConnection) -> None:
    """The result says which column has which type; upper and lower case are the same."""
    good, bad = run_checks(
        warehouse,
        [
            ColumnTypes(SALES, {"basket": "bigint", "price": "DOUBLE"}),
            ColumnTypes(SALES, {"price": "BIGINT", "colour": "VARCHAR"}),
        ],
    )

    assert good.passed
    assert bad.observed == "price is DOUBLE, colour is missing"
    assert bad.expected == "price BIGINT, colour VARCHAR"


def test_columns_of_another_schema_are_not_taken_for_the_tables(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Tables of one name in two schemas are told apart, and a name alone means the current schema."""
    warehouse.execute("CREATE TABLE sales (other INTEGER)")

    raw, current = run_checks(
        warehouse,
        [RequiredColumns(SALES, ("other",)), RequiredColumns("sales", ("other",))],
    )

    assert not raw.passed
    assert current.passed


def load_weeks(warehouse: duckdb.DuckDBPyConnection, counts: list[int]) -> None:
    """Make a table with a number of rows for each week."""
    warehouse.execute("CREATE TABLE raw.weekly (week INTEGER)")
    for week, rows in enumerate(counts, start=1):
        warehouse.execute("INSERT INTO raw.weekly SELECT ? FROM range(?)", [week, rows])


def test_row_count_band_finds_loads_unlike_those_before(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A week with half or twice the usual rows is outside; the sample says what was usual."""
    load_weeks(warehouse, [100, 104, 98, 101, 99, 40, 103, 210, 100])

    [result] = run_checks(
        warehouse, [RowCountBand("raw.weekly", "week", severity=Severity.WARN)]
    )

    assert result.sample == (
        {"load": 6, "rows": 40, "low": 50, "high": 150},
        {"load": 8, "rows": 210, "low": 50, "high": 150},
    )
    assert result.failed_rows == 250
    assert result.status == "warn"


def test_row_count_band_does_not_judge_without_history(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A first week of one day is no reason to warn, nor are the weeks compared with it."""
    load_weeks(warehouse, [9, 100, 102, 98, 101])

    [result] = run_checks(warehouse, [RowCountBand("raw.weekly", "week")])

    assert result.passed
    assert result.observed == "all of 5 loads lie within"


def test_row_count_band_of_an_empty_table_passes(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Where nothing was loaded there is nothing to compare; that is for another check to say."""
    load_weeks(warehouse, [])

    assert run_checks(warehouse, [RowCountBand("raw.weekly", "week")])[0].passed
