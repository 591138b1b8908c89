"""Compute: a weekly demand forecast for each department of a store, and how good such forecasts would have been.

Demand is measured in dollars of sales, so that departments and stores add up; pieces do not, since fuel is counted in
thousandths of a gallon. The forecast is the mean of three models of statsforecast. A backtest makes the same forecast at
four points in the past, knowing only what was known then, and compares it with what came. Beside it stand two
baselines: the last week's value (naive) and the mean of the last eight weeks.

statsforecast was chosen by measurement; the README has the figures. It is imported when the first store is computed, because
that takes a second that only the processes that compute should spend.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import connect, fetch_dicts, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

#: Weeks that are forecast.
HORIZON_WEEKS = 4
#: Points in the past at which the backtest forecasts.
BACKTEST_WINDOWS = 4
#: A department of a store is forecast when it sold something in this share of the full weeks ...
MIN_WEEKS_SHARE = 0.9
#: ... and there are at least as many full weeks as the backtest needs, with as many before it to learn from.
MIN_FULL_WEEKS = 2 * HORIZON_WEEKS * BACKTEST_WINDOWS

_MODELS = ("AutoETS", "CES", "SESOpt")
_NAIVE, _AVERAGE = "Naive", "WindowAverage"


@dataclass(frozen=True, slots=True)
class StoreHistory:
    """What one store sold: all that its forecast needs, small enough to send to another process."""

    store_id: int
    #: Weeks of the year, without gaps.
    weeks: list[int]
    #: Dollars sold in each of the weeks, by department.
    sales: dict[str, list[float]]
    #: Version of the library and digest of this module: a cached forecast made another way is not used.
    recipe: str


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """One week of one department: what was forecast and, when it is over, what came."""

    department: str
    week: int
    forecast: float
    naive: float
    average: float
    #: None for a week that is still to come.
    actual: float | None = None


@dataclass(frozen=True, slots=True)
class Errors:
    """Sums of absolute errors in dollars, and of what was sold."""

    forecast: float = 0.0
    naive: float = 0.0
    average: float = 0.0
    actual: float = 0.0

    def __add__(self, other: Errors) -> Errors:
        """Add up the errors of two stores."""
        return Errors(
            self.forecast + other.forecast,
            self.naive + other.naive,
            self.average + other.average,
            self.actual + other.actual,
        )

    def share(self, error: float) -> float:
        """Return an error as a share of what was sold (WAPE); 0 when nothing was."""
        return error / self.actual if self.actual else 0.0


@dataclass(frozen=True, slots=True)
class StoreForecast:
    """A store's backtest and forecast."""

    store_id: int
    backtest: list[ForecastPoint]
    future: list[ForecastPoint]

    @property
    def errors(self) -> Errors:
        """The backtest's errors over all departments and weeks."""
        judged = [
            (point, point.actual) for point in self.backtest if point.actual is not None
        ]
        return Errors(
            sum(abs(actual - point.forecast) for point, actual in judged),
            sum(abs(actual - point.naive) for point, actual in judged),
            sum(abs(actual - point.average) for point, actual in judged),
            sum(actual for _, actual in judged),
        )


def read_histories(warehouse: Path) -> list[StoreHistory]:
    """Return the history of every store that has enough of it, biggest store first.

    Big stores first, so that no process is left with a long one at the end.
    """
    query = (
        "SELECT store_id, department, week, sales::DOUBLE AS sales FROM marts.sales_by_store_department_week "
        "WHERE is_full_week ORDER BY store_id, department, week"
    )
    with connect(warehouse) as connection:
        rows = fetch_dicts(connection, query)
    if not rows:
        return []
    weeks = list(
        range(min(row["week"] for row in rows), max(row["week"] for row in rows) + 1)
    )
    stores: dict[int, dict[str, dict[int, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in rows:
        stores[row["store_id"]][row["department"]][row["week"]] = row["sales"]
    histories = [
        _history(store_id, weeks, departments)
        for store_id, departments in stores.items()
    ]
    enough = [
        history
        for history in histories
        if history.sales and len(weeks) >= MIN_FULL_WEEKS
    ]
    return sorted(enough, key=lambda history: (-len(history.sales), history.store_id))


def forecast_store(history: StoreHistory) -> StoreForecast:
    """Return a store's backtest and its forecast for the next weeks."""
    from statsforecast import StatsForecast  # noqa: PLC0415 - see the module's text
    from statsforecast.models import (  # noqa: PLC0415
        AutoCES,
        AutoETS,
        Naive,
        SimpleExponentialSmoothingOptimized,
        WindowAverage,
    )

    # A year of weeks shows no yearly season twice, so none is looked for.
    models = [
        AutoETS(season_length=1),
        AutoCES(season_length=1, model="N"),
        SimpleExponentialSmoothingOptimized(),
        Naive(),
        WindowAverage(window_size=2 * HORIZON_WEEKS),
    ]
    frame = _frame(history)
    forecaster = StatsForecast(models=models, freq=1)
    past = forecaster.cross_validation(
        df=frame, h=HORIZON_WEEKS, n_windows=BACKTEST_WINDOWS, step_size=HORIZON_WEEKS
    )
    coming = forecaster.forecast(df=frame, h=HORIZON_WEEKS)
    return StoreForecast(history.store_id, _points(past), _points(coming))


def total_errors(forecasts: Iterable[StoreForecast]) -> Errors:
    """Return the backtest's errors over all stores."""
    return sum((forecast.errors for forecast in forecasts), start=Errors())


def save_forecasts(forecasts: list[StoreForecast], warehouse: Path) -> None:
    """Write all forecasts, and each store's backtest error, as two marts in one transaction."""
    points = [
        (
            store.store_id,
            point.department,
            point.week,
            point.actual is None,
            point.actual,
            point.forecast,
            point.naive,
            point.average,
        )
        for store in forecasts
        for point in (*store.backtest, *store.future)
    ]
    scores = [
        (
            store.store_id,
            errors.share(errors.forecast),
            errors.share(errors.naive),
            errors.share(errors.average),
            errors.actual,
        )
        for store in forecasts
        for errors in [store.errors]
    ]
    with connect(warehouse) as connection:
        connection.execute("BEGIN")
        connection.execute(
            "CREATE OR REPLACE TABLE marts.demand_forecast (store_id BIGINT, department VARCHAR, week BIGINT, is_future BOOLEAN, "
            "actual DECIMAL(14, 2), forecast DECIMAL(14, 2), naive DECIMAL(14, 2), average DECIMAL(14, 2))"
        )
        connection.execute(
            "CREATE OR REPLACE TABLE marts.forecast_error (store_id BIGINT, forecast_wape DECIMAL(9, 4), naive_wape DECIMAL(9, 4), "
            "average_wape DECIMAL(9, 4), sales DECIMAL(14, 2))"
        )
        insert_rows(connection, "marts.demand_forecast", points)
        insert_rows(connection, "marts.forecast_error", scores)
        connection.execute("COMMIT")


def _history(
    store_id: int, weeks: list[int], departments: dict[str, dict[int, float]]
) -> StoreHistory:
    sales = {
        department: [sold.get(week, 0.0) for week in weeks]
        for department, sold in departments.items()
        if len(sold) >= MIN_WEEKS_SHARE * len(weeks)
    }
    return StoreHistory(store_id, weeks, sales, _recipe())


@cache
def _recipe() -> str:
    return f"statsforecast {version('statsforecast')}, {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


def _frame(history: StoreHistory) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - needed only with statsforecast

    rows = [
        (department, week, value)
        for department, values in history.sales.items()
        for week, value in zip(history.weeks, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "y"])


def _points(frame: pd.DataFrame) -> list[ForecastPoint]:
    return [_point(row) for row in frame.to_dict(orient="records")]


def _point(row: dict[Any, Any]) -> ForecastPoint:
    mean = sum(float(row[model]) for model in _MODELS) / len(_MODELS)
    return ForecastPoint(
        department=str(row["unique_id"]),
        week=int(row["ds"]),
        forecast=round(max(mean, 0.0), 2),
        naive=round(float(row[_NAIVE]), 2),
        average=round(float(row[_AVERAGE]), 2),
        actual=round(float(row["y"]), 2) if "y" in row else None,
    )
