"""Report: one page that says everything and asks nobody for anything."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import charts
import forecasting
import pytest
import report
import validation
from charts import Bar, Line
from summary import Summary, summarize
from warehouse import connect

from caudal.quality import CheckResult, CheckStatus, Severity

if TYPE_CHECKING:
    from pathlib import Path

_VOID = {"meta", "link", "br", "line", "polyline", "polygon"}

STEPS: list[dict[str, Any]] = [
    {
        "name": "extract products",
        "task": "extract",
        "state": "Cached",
        "start": 100.0,
        "end": 100.1,
    },
    {
        "name": "extract transactions-01",
        "task": "extract",
        "state": "Completed",
        "start": 100.0,
        "end": 100.4,
    },
    {
        "name": "validate",
        "task": "validate",
        "state": "Failed",
        "start": 101.0,
        "end": 102.5,
    },
    {
        "name": "report",
        "task": "report",
        "state": "Running",
        "start": 103.0,
        "end": None,
    },
]


class Outline(HTMLParser):
    """Notes tags that are left open, and everything that would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        if tag not in _VOID:
            self.open.append(tag)
        if tag in {"script", "img", "iframe", "object", "embed"}:
            self.fetched.append(tag)
        self.fetched += [
            value or ""
            for name, value in attrs
            if name in {"src", "href", "xlink:href", "srcset"} and value != "data:,"
        ]

    def handle_endtag(self, tag: str) -> None:
        """Note a closing tag."""
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what people read."""
        self.text.append(data.strip())


def outline(page: str) -> Outline:
    """Return a page's outline, with every tag closed."""
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def complete(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse with forecasts in it."""
    warehouse = tmp_path_factory.mktemp("complete") / "warehouse.duckdb"
    shutil.copy(built, warehouse)
    histories = forecasting.read_histories(warehouse)
    forecasting.save_forecasts(
        [forecasting.forecast_store(item) for item in histories], warehouse
    )
    return warehouse


@pytest.fixture(scope="module")
def results(
    complete: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[CheckResult]:
    """Return what the checks find in it."""
    copy = tmp_path_factory.mktemp("checked") / "warehouse.duckdb"
    shutil.copy(complete, copy)
    return validation.validate(copy).results


def test_page_is_whole_and_self_contained(
    complete: Path, results: list[CheckResult]
) -> None:
    """Every tag is closed, and nothing on the page asks a server for anything."""
    page = report.render_report(complete, results, STEPS)

    assert outline(page).fetched == []
    assert re.findall(r"(?:https?:|url\(|@import)", page) == []


def test_page_shows_every_part(complete: Path, results: list[CheckResult]) -> None:
    """Sales, departments, ticket sizes, forecasts of stores, checks, quarantine and the run itself are there."""
    text = outline(report.render_report(complete, results, STEPS)).text

    for heading in (
        "Sales by week",
        "Departments",
        "Ticket sizes",
        "Weekly demand forecast",
        "Store 1",
        "Store 2",
        "Checks",
        "Rows in quarantine",
        "This run",
    ):
        assert heading in text
    assert {"GROCERY", "PRODUCE", "DELI", "low", "medium", "high", "very high"} <= set(
        text
    )
    assert "quantity above zero" in text
    assert text.index("warn") < text.index("Checks that passed")


def test_timeline_has_a_row_for_each_task(complete: Path) -> None:
    """Runs of one task share a row; a step that has not ended is left out; failures have a colour of their own."""
    page = report.render_report(complete, [], STEPS)

    assert "extract x 2" in page
    assert "0.4 s, 1 cached, 1 completed" in page
    assert "1.5 s, 1 failed" in page
    assert charts.RED in page.split("This run")[1]
    assert ">report<" not in page


def test_foreign_text_is_shown_and_not_run(complete: Path, tmp_path: Path) -> None:
    """A department, check or step whose name looks like HTML stays text."""
    evil = "<script>alert(1)</script>"
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(complete, warehouse)
    with connect(warehouse) as connection:
        connection.execute(
            "UPDATE marts.sales_by_store_department_week SET department = ? WHERE department = 'DELI'",
            [evil],
        )
        connection.execute("UPDATE quarantine.transactions SET _reason = ?", [evil])
    result = CheckResult(
        asset=evil,
        check=evil,
        severity=Severity.WARN,
        status=CheckStatus.WARN,
        kind=evil,
        observed=evil,
    )
    step = {**STEPS[0], "name": evil, "task": evil}

    page = report.render_report(warehouse, [result], [step])

    assert outline(page).fetched == []
    assert evil not in page


def test_page_of_a_run_without_forecasts_or_steps_says_so(built: Path) -> None:
    """Where there is nothing to draw, the page says that instead of failing."""
    page = built.parent / "copy.duckdb"
    shutil.copy(built, page)
    forecasting.save_forecasts([], page)

    text = outline(report.render_report(page, [], [])).text

    assert "No store has enough history for a forecast." in text
    assert "No steps were recorded." in text


def test_report_is_written_in_one_step(complete: Path, tmp_path: Path) -> None:
    """The page is at its place and nothing else is."""
    path = report.write_report(tmp_path / "out" / "report.html", complete, [], STEPS)

    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_line_chart_starts_at_zero_and_ends_above_the_highest_value() -> None:
    """The axis has easy steps, and every point lies within it."""
    plot = charts.line_chart(
        [Line("a", [(1, 0), (2, 113_000)])],
        "d",
        x_labels=[(1, "Jan")],
        format_value=lambda value: f"{value:g}",
        format_x=str,
    )

    assert re.findall(r"%\">([\d.e+]+)</span>", plot) == [
        "0",
        "30000",
        "60000",
        "90000",
        "120000",
    ]
    assert 'points="0.00,100.00 100.00,5.83"' in plot


@pytest.mark.parametrize("points", [[], [(1.0, 5.0)]])
def test_line_chart_of_too_little_says_so(points: list[tuple[float, float]]) -> None:
    """One point makes no line."""
    plot = charts.line_chart(
        [Line("a", points)], "d", x_labels=[], format_value=str, format_x=str
    )

    assert "too little data" in plot


def test_bars_of_nothing_have_no_length() -> None:
    """A chart whose values are all zero is drawn without dividing by zero."""
    assert "width:0.0%" in charts.bar_chart([Bar("a", 0, "0")])


def test_summary_reads_as_a_table() -> None:
    """Rows, marts, errors, cache and places stand in two columns."""
    summary: Summary = summarize(
        [validation.RowCounts("transactions", 10, 9, 1)],
        [],
        [
            forecasting.StoreForecast(
                1, [forecasting.ForecastPoint("DELI", 40, 90.0, 50.0, 80.0, 100.0)], []
            )
        ],
        STEPS,
        report="report.html",
        warehouse="warehouse.duckdb",
    )

    assert str(summary).splitlines() == [
        "rows read           10",
        "rows loaded         9",
        "rows quarantined    1",
        "forecast error      10.0% of sales, backtest over 1 stores",
        "  naive: last week  50.0%",
        "  mean of 8 weeks   20.0%",
        "from the cache      extract 1 of 2",
        "report              report.html",
        "warehouse           warehouse.duckdb",
    ]
