"""The retail pipeline: extract, validate, transform, compute, load, report.

Run it with ``python examples/retail/pipeline.py`` or ``caudal run examples/retail/pipeline.py``. The work of each step is a
plain function in a module beside this one. Here stands what depends on what, what is retried and what is cached.
"""

from pathlib import Path
from typing import Any

import exporting
import forecasting
import landing
import report
import sources
import validation
from caudal.integrations.dbt import DbtProject
from run_history import read_steps
from summary import Summary, summarize

from caudal import flow, get_run_logger, task, unmapped
from caudal.cache_policies import INPUTS
from caudal.checks import record_checks
from caudal.quality import raise_on_errors
from caudal.task_runners import ProcessPoolTaskRunner

DBT_PROJECT = Path(__file__).parent / "dbt"


def content_key(_: Any, parameters: dict[str, Any]) -> str:
    """Name a landing by its content, so that a drop that has not changed is not read again."""
    return parameters["drop"].key


@task(task_run_name="extract {drop.name}", cache_key_fn=content_key)
def extract(drop: landing.Landing, warehouse: Path) -> landing.Landed:
    """Land one drop, unchanged, in the raw schema."""
    landed = landing.land_drop(drop, warehouse)
    if landed.ignored_columns:
        get_run_logger().warning(
            "%s has columns nobody asked for: %s",
            landed.name,
            ", ".join(landed.ignored_columns),
        )
    return landed


@task
def validate(warehouse: Path) -> validation.Validation:
    """Check the raw tables, put rows that fail in quarantine, and stop here if an error is among the results."""
    found = validation.validate(warehouse)
    record_checks(found.results)
    for count in found.counts:
        get_run_logger().info(
            "%s: %s rows, %s in quarantine", count.table, count.read, count.quarantined
        )
    raise_on_errors(found.results)
    return found


@task(task_run_name="forecast store {history.store_id}", cache_policy=INPUTS)
def forecast(history: forecasting.StoreHistory) -> forecasting.StoreForecast:
    """Forecast one store, and backtest the forecast."""
    return forecasting.forecast_store(history)


@flow(task_runner=ProcessPoolTaskRunner())
def forecast_stores(warehouse: Path) -> list[forecasting.StoreForecast]:
    """Forecast every store with enough history, one process for each processor."""
    return forecast.map(forecasting.read_histories(warehouse)).result()


@task(task_run_name="load {mart}", retries=2, retry_delay_seconds=3)
def load(mart: str, warehouse: Path, folder: Path) -> exporting.ExportedMart:
    """Write one mart to Parquet and CSV."""
    return exporting.export_mart(mart, warehouse, folder)


@task
def write_report(
    path: Path,
    warehouse: Path,
    found: validation.Validation,
    steps: list[dict[str, Any]],
) -> Path:
    """Write the HTML page."""
    return report.write_report(path, warehouse, found.results, steps)


@flow
def retail(source: Path | None = None, output: Path = Path("retail-output")) -> Summary:
    """Turn a year of grocery sales into marts, forecasts and a report.

    Args:
        source: Folder with the Parquet files; by default the installed data package.
        output: Folder for everything the pipeline makes.
    """
    warehouse = output.resolve() / "warehouse.duckdb"
    drops = landing.plan_landings(sources.find_source(source), warehouse)
    landed = extract.map(drops, unmapped(warehouse))
    found = validate(warehouse, wait_for=[landed])

    DbtProject(
        DBT_PROJECT,
        target_path=output.resolve() / "dbt",
        env={"RETAIL_WAREHOUSE": str(warehouse)},
    ).build()

    forecasts = forecast_stores(warehouse)
    forecasting.save_forecasts(forecasts, warehouse)

    marts = exporting.list_marts(warehouse)
    exports = load.map(
        marts, unmapped(warehouse), unmapped(output.resolve() / "marts")
    ).result()

    counts = validation.count_all_rows(warehouse)
    page = write_report(
        output.resolve() / "report.html", warehouse, found, read_steps()
    )
    summary = summarize(
        counts, exports, forecasts, read_steps(), report=page, warehouse=warehouse
    )
    print(summary)
    return summary


if __name__ == "__main__":
    retail()
