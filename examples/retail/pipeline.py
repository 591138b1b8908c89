"""The retail pipeline: extract, validate, transform, compute, load, report.

Run it with ``python examples/retail/pipeline.py`` or ``caudal run examples/retail/pipeline.py:retail``. The work of each step is a
plain function in a module beside this one. Here stands what depends on what, what is retried and what is cached.
"""

from functools import partial
from pathlib import Path
from typing import Any

import exporting
import forecasting
import landing
import report
import sources
import validation
from run_history import read_steps
from summary import Summary, summarize
from warehouse import count_table

from caudal import flow, get_run_logger, task, unmapped
from caudal.cache_policies import INPUTS
from caudal.checks import record_checks
from caudal.integrations.dbt import DbtProject, DbtResult
from caudal.quality import CheckResult, raise_on_errors
from caudal.task_runners import ProcessPoolTaskRunner

HERE = Path(__file__).parent


def content_key(_: Any, parameters: dict[str, Any]) -> str:
    """Name a drop by its content, so that one that has not changed is not read again."""
    return parameters["drop"].key


@task(task_run_name="extract {drop.name}", cache_key_fn=content_key)
def extract(drop: landing.Landing, warehouse: Path) -> landing.Landed:
    """Land one drop, unchanged, in the raw schema."""
    landed = landing.land_drop(drop, warehouse)
    if landed.ignored_columns:
        get_run_logger().warning("%s: ignored %s", landed.name, landed.ignored_columns)
    return landed


@task
def validate(warehouse: Path) -> list[CheckResult]:
    """Check the raw tables, put rows that fail in quarantine, and stop at an error."""
    found = validation.validate(warehouse)
    record_checks(found.results)
    raise_on_errors(found.results)
    return found.results


@task
def transform(warehouse: Path, scratch: Path) -> DbtResult:
    """Build the staging models and the marts with dbt, and run its tests."""
    environment = {"RETAIL_WAREHOUSE": str(warehouse)}
    count_rows = partial(count_table, warehouse)
    return DbtProject(
        HERE / "dbt", target_path=scratch, env=environment, count_rows=count_rows
    ).build()


@task(task_run_name="forecast store {history.store_id}", cache_policy=INPUTS)
def forecast(history: forecasting.StoreHistory) -> forecasting.StoreForecast:
    """Forecast one store, and backtest the forecast."""
    return forecasting.forecast_store(history)


@flow(task_runner=ProcessPoolTaskRunner(), persist_result=True)
def compute(warehouse: Path) -> list[forecasting.StoreForecast]:
    """Forecast every store with enough history, in one process for each processor."""
    forecasts = forecast.map(forecasting.read_histories(warehouse)).result()
    forecasting.save_forecasts(forecasts, warehouse)
    return forecasts


@task(task_run_name="load {mart}", retries=2, retry_delay_seconds=3)
def load(mart: str, warehouse: Path, folder: Path) -> exporting.ExportedMart:
    """Write one mart to Parquet and CSV."""
    return exporting.export_mart(mart, warehouse, folder)


@flow(persist_result=True)
def retail(source: Path | None = None, output: Path = HERE / "out") -> Summary:
    """Turn a year of grocery sales into marts, forecasts and a report.

    Args:
        source: Folder with the Parquet files; by default the installed data package.
        output: Folder for everything the pipeline makes; by default ``out`` beside this file.
    """
    output = output.resolve()
    warehouse, page = output / "warehouse.duckdb", output / "report.html"

    drops = landing.plan_landings(sources.find_source(source), warehouse)
    landed = extract.map(drops, unmapped(warehouse))
    landed.result()  # a drop that cannot be read ends the run here, with its own error
    checks = validate(warehouse, wait_for=[landed])
    built = transform(warehouse, output / "dbt")
    forecasts = compute(warehouse)
    marts = exporting.list_marts(warehouse)
    exports = load.map(marts, unmapped(warehouse), unmapped(output / "marts")).result()
    counts = validation.count_all_rows(warehouse)

    steps = read_steps()
    report.write_report(page, warehouse, [*checks, *built.checks], steps)
    summary = summarize(
        counts, exports, forecasts, steps, report=page, warehouse=warehouse
    )
    print(summary)
    return summary


if __name__ == "__main__":
    retail()
