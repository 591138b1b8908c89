"""Transform: the dbt project's marts, compared with what plain Python makes of the same rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from warehouse import connect, fetch_dicts

if TYPE_CHECKING:
    from pathlib import Path


def rows_of(warehouse: Path, query: str) -> list[dict[str, Any]]:
    """Return a query's rows."""
    with connect(warehouse) as connection:
        return fetch_dicts(connection, query)


@pytest.fixture(scope="module")
def lines(built: Path) -> list[dict[str, Any]]:
    """Return the validated rows of sales."""
    return rows_of(built, "SELECT * FROM validated.transactions")


def test_total_is_quantity_times_unit_price(built: Path) -> None:
    """The shelf price counts what the store took off itself, so total less discount is what it received."""
    rows = rows_of(
        built,
        "SELECT * FROM staging.stg_transactions WHERE quantity > 1 AND discount > 0 LIMIT 50",
    )

    assert len(rows) == 50
    for row in rows:
        assert row["total"] == round(Decimal(row["quantity"] * row["unit_price"]), 2)
        assert row["total"] - row["discount"] == row["sales"]


def test_quarantined_rows_do_not_reach_staging(
    built: Path, lines: list[dict[str, Any]]
) -> None:
    """Staging holds the validated rows and no others."""
    [row] = rows_of(
        built,
        "SELECT count(*) AS n, min(quantity) AS least FROM staging.stg_transactions",
    )

    assert (row["n"], row["least"]) == (len(lines), 1)
    assert (
        rows_of(built, "SELECT count(*) AS n FROM raw.transactions")[0]["n"]
        == len(lines) + 14
    )


def test_days_turn_at_midnight_in_the_stores_time_zone(built: Path) -> None:
    """A sale at 23:00 in New York is of that day, though the source's clock says the next, in winter and in summer."""
    tickets = rows_of(
        built, "SELECT basket_id, sold_on, month, weekday FROM marts.tickets"
    )

    assert len(tickets) > 1000
    for ticket in tickets:
        day = date(2017, 1, 1) + timedelta(days=ticket["basket_id"] // 100)
        assert (ticket["sold_on"], ticket["month"], ticket["weekday"]) == (
            day,
            f"{day:%Y-%m}",
            f"{day:%A}",
        )


def test_sales_mart_has_every_store_department_and_week(
    built: Path, lines: list[dict[str, Any]]
) -> None:
    """Each row adds up the lines of its store, department and week, to the cent."""
    names = {
        row["product_id"]: row["department"]
        for row in rows_of(built, "SELECT * FROM staging.stg_products")
    }
    expected: dict[tuple[int, str, int], Decimal] = defaultdict(Decimal)
    for line in lines:
        expected[line["store_id"], names[line["product_id"]], line["week"]] += Decimal(
            str(line["sales_value"])
        )

    mart = rows_of(built, "SELECT * FROM marts.sales_by_store_department_week")

    assert {
        (row["store_id"], row["department"], row["week"]): row["sales"] for row in mart
    } == expected


def test_the_first_day_of_the_year_is_no_full_week(built: Path) -> None:
    """Week 1 is a single Sunday; every other week has seven days."""
    rows = rows_of(
        built,
        "SELECT DISTINCT week, is_full_week FROM marts.sales_by_store_department_week ORDER BY week",
    )

    assert [row["week"] for row in rows if not row["is_full_week"]] == [1]
    assert len(rows) == 40


@pytest.mark.parametrize(
    ("size", "condition"),
    [
        ("low", "sales < 10"),
        ("medium", "sales >= 10 AND sales < 30"),
        ("high", "sales >= 30 AND sales < 75"),
        ("very high", "sales >= 75"),
    ],
)
def test_ticket_sizes_part_tickets_by_what_was_paid(
    built: Path, size: str, condition: str
) -> None:
    """A ticket's class says between which limits its sales lie."""
    wrong = (
        f"SELECT * FROM marts.tickets WHERE (ticket_size = '{size}') <> ({condition})"  # noqa: S608 - fixed text
    )

    [row] = rows_of(
        built,
        f"SELECT count(*) AS n FROM marts.tickets WHERE {condition}",  # noqa: S608
    )
    assert row["n"] > 0
    assert rows_of(built, wrong) == []


def test_a_ticket_adds_up_its_lines(built: Path, lines: list[dict[str, Any]]) -> None:
    """One row for each ticket, with the sum of what is on it."""
    expected: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        expected[line["basket_id"]] += Decimal(str(line["sales_value"]))

    tickets = rows_of(built, "SELECT * FROM marts.tickets")

    assert {row["basket_id"]: row["sales"] for row in tickets} == expected


def test_customers_have_recency_frequency_and_monetary_value(built: Path) -> None:
    """Recency counts from the last day of all, frequency counts tickets, monetary value is what was paid."""
    of: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(built, "SELECT household_id, sold_on, sales FROM marts.tickets"):
        of[row["household_id"]].append(row)

    last = max(ticket["sold_on"] for tickets in of.values() for ticket in tickets)

    customers = rows_of(built, "SELECT * FROM marts.customers")

    assert len(customers) == len(of)
    for customer in customers:
        tickets = of[customer["household_id"]]
        assert (
            customer["recency_days"]
            == (last - max(ticket["sold_on"] for ticket in tickets)).days
        )
        assert customer["frequency"] == len(tickets)
        assert customer["monetary_value"] == sum(ticket["sales"] for ticket in tickets)
        assert {
            customer[f"{part}_score"] for part in ("recency", "frequency", "monetary")
        } <= {1, 2, 3, 4, 5}


def test_lift_compares_growth_with_that_of_other_households(built: Path) -> None:
    """Targeted households' growth over the others', from the four weeks before a campaign to its four weeks."""
    starts, days = date(2017, 3, 1), timedelta(days=28)
    sums: dict[tuple[bool, bool], Decimal] = defaultdict(Decimal)
    for row in rows_of(built, "SELECT household_id, sold_on, sales FROM marts.tickets"):
        if starts - days <= row["sold_on"] < starts + days:
            sums[row["household_id"] <= 7, row["sold_on"] >= starts] += row["sales"]
    target, other = (
        float(sums[group, True] / sums[group, False]) for group in (True, False)
    )

    first, second = rows_of(
        built, "SELECT * FROM marts.campaign_lift ORDER BY campaign_id"
    )

    assert first["lift"] == pytest.approx(target / other - 1, abs=1e-4)
    assert (first["observed_days"], first["target_households"]) == (28, 7)
    assert (
        first["redemptions"],
        first["redeeming_households"],
        first["coupon_products"],
    ) == (1, 1, 3)
    assert second["lift"] is None, "it began before there was enough to compare with"
