"""The whole pipeline, on a small source: what runs, what is reused, and what stops it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
import pytest
from errors import SourceError

from caudal import get_client
from caudal.exceptions import CheckFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from summary import Summary

    from caudal.model.views import FlowRun

from tests.integration.retail.conftest import Source


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Source]:
    """Return a source with enough weeks for a forecast, not written yet."""
    made = Source(tmp_path / "source").make()
    yield made
    made.close()


def run(source: Source, output: Path) -> Summary:
    """Run the pipeline on a source as it is now."""
    return pipeline.retail(source.write(), output)


def last_run() -> FlowRun:
    """Return the newest run of the pipeline."""
    return get_client(sync_client=True).read_flow_runs(flow_name="retail", limit=1)[0]


def states(task: str) -> Counter[str]:
    """Return how many of the last run's runs of a task ended in which state."""
    client = get_client(sync_client=True)
    runs = client.read_task_runs(flow_run_id=last_run().id, task_name=task, limit=1000)
    return Counter(run.state_name for run in runs)


def test_reruns_reuse_what_has_not_changed(year: Source, tmp_path: Path) -> None:
    """The same source gives the same bytes from the cache, and a changed week alone is read again."""
    marts = tmp_path / "output" / "marts"
    first = run(year, tmp_path / "output")
    files = {path.name: path.read_bytes() for path in marts.iterdir()}

    second = run(year, tmp_path / "output")

    assert second.content_hashes == first.content_hashes
    assert {path.name: path.read_bytes() for path in marts.iterdir()} == files
    assert first.rows_read == first.rows_loaded + first.rows_quarantined > 0
    assert (first.cached["extract"], second.cached["extract"]) == ((0, 46), (46, 46))
    assert (first.cached["forecast"], second.cached["forecast"]) == ((0, 2), (2, 2))
    assert "extract 46 of 46, forecast 2 of 2" in str(second)
    assert "46 cached" in Path(second.report).read_text(encoding="utf-8")

    year.sql("UPDATE transactions SET sales_value = sales_value + 1 WHERE week = 40")
    third = run(year, tmp_path / "output")

    assert states("extract") == {"Cached": 45, "Completed": 1}
    assert third.content_hashes["tickets"] != first.content_hashes["tickets"]


def test_results_are_recorded_and_the_project_stays_clean(
    year: Source, tmp_path: Path
) -> None:
    """Every check and every dbt test has one result in the ledger, and dbt writes nothing beside its project."""
    run(year, tmp_path / "output")

    results = get_client(sync_client=True).read_checks(last_run().id)
    assert Counter(result.engine for result in results) == {"sql": 64, "dbt": 33}
    assert {result.status for result in results} == {"pass"}
    project = Path(pipeline.__file__).parent / "dbt"
    names = {path.name for path in project.iterdir()}
    assert names == {"dbt_project.yml", "macros", "models", "profiles.yml", "tests"}


def test_an_error_stops_the_pipeline_before_anything_downstream(
    year: Source, tmp_path: Path
) -> None:
    """Wrong data ends the run at validation: no model is built and no file is written."""
    with pytest.raises(CheckFailedError, match=r"unique\(product_id\) on raw.products"):
        run(
            year.sql("INSERT INTO products SELECT * FROM products LIMIT 1"),
            tmp_path / "output",
        )

    assert states("validate") == {"Failed": 1}
    assert states("transform") == {}
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == [
        "warehouse.duckdb"
    ]


def test_a_bad_file_fails_its_own_landing_and_nothing_follows(
    year: Source, tmp_path: Path
) -> None:
    """Validation does not start, and the error names the file."""
    folder = year.write()
    path = year.week(7)
    path.write_bytes(path.read_bytes()[:500])

    with pytest.raises(
        SourceError, match=r"week=07.parquet' is not a readable Parquet"
    ):
        pipeline.retail(folder, tmp_path / "output")

    assert states("extract")["Failed"] == 1
    assert states("validate") == {}


def test_a_missing_source_ends_before_anything_is_made(tmp_path: Path) -> None:
    """Nothing is written when there is nothing to read."""
    with pytest.raises(SourceError, match="does not exist"):
        pipeline.retail(tmp_path / "nowhere", tmp_path / "output")

    assert not (tmp_path / "output").exists()


def test_orchestration_fits_on_a_page() -> None:
    """The file a newcomer copies has fewer than 120 lines."""
    assert len(Path(pipeline.__file__).read_text(encoding="utf-8").splitlines()) < 120


def test_modules_beside_the_pipeline_do_not_need_the_engine() -> None:
    """The work is plain Python: only the orchestration and its history know flows and tasks."""
    folder = Path(pipeline.__file__).parent
    knowing = {
        path.name
        for path in folder.glob("*.py")
        if "from caudal import" in path.read_text(encoding="utf-8")
    }

    assert knowing == {"pipeline.py", "run_history.py"}
