"""Compute: forecasts of stores with enough history, judged by a backtest."""

from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING

import forecasting
import pytest
from forecasting import Errors, ForecastPoint, StoreForecast, StoreHistory
from warehouse import connect, fetch_dicts

if TYPE_CHECKING:
    from pathlib import Path

WEEKS = list(range(2, 42))


def history(**sales: list[float]) -> StoreHistory:
    """Return a store's history over forty weeks."""
    return StoreHistory(7, WEEKS, sales, "recipe")


def test_only_stores_and_departments_with_enough_history_are_forecast(
    built: Path,
) -> None:
    """Full weeks count; a store that opened late has too few, and is left out."""
    histories = forecasting.read_histories(built)

    assert [item.store_id for item in histories] == [1, 2]
    assert histories[0].weeks == list(range(2, 41))
    assert set(histories[0].sales) == {"GROCERY", "PRODUCE", "DELI"}
    assert all(len(values) == 39 for values in histories[0].sales.values())


def test_history_holds_what_the_mart_holds(built: Path) -> None:
    """A week's value is the mart's, and a week in which nothing was sold is zero."""
    second = forecasting.read_histories(built)[1]

    with connect(built) as connection:
        rows = fetch_dicts(
            connection,
            "SELECT week, sales::DOUBLE AS sales FROM marts.sales_by_store_department_week WHERE store_id = 2 AND department = 'PRODUCE' AND is_full_week",
        )
        gaps = fetch_dicts(
            connection,
            "SELECT count(*) AS n FROM marts.sales_by_store_department_week WHERE store_id = 2 AND department = 'PRODUCE' AND week = 9",
        )
    expected = {row["week"]: row["sales"] for row in rows}
    values = dict(zip(second.weeks, second.sales["PRODUCE"], strict=True))
    assert gaps == [{"n": 0}]
    assert values == {week: expected.get(week, 0.0) for week in second.weeks}


def test_too_few_weeks_make_no_forecast(source: object, warehouse: Path) -> None:
    """Without marts of enough weeks there is nothing to forecast, and nothing fails."""
    del source
    warehouse.parent.mkdir()
    with connect(warehouse) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.sales_by_store_department_week AS SELECT 1 AS store_id, 'DELI' AS department, week, 5.0 AS sales, "
            "true AS is_full_week FROM range(2, 9) AS r(week)"
        )

    assert forecasting.read_histories(warehouse) == []
    assert forecasting.total_errors([]).share(0) == 0


def test_a_steady_department_is_forecast_exactly() -> None:
    """A series that never changes has no error, in the past and in the future."""
    forecast = forecasting.forecast_store(history(DELI=[50.0] * 40))

    assert [(point.week, point.forecast) for point in forecast.future] == [
        (week, 50.0) for week in range(42, 46)
    ]
    assert [point.week for point in forecast.backtest] == list(range(26, 42))
    assert forecast.errors == Errors(0, 0, 0, 16 * 50.0)


def test_backtest_knows_only_what_was_known_then() -> None:
    """A jump in the last weeks does not reach the forecasts made before it."""
    calm = forecasting.forecast_store(history(DELI=[50.0] * 40))
    jump = forecasting.forecast_store(history(DELI=[50.0] * 36 + [500.0] * 4))

    assert [point.forecast for point in jump.backtest[:16]] == [
        point.forecast for point in calm.backtest[:16]
    ]
    assert jump.errors.forecast == pytest.approx(4 * 450)


def test_naive_forecast_is_the_last_week_known() -> None:
    """The baseline repeats the value before the forecast, and the mean takes eight weeks."""
    values = [float(week % 10) for week in range(40)]
    forecast = forecasting.forecast_store(history(DELI=values))

    assert {point.naive for point in forecast.future} == {values[-1]}
    assert {point.average for point in forecast.future} == {sum(values[-8:]) / 8}


def test_forecasts_are_never_negative() -> None:
    """Nobody sells less than nothing."""
    falling = [max(0.0, 400.0 - 12 * week) for week in range(40)]

    forecast = forecasting.forecast_store(history(DELI=falling))

    assert min(point.forecast for point in (*forecast.future, *forecast.backtest)) >= 0


def test_the_same_history_gives_the_same_forecast() -> None:
    """A forecast depends on its input alone, so that a cached one is as good."""
    wave = [100.0 + 30 * (week % 5) for week in range(40)]

    first, second = (
        forecasting.forecast_store(history(DELI=wave, MEAT=wave[::-1]))
        for _ in range(2)
    )

    assert first == second
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - our own bytes


def test_errors_add_up_over_stores() -> None:
    """The overall error weighs each store by what it sold."""
    big = StoreForecast(1, [ForecastPoint("DELI", 40, 90.0, 50.0, 80.0, 100.0)], [])
    small = StoreForecast(2, [ForecastPoint("DELI", 40, 20.0, 10.0, 10.0, 10.0)], [])

    errors = forecasting.total_errors([big, small])

    assert errors == Errors(20, 50, 20, 110)
    assert errors.share(errors.forecast) == pytest.approx(20 / 110)


def test_history_says_how_its_forecast_is_made(built: Path) -> None:
    """Another version of the library or of the code makes another input, so a cache does not answer for it."""
    recipe = forecasting.read_histories(built)[0].recipe

    assert recipe.startswith("statsforecast ")
    assert len(recipe.split(", ")[1]) == 64


def test_saved_forecasts_are_marts(built: Path, tmp_path: Path) -> None:
    """Every point and every store's error can be queried, and saving again replaces them."""
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(built, warehouse)
    forecasts = [
        forecasting.forecast_store(item)
        for item in forecasting.read_histories(warehouse)
    ]

    forecasting.save_forecasts(forecasts, warehouse)
    forecasting.save_forecasts(forecasts, warehouse)

    with connect(warehouse) as connection:
        points = fetch_dicts(connection, "SELECT * FROM marts.demand_forecast")
        errors = fetch_dicts(
            connection, "SELECT * FROM marts.forecast_error ORDER BY store_id"
        )
    assert len(points) == 2 * 3 * (16 + 4)
    assert {point["actual"] is None for point in points if point["is_future"]} == {True}
    assert [row["store_id"] for row in errors] == [1, 2]


def test_no_forecasts_make_empty_marts(built: Path, tmp_path: Path) -> None:
    """Downstream finds the tables it expects even when no store could be forecast."""
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(built, warehouse)

    forecasting.save_forecasts([], warehouse)

    with connect(warehouse) as connection:
        assert fetch_dicts(connection, "SELECT * FROM marts.demand_forecast") == []
