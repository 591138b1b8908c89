"""Running checks, and stopping on those that block."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from caudal.exceptions import CheckFailedError
from caudal.quality import (
    AcceptedRange,
    CheckStatus,
    ColumnTypes,
    NotEmpty,
    NotNull,
    RequiredColumns,
    Severity,
    raise_on_errors,
    run_checks,
    skip_checks,
)

if TYPE_CHECKING:
    import duckdb

SALES = "raw.sales"


def test_severity_decides_what_a_failure_is(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """The same broken rule fails with one severity and warns with the other; only the first blocks."""
    fail, warn = run_checks(
        warehouse,
        [
            NotNull(SALES, "product_id"),
            NotNull(SALES, "product_id", severity=Severity.WARN),
        ],
    )

    assert (fail.status, fail.is_blocking) == (CheckStatus.FAIL, True)
    assert (warn.status, warn.is_blocking) == (CheckStatus.WARN, False)
    assert not warn.passed


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (NotNull(SALES, "colour"), "colour"),
        (NotEmpty("raw.absent"), "absent"),
        (RequiredColumns("raw.absent", ("id",)), "there is no table 'raw.absent'"),
        (ColumnTypes(("raw", ""), {"id": "BIGINT"}), "there is no table 'raw.'"),
        (NotEmpty(("raw", "")), "cannot be the name"),
    ],
    ids=["column", "table", "columns of a table", "types of a table", "name"],
)
def test_a_check_that_cannot_run_is_an_error_not_a_failure(
    warehouse: duckdb.DuckDBPyConnection, check: NotNull, said: str
) -> None:
    """Nothing is known about the data then: the status says so, the reason is given, and it blocks."""
    [result] = run_checks(warehouse, [check])

    assert result.status is CheckStatus.ERROR
    assert result.is_blocking
    assert said in result.message
    assert result.failed_rows is None


def test_one_check_that_cannot_run_does_not_stop_the_others(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Every check has a result, in the order in which they were given."""
    results = run_checks(warehouse, [NotEmpty("raw.absent"), NotEmpty(SALES)])

    assert [result.status for result in results] == ["error", "pass"]


def test_result_carries_everything_a_reader_needs(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A result names table, check and column, and its message says what was found and what was expected."""
    [result] = run_checks(
        warehouse, [AcceptedRange(SALES, "quantity", 1, severity=Severity.WARN)]
    )

    assert (result.asset, result.check, result.column) == (
        SALES,
        "accepted_range(quantity)",
        "quantity",
    )
    assert (result.kind, result.engine) == ("accepted_range", "sql")
    assert result.message == "2 of 5 rows break it; expected quantity >= 1"


def test_result_travels_as_json_and_by_pickle(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A result is made of plain values, so it can be stored and sent to another process."""
    [result] = run_checks(warehouse, [NotNull(SALES, "price")])

    assert json.loads(json.dumps(result.as_dict()))["status"] == "fail"
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own bytes


def test_masked_columns_are_hidden_in_samples(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Values of a masked column are not shown; the others are."""
    [result] = run_checks(
        warehouse, [NotNull(SALES, "price")], masked_columns={"basket"}
    )

    assert result.sample[0]["basket"] == "***"
    assert result.sample[0]["quantity"] == -4


def test_skipped_checks_say_why() -> None:
    """A check that was not tried has a result too, and does not block."""
    [result] = skip_checks([NotNull(SALES, "price")], "the table is empty")

    assert result.status is CheckStatus.SKIPPED
    assert result.message == "the table is empty"
    assert not result.is_blocking


def test_raise_on_errors_names_every_blocking_check(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """The error names tables, checks and counts, says what to do, and survives pickling."""
    results = run_checks(
        warehouse,
        [
            NotNull(SALES, "price"),
            NotNull(SALES, "sold_at", severity=Severity.WARN),
            NotEmpty("raw.absent"),
        ],
    )

    with pytest.raises(CheckFailedError) as caught:
        raise_on_errors(results)

    text = str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 - our own bytes
    assert (
        "2 checks of severity 'error' did not pass on 'raw.absent', 'raw.sales'" in text
    )
    assert "not_null(price) on raw.sales: 1 of 5 rows break it" in text
    assert "sold_at" not in text
    assert "Correct the data at its source" in text


def test_warnings_let_the_pipeline_go_on(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Nothing is raised when only warnings are among the results."""
    raise_on_errors(
        run_checks(warehouse, [NotNull(SALES, "price", severity=Severity.WARN)])
    )
