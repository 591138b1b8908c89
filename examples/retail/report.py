"""Report: one HTML page that shows what was sold, what is expected, what the checks found and how the run went.

The page is self-contained: it opens from a disk, in a mail and on a phone, and asks no server for anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import charts
from charts import Bar, Line, Row, Span
from exporting import replace_text
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from warehouse import connect, fetch_dicts

from caudal.quality import CheckResult, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

#: Stores whose forecast is drawn: the biggest ones.
STORES_SHOWN = 3

_SIZE_COLORS = {
    "low": charts.SKY,
    "medium": charts.BLUE,
    "high": charts.GREEN,
    "very high": charts.ORANGE,
}
_STATE_COLORS = {"Completed": charts.BLUE, "Cached": charts.SKY}
_STATUS_ORDER = [
    CheckStatus.ERROR,
    CheckStatus.FAIL,
    CheckStatus.WARN,
    CheckStatus.SKIPPED,
    CheckStatus.PASS,
]


@dataclass(frozen=True, slots=True)
class StorePlot:
    """The forecast of one store, drawn."""

    title: str
    caption: str
    plot: str


def write_report(
    path: Path,
    warehouse: Path,
    results: Sequence[CheckResult],
    steps: Sequence[Mapping[str, Any]],
) -> Path:
    """Write the report in one step and return its path.

    Args:
        path: The HTML file.
        warehouse: Where the marts are.
        results: What the checks found.
        steps: The run's own steps; each has ``name``, ``task``, ``state`` and, as seconds since the epoch, ``start`` and
            ``end``. Steps that have not ended are left out.

    Raises:
        ExportError: The file could not be written; what was there before is untouched.
    """
    replace_text(path, render_report(warehouse, results, steps))
    return path


def render_report(
    warehouse: Path, results: Sequence[CheckResult], steps: Sequence[Mapping[str, Any]]
) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with connect(warehouse) as connection:
        page = {
            "facts": _facts(connection),
            "weeks": _sales_by_week(connection),
            "departments": _departments(connection),
            "sizes": _ticket_sizes(connection),
            "stores": _store_plots(connection),
            "errors": _forecast_errors(connection),
            "quarantine": _quarantine_reasons(connection),
        }
    ordered = sorted(results, key=lambda result: _STATUS_ORDER.index(result.status))
    return environment.get_template("report.html.j2").render(
        **page,
        notable=[result for result in ordered if not result.passed],
        passed=[result for result in ordered if result.passed],
        timeline=_timeline(steps),
        step_count=len(steps),
    )


def _facts(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    query = (
        "SELECT min(sold_on) AS first_day, max(sold_on) AS last_day, sum(sales)::DOUBLE AS sales, sum(discount)::DOUBLE AS discount, "
        "count(*) AS tickets, count(DISTINCT household_id) AS households, count(DISTINCT store_id) AS stores FROM marts.tickets"
    )
    return fetch_dicts(connection, query)[0]


def _sales_by_week(connection: duckdb.DuckDBPyConnection) -> str:
    query = (
        "SELECT week, week_start, sum(sales)::DOUBLE AS sales FROM marts.sales_by_store_department_week "
        "WHERE is_full_week GROUP BY ALL ORDER BY week"
    )
    rows = fetch_dicts(connection, query)
    starts = {row["week"]: row["week_start"] for row in rows}
    line = Line("Sales", [(row["week"], row["sales"]) for row in rows], is_area=True)
    return charts.line_chart(
        [line],
        f"Sales of each of {len(rows)} weeks, in dollars",
        x_labels=_month_labels(starts),
        format_value=_short_dollars,
        format_x=lambda week: f"week {week:g}, from {starts[int(week)]:%-d %B %Y}",
    )


def _departments(connection: duckdb.DuckDBPyConnection) -> str:
    query = (
        "SELECT department, sum(sales)::DOUBLE AS sales FROM marts.sales_by_store_department_week "
        "GROUP BY ALL ORDER BY sales DESC, department"
    )
    rows, shown = fetch_dicts(connection, query), 10
    bars = [
        Bar(row["department"], row["sales"], _short_dollars(row["sales"]))
        for row in rows[:shown]
    ]
    if rest := rows[shown:]:
        total = sum(row["sales"] for row in rest)
        bars.append(
            Bar(f"{len(rest)} others", total, _short_dollars(total), charts.GREY)
        )
    return charts.bar_chart(bars)


def _ticket_sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    query = "SELECT ticket_size, count(*) AS tickets, sum(sales)::DOUBLE AS sales FROM marts.tickets GROUP BY ALL"
    by_size = {row["ticket_size"]: row for row in fetch_dicts(connection, query)}
    plots: dict[str, str] = {}
    for measure in ("tickets", "sales"):
        whole = sum(row[measure] for row in by_size.values()) or 1
        bars = [
            Bar(
                size,
                by_size[size][measure],
                f"{by_size[size][measure] / whole:.0%}",
                color,
            )
            for size, color in _SIZE_COLORS.items()
            if size in by_size
        ]
        plots[measure] = charts.bar_chart(bars)
    return plots


def _store_plots(connection: duckdb.DuckDBPyConnection) -> list[StorePlot]:
    query = f"SELECT * FROM marts.forecast_error ORDER BY sales DESC, store_id LIMIT {STORES_SHOWN}"
    return [_store_plot(connection, row) for row in fetch_dicts(connection, query)]


def _store_plot(
    connection: duckdb.DuckDBPyConnection, store: Mapping[str, Any]
) -> StorePlot:
    store_id = store["store_id"]
    forecast = fetch_dicts(
        connection,
        "SELECT week, is_future, sum(forecast)::DOUBLE AS forecast, sum(naive)::DOUBLE AS naive FROM marts.demand_forecast "
        "WHERE store_id = ? GROUP BY ALL ORDER BY week",
        [store_id],
    )
    actual = fetch_dicts(
        connection,
        "SELECT week, any_value(week_start) AS week_start, sum(sales)::DOUBLE AS sales FROM marts.sales_by_store_department_week "
        "WHERE store_id = ? AND is_full_week AND department IN (SELECT department FROM marts.demand_forecast WHERE store_id = ?) "
        "GROUP BY week ORDER BY week",
        [store_id, store_id],
    )
    starts = {row["week"]: row["week_start"] for row in actual}
    past = [row for row in forecast if not row["is_future"]]
    future = [row for row in forecast if row["is_future"]]
    lines = [
        Line(
            "Sales",
            [(row["week"], row["sales"]) for row in actual],
            charts.GREY,
            is_area=True,
        ),
        Line(
            "Naive", [(row["week"], row["naive"]) for row in past], charts.ORANGE, "2 3"
        ),
        Line(
            "Forecast, backtest",
            [(row["week"], row["forecast"]) for row in past],
            charts.BLUE,
            "7 3",
        ),
        Line(
            "Forecast, next weeks",
            [(row["week"], row["forecast"]) for row in future],
            charts.GREEN,
        ),
    ]
    plot = charts.line_chart(
        lines,
        f"Weekly sales of store {store_id} with forecast and naive forecast, in dollars",
        x_labels=_month_labels(starts),
        format_value=_short_dollars,
        format_x=lambda week: f"week {week:g}",
    )
    caption = f"Error by department and week: forecast {store['forecast_wape']:.1%}, naive {store['naive_wape']:.1%}"
    return StorePlot(f"Store {store_id}", caption, plot)


def _forecast_errors(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the errors over all stores as shares of their sales, and how often the forecast was better."""
    query = (
        "SELECT count(*) AS stores, count(*) FILTER (forecast_wape < naive_wape) AS better_than_naive, "
        "count(*) FILTER (forecast_wape < average_wape) AS better_than_average, "
        "coalesce(sum(forecast_wape * sales) / nullif(sum(sales), 0), 0)::DOUBLE AS forecast, "
        "coalesce(sum(naive_wape * sales) / nullif(sum(sales), 0), 0)::DOUBLE AS naive, "
        "coalesce(sum(average_wape * sales) / nullif(sum(sales), 0), 0)::DOUBLE AS average FROM marts.forecast_error"
    )
    errors = fetch_dicts(connection, query)[0]
    bars = [
        Bar("Forecast", errors["forecast"], f"{errors['forecast']:.1%}", charts.BLUE),
        Bar(
            "Mean of 8 weeks",
            errors["average"],
            f"{errors['average']:.1%}",
            charts.GREY,
        ),
        Bar(
            "Naive: last week", errors["naive"], f"{errors['naive']:.1%}", charts.ORANGE
        ),
    ]
    return {**errors, "plot": charts.bar_chart(bars)}


def _quarantine_reasons(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'quarantine' ORDER BY 1"
    ).fetchall()
    if not tables:
        return []
    parts = " UNION ALL ".join(
        f"SELECT '{table}' AS table_name, _reason AS reason, count(*) AS row_count FROM quarantine.{table} GROUP BY ALL"
        for (table,) in tables
    )
    return fetch_dicts(
        connection, f"{parts} ORDER BY row_count DESC, table_name, reason"
    )


def _timeline(steps: Sequence[Mapping[str, Any]]) -> str:
    """Draw the run: one row for each task, with a stroke for each of its runs."""
    ended = [
        run
        for run in steps
        if run.get("start") is not None and run.get("end") is not None
    ]
    if not ended:
        return '<p class="note">No steps were recorded.</p>'
    began = min(run["start"] for run in ended)
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for run in sorted(ended, key=lambda run: (run["start"], run["name"])):
        by_task.setdefault(run.get("task") or run["name"], []).append(run)
    rows = [_timeline_row(task, runs, began) for task, runs in by_task.items()]
    return charts.timeline(rows, max(run["end"] for run in ended) - began)


def _timeline_row(task: str, runs: Sequence[Mapping[str, Any]], began: float) -> Row:
    spans = [
        Span(
            run["start"] - began,
            run["end"] - began,
            f"{run['name']}: {run['state']}, {run['end'] - run['start']:.2f} s",
            _STATE_COLORS.get(run["state"], charts.RED),
        )
        for run in runs
    ]
    took = max(run["end"] for run in runs) - min(run["start"] for run in runs)
    states = Counter(run["state"].lower() for run in runs)
    text = f"{took:.1f} s"
    if set(states) != {"completed"}:
        text += "".join(f", {count} {state}" for state, count in states.items())
    label = task if len(runs) == 1 else f"{task} x {len(runs)}"
    return Row(label, text, spans)


def _month_labels(starts: Mapping[int, Any]) -> list[tuple[float, str]]:
    """Return a label at the first week of every second month."""
    first = {}
    for week, start in sorted(starts.items()):
        first.setdefault((start.year, start.month), (week, f"{start:%b}"))
    return list(first.values())[::2]


def _short_dollars(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"${value / size:.3g}{letter}"
    return f"${value:,.0f}"
