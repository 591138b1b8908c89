"""Checks that judge row by row."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from caudal.model.checks import SAMPLE_LIMIT
from caudal.quality import (
    AcceptedRange,
    CustomSql,
    NotNull,
    Relationship,
    RowCheck,
    RowCondition,
    Unique,
    run_checks,
)

if TYPE_CHECKING:
    import duckdb

SALES = "raw.sales"


@pytest.mark.parametrize(
    ("check", "failed", "expected"),
    [
        (NotNull(SALES, "product_id"), 1, "product_id is not null"),
        (NotNull(SALES, "basket"), 0, "basket is not null"),
        (AcceptedRange(SALES, "quantity", 0), 1, "quantity >= 0"),
        (AcceptedRange(SALES, "quantity", 0, exclusive=True), 2, "quantity > 0"),
        (AcceptedRange(SALES, "quantity", maximum=1), 1, "quantity <= 1"),
        (
            AcceptedRange(SALES, "price", Decimal("0.5"), 3, exclusive=True),
            2,
            "price > 0.5 and price < 3",
        ),
        (
            Unique(SALES, ("basket", "product_id")),
            1,
            "one row for each (basket, product_id)",
        ),
        (Unique(SALES, ("basket",)), 2, "one row for each (basket)"),
        (
            Relationship(SALES, "product_id", "raw.products", "product_id"),
            2,
            "product_id is in raw.products.product_id",
        ),
        (RowCondition(SALES, "price * quantity >= 0"), 1, "price * quantity >= 0"),
    ],
    ids=lambda value: value.label if isinstance(value, RowCheck) else None,
)
def test_counts_rows_that_break_the_rule(
    warehouse: duckdb.DuckDBPyConnection, check: RowCheck, failed: int, expected: str
) -> None:
    """Each check counts the rows that break it, and null is left to the check on nulls."""
    [result] = run_checks(warehouse, [check])

    assert (result.failed_rows, result.total_rows) == (failed, 5)
    assert result.expected == expected
    assert result.passed is (failed == 0)
    assert len(result.sample) == failed


def test_sample_shows_the_failing_rows_as_plain_values(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A sample holds the columns of the table and nothing else, in values that JSON can carry."""
    [result] = run_checks(warehouse, [AcceptedRange(SALES, "quantity", 0)])

    assert result.sample == (
        {
            "basket": 3,
            "product_id": None,
            "quantity": -4,
            "price": None,
            "sold_at": "2017-01-03 12:00:00",
        },
    )


def test_sample_is_small_however_many_rows_fail(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A table that is wrong throughout yields a short sample."""
    warehouse.execute(
        "CREATE TABLE raw.many AS SELECT -i AS amount FROM range(1, 101) AS r(i)"
    )

    [result] = run_checks(warehouse, [AcceptedRange("raw.many", "amount", 0)])

    assert result.failed_rows == 100
    assert len(result.sample) == SAMPLE_LIMIT


def test_an_empty_table_keeps_every_row_rule(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Where there are no rows, none breaks a rule."""
    warehouse.execute("DELETE FROM raw.sales")

    [result] = run_checks(warehouse, [NotNull(SALES, "basket")])

    assert result.passed
    assert (result.failed_rows, result.total_rows) == (0, 0)


def test_infinite_and_nan_values_are_sampled_as_text(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """JSON has no infinity, so a sample says it in words."""
    warehouse.execute("UPDATE raw.sales SET price = 'infinity' WHERE basket = 3")

    [result] = run_checks(warehouse, [AcceptedRange(SALES, "price", maximum=100)])

    assert result.sample[0]["price"] == "inf"


@pytest.mark.parametrize(
    "name", ['week"; DROP TABLE raw.sales; --', "select", "a b", "weird.name", "é"]
)
def test_odd_names_are_names_and_never_sql(
    warehouse: duckdb.DuckDBPyConnection, name: str
) -> None:
    """A column or table may have any name; it is quoted wherever it stands."""
    quoted = '"' + name.replace('"', '""') + '"'
    warehouse.execute(f"CREATE TABLE raw.{quoted} ({quoted} INTEGER)")
    warehouse.execute(f"INSERT INTO raw.{quoted} VALUES (1), (1), (NULL)")  # noqa: S608 - quoted above
    table = ("raw", name)

    results = run_checks(
        warehouse,
        [
            NotNull(table, name),
            Unique(table, (name,)),
            AcceptedRange(table, name, 2),
            Relationship(table, name, table, name),
        ],
    )

    assert [result.failed_rows for result in results] == [1, 1, 2, 0]
    assert warehouse.execute("SELECT COUNT(*) FROM raw.sales").fetchone() == (5,)


@pytest.mark.parametrize(
    "bounds", [(None, None), (float("nan"), None), (0, float("inf"))]
)
def test_a_range_needs_bounds_that_can_be_written(
    bounds: tuple[float | None, float | None],
) -> None:
    """A range without a finite bound is refused when it is declared."""
    with pytest.raises(ValueError, match=r"bound|minimum"):
        AcceptedRange(SALES, "quantity", *bounds)


def test_custom_sql_fails_for_each_row_it_returns(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A query finds what is wrong; its rows are the failures and the sample."""
    check = CustomSql(
        SALES,
        "SELECT basket, SUM(quantity)::BIGINT AS pieces FROM raw.sales GROUP BY basket HAVING SUM(quantity) < 2 ORDER BY basket",
        "every basket has two pieces",
        name="basket size",
    )

    [result] = run_checks(warehouse, [check])

    assert result.sample == ({"basket": 3, "pieces": -4},)
    assert (result.check, result.failed_rows, result.total_rows) == (
        "basket size",
        1,
        None,
    )


def test_custom_sql_passes_when_it_finds_nothing(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A query without rows is a rule that is kept."""
    [result] = run_checks(
        warehouse, [CustomSql(SALES, "SELECT 1 WHERE FALSE", "nothing")]
    )

    assert result.passed


def test_row_checks_run_on_any_db_api_connection() -> None:
    """The SQL and the calls are common ground, so another database answers alike."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sales (id INTEGER, quantity INTEGER)")
    connection.executemany(
        "INSERT INTO sales VALUES (?, ?)", [(1, 5), (1, 0), (None, 3)]
    )

    results = run_checks(
        connection,
        [
            NotNull("sales", "id"),
            Unique("sales", ("id",)),
            AcceptedRange("sales", "quantity", 0, exclusive=True),
            RowCondition("sales", "quantity < 5"),
            Relationship("sales", "id", "sales", "id"),
        ],
    )
    connection.close()

    assert [result.failed_rows for result in results] == [1, 1, 1, 1, 0]
