"""Validate: what fails is found, kept apart, and accounted for."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
import validation
from errors import AccountingError
from warehouse import connect

from caudal.exceptions import CheckFailedError
from caudal.quality import raise_on_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import landing

    from caudal.quality import CheckResult
    from conftest import Source

    Land = Callable[[Path, Path], list[landing.Landed]]


def validated(source: Source, warehouse: Path, land: Land) -> validation.Validation:
    """Land a source and validate it."""
    land(source.write(), warehouse)
    return validation.validate(warehouse)


def by_status(found: validation.Validation, status: str) -> list[str]:
    """Return the names of the checks that ended in a status."""
    return [result.check for result in found.results if result.status == status]


def result_of(found: validation.Validation, check: str) -> CheckResult:
    """Return the result of a check on sales."""
    [result] = [
        result
        for result in found.results
        if result.check == check and result.asset == "raw.transactions"
    ]
    return result


def test_clean_data_passes_every_check(
    source: Source, warehouse: Path, land: Land
) -> None:
    """Nothing is in quarantine, and every row read is loaded."""
    found = validated(source, warehouse, land)

    assert {result.status for result in found.results} == {"pass"}
    assert all(count.read == count.loaded > 0 for count in found.counts)
    assert {count.quarantined for count in found.counts} == {0}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE transactions SET quantity = 0 WHERE {row}", "quantity above zero"),
        (
            "UPDATE transactions SET sales_value = 0, retail_disc = 0 WHERE {row}",
            "shelf price above zero",
        ),
        (
            "UPDATE transactions SET product_id = 999 WHERE {row}",
            "relationship(product_id)",
        ),
    ],
)
def test_dirty_rows_warn_and_go_to_quarantine(
    source: Source, warehouse: Path, land: Land, change: str, check: str
) -> None:
    """A row that fails is kept with the reason, the others are loaded, and the pipeline goes on."""
    row = "week = 3 AND store_id = 1 AND product_id = 101"
    found = validated(source.sql(change.format(row=row)), warehouse, land)

    assert by_status(found, "warn") == [check]
    raise_on_errors(found.results)
    sales = found.counts[0]
    assert sales.quarantined == result_of(found, check).failed_rows == 7 * 2
    assert sales.read == sales.loaded + sales.quarantined
    with connect(warehouse) as connection:
        reasons = connection.execute(
            "SELECT DISTINCT _reason FROM quarantine.transactions"
        ).fetchall()
    assert reasons == [(check,)]


def test_a_row_with_two_faults_is_quarantined_once_with_both_reasons(
    source: Source, warehouse: Path, land: Land
) -> None:
    """Rows are counted, not faults."""
    source.sql(
        "UPDATE transactions SET quantity = 0, product_id = 999 "
        "WHERE basket_id = (SELECT min(basket_id) FROM transactions) AND product_id = 100"
    )
    found = validated(source, warehouse, land)

    assert found.counts[0].quarantined == 1
    with connect(warehouse) as connection:
        reasons = connection.execute(
            "SELECT _reason FROM quarantine.transactions"
        ).fetchall()
    assert reasons == [("quantity above zero; relationship(product_id)",)]


def test_a_free_item_of_an_offer_is_no_fault(
    source: Source, warehouse: Path, land: Land
) -> None:
    """What the store gives away at a discount has a shelf price, so it is loaded."""
    source.sql(
        "UPDATE transactions SET retail_disc = sales_value, sales_value = 0 WHERE week = 3"
    )

    assert by_status(validated(source, warehouse, land), "warn") == []


def test_copies_of_a_coupon_are_quarantined_and_one_stays(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A table that repeats itself is loaded without the repetition."""
    found = validated(source.sql("INSERT INTO coupons FROM coupons"), warehouse, land)

    [coupons] = [count for count in found.counts if count.table == "coupons"]
    assert (coupons.read, coupons.loaded, coupons.quarantined) == (6, 3, 3)
    raise_on_errors(found.results)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (
            "UPDATE transactions SET quantity = -1 WHERE week = 3",
            "accepted_range(quantity)",
        ),
        (
            "UPDATE transactions SET sales_value = -1 WHERE week = 3",
            "accepted_range(sales_value)",
        ),
        (
            "UPDATE transactions SET household_id = NULL WHERE week = 3",
            "not_null(household_id)",
        ),
        (
            "INSERT INTO transactions SELECT * FROM transactions WHERE week = 3 LIMIT 2",
            "unique(basket_id, product_id)",
        ),
        ("INSERT INTO products SELECT * FROM products LIMIT 1", "unique(product_id)"),
        ("UPDATE transactions SET quantity = 0 WHERE week = 3", "quarantined share"),
        ("DELETE FROM demographics", "not_empty"),
    ],
)
def test_errors_stop_the_pipeline(
    source: Source, warehouse: Path, land: Land, change: str, check: str
) -> None:
    """A rule that downstream relies on blocks, and the error names the check."""
    found = validated(source.sql(change), warehouse, land)

    assert check in by_status(found, "fail")
    with pytest.raises(
        CheckFailedError, match="nothing downstream was started"
    ) as caught:
        raise_on_errors(found.results)
    assert check in str(caught.value)


def test_an_unusually_small_week_warns(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A week far below those before it is loaded, and somebody is told."""
    found = validated(
        source.sql("DELETE FROM transactions WHERE week = 6 AND product_id <> 100"),
        warehouse,
        land,
    )

    assert by_status(found, "warn") == ["row_count_band(week)"]
    assert result_of(found, "row_count_band(week)").sample[0]["load"] == 6


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("ALTER TABLE raw.transactions DROP COLUMN quantity", "required_columns"),
        ("ALTER TABLE raw.transactions ALTER quantity TYPE VARCHAR", "column_types"),
        ("DELETE FROM raw.transactions", "not_empty"),
    ],
)
def test_other_checks_are_skipped_when_the_shape_is_wrong(
    source: Source, warehouse: Path, land: Land, change: str, check: str
) -> None:
    """Checks that build on a table's shape are not tried, say so, and no row is parted."""
    land(source.write(), warehouse)
    with connect(warehouse) as connection:
        connection.execute(change)

    found = validation.validate(warehouse)

    assert check in by_status(found, "fail")
    assert "quantity above zero" in by_status(found, "skipped")
    assert found.counts == []
    with pytest.raises(CheckFailedError, match=check):
        raise_on_errors(found.results)


def test_lost_rows_are_noticed(source: Source, warehouse: Path, land: Land) -> None:
    """Rows read are rows loaded plus rows quarantined, or the pipeline ends with an error."""
    validated(source, warehouse, land)
    assert all(
        count.read == count.loaded + count.quarantined
        for count in validation.count_all_rows(warehouse)
    )
    with connect(warehouse) as connection:
        connection.execute("DELETE FROM validated.transactions WHERE week = 3")

    with pytest.raises(
        AccountingError, match=r"'transactions' does not add up: .* rows read, but"
    ) as caught:
        validation.count_all_rows(warehouse)

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own bytes


def test_validating_twice_finds_the_same(
    source: Source, warehouse: Path, land: Land
) -> None:
    """Validation leaves nothing behind that the next one would trip over."""
    first = validated(
        source.sql(
            "UPDATE transactions SET quantity = 0 WHERE week = 3 AND product_id = 101 AND store_id = 1"
        ),
        warehouse,
        land,
    )

    assert validation.validate(warehouse) == first
