"""Settings as runs see them: those in force where a run is made, in threads and processes too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from caudal import flow, get_client, get_run_logger, task
from caudal.clock import timestamp
from caudal.engine.composition import current_engine, fresh_engine
from caudal.exceptions import SettingError
from caudal.settings import (
    CAUDAL_FLOWS_DEFAULT_RETRIES,
    CAUDAL_HOME,
    CAUDAL_LEASE_SECONDS,
    CAUDAL_LEDGER_PATH,
    CAUDAL_LOGGING_LEVEL,
    CAUDAL_TASKS_DEFAULT_RETRIES,
    temporary_settings,
)
from caudal.settings.current import exchange_settings
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caudal.engine.engine import Engine
    from caudal.task_runners import TaskRunner
    from tests.conftest import Record


def test_a_block_of_code_has_its_own_defaults(record: Record) -> None:
    """What flows and tasks do not say is taken from the settings in force where they run."""

    @task
    def work() -> str:
        print("working")  # noqa: T201
        return "done"

    @flow
    def around() -> None:
        work()

    around()
    assert record.tasks()["work-0"].details.get("result_key") is None
    with temporary_settings(
        {"results_persist_by_default": True, "logging_log_prints": True}
    ):
        around()
    assert record.tasks()["work-0"].details.get("result_key") is not None
    assert record.logs(record.tasks()["work-0"])[0] == "working"


def test_a_block_chooses_how_results_are_kept(engine: Engine, record: Record) -> None:
    """Serializer and inline limit hold for results that are stored in the block."""
    work = task(lambda: [1, 2], name="work", persist_result=True)
    around = flow(lambda: work(), name="around")

    around()
    usual = engine.ledger.result(record.tasks()["work-0"].details["result_key"])
    with temporary_settings(
        {"results_default_serializer": "pickle", "results_inline_limit_bytes": 0}
    ):
        around()
    chosen = engine.ledger.result(record.tasks()["work-0"].details["result_key"])

    assert usual is not None
    assert chosen is not None
    assert (usual.serializer, usual.location) == ("json", None)
    assert (chosen.serializer, chosen.inline) == ("pickle", None)
    assert engine.results.read(chosen) == [1, 2]


def test_runners_that_do_not_say_are_bounded_by_the_settings() -> None:
    """The default one of flows, and those that are made without a number."""
    settings = {
        "tasks_runner_thread_pool_max_workers": 3,
        "tasks_runner_process_pool_max_workers": 2,
    }
    with temporary_settings(settings), fresh_engine():
        assert current_engine().local.max_workers == 3
        assert ThreadPoolTaskRunner().runner.max_workers == 3
        assert ThreadPoolTaskRunner(5).runner.max_workers == 5
        assert ProcessPoolTaskRunner().runner.max_workers == 2


def test_an_engine_is_made_from_the_settings() -> None:
    """Its lease lasts as long as they say."""
    settings = {CAUDAL_LEASE_SECONDS: 60, CAUDAL_LEDGER_PATH: ":memory:"}
    with temporary_settings(settings), fresh_engine():
        engine = current_engine()
        flow(lambda: None, name="around")()

        assert engine.trusted_until > timestamp() + 30


def test_a_block_within_a_flow_holds_for_its_tasks(record: Record) -> None:
    """Submitted ones too, on whichever thread they run."""
    tries: list[int] = []

    @task
    def work() -> None:
        tries.append(CAUDAL_TASKS_DEFAULT_RETRIES.value())
        if len(tries) < 3:
            raise ValueError

    @flow
    def around() -> None:
        with temporary_settings({CAUDAL_TASKS_DEFAULT_RETRIES: 2}):
            future = work.submit()
        future.result()

    around()
    assert tries == [2, 2, 2]
    assert record.tasks()["work-0"].run_count == 3


def test_tasks_outside_flows_follow_the_settings_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They store results and log prints when the settings say so."""
    monkeypatch.setenv("CAUDAL_RESULTS_PERSIST_BY_DEFAULT", "true")
    monkeypatch.setenv("CAUDAL_LOGGING_LOG_PRINTS", "true")
    monkeypatch.setenv("CAUDAL_LEDGER_PATH", ":memory:")

    @task
    def work() -> None:
        print("alone")  # noqa: T201

    with fresh_engine():
        work()

        run = get_client().read_task_runs(task_name="work")[0]
        assert run.details.get("result_key") is not None
        (line,) = get_client().read_logs(task_run_id=run.id)
        assert line[1].message == "alone"


@pytest.mark.usefixtures("engine")
def test_another_ledger_in_a_block_is_refused_once_there_is_an_engine(
    tmp_path: Path,
) -> None:
    """Runs never end up in a ledger that the block did not name."""
    work = task(lambda: None, name="work")
    around = flow(lambda: None, name="around")

    for call in (work, around, get_client):
        with (
            temporary_settings({CAUDAL_LEDGER_PATH: str(tmp_path / "other.db")}),
            pytest.raises(SettingError, match=r"other\.db.*the engine is made"),
        ):
            call()
    assert get_client().read_task_runs() == []


@task
def report() -> tuple[int, str, int, str]:
    """Tell which settings are in force here, and log a line of every level."""
    logger = get_run_logger()
    logger.debug("in detail")
    logger.info("as a rule", extra={"rule": 1})
    return (
        os.getpid(),
        CAUDAL_LOGGING_LEVEL.value(),
        CAUDAL_FLOWS_DEFAULT_RETRIES.value(),
        CAUDAL_LEDGER_PATH.value(),
    )


@pytest.mark.parametrize("kind", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_settings_reach_tasks_on_every_runner(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[int], TaskRunner]
) -> None:
    """Those of the process as they were read, those of the block, and never another ledger than the run's own."""
    monkeypatch.setenv("CAUDAL_LOGGING_LEVEL", "WARNING")
    monkeypatch.setenv("CAUDAL_FLOWS_DEFAULT_RETRIES", "1")

    @flow
    def around() -> list[tuple[int, str, int, str]]:
        monkeypatch.setenv("CAUDAL_FLOWS_DEFAULT_RETRIES", "9")  # it was read before
        with temporary_settings({CAUDAL_HOME: "/nowhere", CAUDAL_FLOWS_DEFAULT_RETRIES: 2}):  # fmt: skip
            changed = report.submit().result()
        return [report.submit().result(), changed]

    with kind(1) as runner, fresh_engine():
        plain, changed = around.with_options(task_runner=runner)()

    ledger = str(home / "caudal.db")
    assert plain[1:] == ("WARNING", 1, ledger)
    assert changed[1:3] == ("WARNING", 2)
    assert (plain[0] == os.getpid()) is (kind is ThreadPoolTaskRunner)


def test_workers_log_with_the_level_and_form_of_their_parent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Their lines are recorded and printed as those of threads are."""
    settings = {"logging_level": "DEBUG", "logging_format": "json"}
    monkeypatch.setenv("CAUDAL_LOGGING_LEVEL", "ERROR")
    with (
        ProcessPoolTaskRunner(1) as runner,
        temporary_settings(settings),
        fresh_engine(),
    ):
        around = flow(lambda: report.submit().result(), name="around", task_runner=runner)  # fmt: skip
        assert around()[1] == "DEBUG"
        lines = [row.message for _, row in get_client().read_logs()]

    assert {"in detail", "as a rule"} <= set(lines)
    assert '"message": "as a rule", "flow_run": ' in capfd.readouterr().err


def test_workers_serve_the_engine_they_were_started_for() -> None:
    """A runner that is used again with other settings starts others."""
    seen: list[tuple[int, str, int, str]] = []
    with ProcessPoolTaskRunner(1) as runner:
        around = flow(lambda: report.submit().result(), name="around", task_runner=runner)  # fmt: skip
        for seconds in (20, 30):
            exchange_settings(None)
            with temporary_settings({CAUDAL_LEASE_SECONDS: seconds}), fresh_engine():
                seen += [around(), around()]

    pids = [pid for pid, *_ in seen]
    assert pids[0] == pids[1] != pids[2] == pids[3]
