"""The real dbt on a small DuckDB project: built, broken and killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from caudal import flow, task
from caudal.app import make_engine
from caudal.client import SyncClient
from caudal.engine.composition import use_engine
from caudal.integrations.dbt import DbtCommandError, DbtNodesFailedError, DbtProject
from caudal.model.checks import CheckStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caudal.model.views import TaskRun

FILES = {
    "dbt_project.yml": "name: shop\nversion: '1.0'\nprofile: shop\n",
    "profiles/profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      threads: 2\n"
        "      path: \"{{ env_var('SHOP_WAREHOUSE') }}\"\n"
    ),
    "seeds/orders.csv": "id,amount\n1,10\n2,20\n3,\n",
    "models/stg_orders.sql": "{{ config(materialized='table') }} select * from {{ ref('orders') }}",
    "models/totals.sql": "select count(*) as orders from {{ ref('stg_orders') }}",
    "models/schema.yml": (
        "models:\n"
        "  - name: stg_orders\n"
        "    columns:\n"
        "      - name: id\n        data_tests: [unique]\n"
        "      - name: amount\n        data_tests:\n"
        "          - not_null: {config: {severity: warn}}\n"
    ),
}
SLOW = "{{ config(materialized='table') }} select sum(sin(a.range * b.range)) as s from range(1000000) a, range(1000000) b"


@pytest.fixture
def client() -> Iterator[SyncClient]:
    """Reads the ledger of an engine that the test has for itself."""
    engine = make_engine()
    with use_engine(engine):
        yield SyncClient(engine)
    engine.close()


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., DbtProject]:
    """Return a function that writes a dbt project with one seed and two models, and more files if given."""

    def make(**models: str) -> DbtProject:
        more = {f"models/{name}.sql": sql for name, sql in models.items()}
        for name, content in {**FILES, **more}.items():
            file = tmp_path / "shop" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return DbtProject(
            tmp_path / "shop",
            profiles_dir=tmp_path / "shop" / "profiles",
            target_path=tmp_path / "target",
            env={"SHOP_WAREHOUSE": str(tmp_path / "shop.duckdb")},
            count_rows=lambda relation: count(tmp_path / "shop.duckdb", relation),
        )

    return make


def count(warehouse: Path, relation: str) -> int:
    """Return the number of rows of a table."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()  # noqa: S608 - dbt's quoted name
        assert row is not None
        return int(row[0])


def task_runs(client: SyncClient) -> dict[str, TaskRun]:
    """Return the task runs of the last flow run by name."""
    last = client.read_flow_runs(limit=1)[0]
    return {run.name: run for run in client.read_task_runs(flow_run_id=last.id)}


def test_a_project_is_built_node_by_node(
    shop: Callable[..., DbtProject], client: SyncClient
) -> None:
    """Each seed, model and test of a project is a task run with rows, a table and its upstream."""
    dbt = shop()
    files = {path for path in dbt.project_dir.rglob("*") if path.is_file()}

    @flow
    def pipeline() -> Any:
        return dbt.build()

    result = pipeline()

    runs = task_runs(client)
    assert {name: (run.state_name, run.details.get("rows")) for name, run in runs.items()} == {
        "seed.orders": ("Completed", 3),
        "model.stg_orders": ("Completed", 3),
        "model.totals": ("Completed", 1),
        "test.unique_stg_orders_id": ("Completed", None),
        "test.not_null_stg_orders_amount": ("Completed", None),
    }  # fmt: skip
    staging = runs["model.stg_orders"]
    assert staging.details["upstream"] == [runs["seed.orders"].id.hex]
    assert staging.details["relation"] == '"shop"."main"."stg_orders"'
    assert Path(staging.details["compiled_path"]).is_file()
    assert staging.details["duration_seconds"] > 0
    assert {
        (check.asset, check.kind, check.status, check.failed_rows)
        for check in result.checks
    } == {
        ("main.stg_orders", "not_null", CheckStatus.WARN, 1),
        ("main.stg_orders", "unique", CheckStatus.PASS, 0),
    }
    assert {path for path in dbt.project_dir.rglob("*") if path.is_file()} == files
    assert dbt.log_path.is_file()


def test_failures_are_told_and_what_follows_is_skipped(
    shop: Callable[..., DbtProject], client: SyncClient
) -> None:
    """A broken model and a failing test fail the task that builds; what they hold up is not ready."""
    dbt = shop(
        broken="select no_such_column from {{ ref('stg_orders') }}",
        after_broken="select * from {{ ref('broken') }}",
        after_test="select * from {{ ref('totals') }}",
    )
    no_more_than_two = "select * from {{ ref('totals') }} where orders > 2"
    (dbt.project_dir / "tests").mkdir()
    (dbt.project_dir / "tests" / "at_most_two.sql").write_text(no_more_than_two)

    @task
    def transform() -> None:
        dbt.build()

    @flow
    def pipeline() -> None:
        transform()

    with pytest.raises(DbtNodesFailedError) as caught:
        pipeline()

    runs = task_runs(client)
    broken, test = runs["model.broken"], runs["test.at_most_two"]
    assert set(caught.value.failed) == {"model.broken", "test.at_most_two"}
    assert set(caught.value.skipped) == {"model.after_broken", "model.after_test"}
    assert broken.state_type == test.state_type == "FAILED"
    assert "no_such_column" in (broken.state.message or "")
    assert test.details["failures"] == 1
    assert test.dynamic_key == "transform-0/test.at_most_two-0"
    for name, cause in (("after_broken", "model.broken"), ("after_test", "test.at_most_two")):  # fmt: skip
        skipped = runs[f"model.{name}"]
        message = f"Skipped by dbt: upstream {cause!r} did not succeed."
        assert (skipped.state_name, skipped.state.message) == ("NotReady", message)
    assert runs["transform-0"].state_type == "FAILED"
    last = client.read_flow_runs(limit=1)[0]
    checks = {check.check: check for check in client.read_checks(last.id)}
    assert checks["at_most_two"].asset == "main.totals"
    assert checks["at_most_two"].is_blocking


def act_when_slow_runs(dbt: DbtProject, act: Callable[[int], None]) -> threading.Thread:
    """Call a function with dbt's process id once the slow model runs."""

    def watch() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            time.sleep(0.05)
            log = dbt.log_path.read_text() if dbt.log_path.exists() else ""
            if "Began executing node model.shop.slow" in log:
                time.sleep(0.5)  # dbt logs a query before the database has it
                act(dbt_process(dbt))
                return

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def dbt_process(dbt: DbtProject) -> int:
    """Return the id of the dbt process that works on a project."""
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.readlink() == dbt.project_dir:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError("dbt does not run")


def test_a_model_that_a_killed_dbt_left_is_crashed(
    shop: Callable[..., DbtProject], client: SyncClient
) -> None:
    """A dbt that is killed leaves its finished nodes as they are and its open ones crashed."""
    dbt = shop(slow=SLOW)

    @flow
    def pipeline() -> None:
        dbt.run("slow")

    watcher = act_when_slow_runs(dbt, lambda pid: os.kill(pid, signal.SIGKILL))
    with pytest.raises(DbtCommandError) as caught:
        pipeline()
    watcher.join()

    assert caught.value.ending == "killed by SIGKILL"
    assert task_runs(client)["model.slow"].state_type == "CRASHED"


def test_an_interrupt_frees_the_warehouse(
    shop: Callable[..., DbtProject], client: SyncClient
) -> None:
    """Ctrl-C stops the query, so that the warehouse can be opened at once."""
    dbt = shop(slow=SLOW)

    @flow
    def pipeline() -> None:
        dbt.run("slow")

    watcher = act_when_slow_runs(dbt, lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        pipeline()
    watcher.join()

    with duckdb.connect(dbt.env["SHOP_WAREHOUSE"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert task_runs(client)["model.slow"].state_type == "CANCELLED"
