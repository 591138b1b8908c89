"""dbt projects as part of flows: what is recorded, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.integrations.dbt import (
    DbtCommandError,
    DbtNodesFailedError,
    DbtNotInstalledError,
    DbtProject,
    DbtProjectError,
    project,
)
from caudal.model.checks import CheckStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.client import SyncClient
    from caudal.integrations.dbt import DbtResult
    from caudal.model.views import TaskRun

A, B, C = "model.shop.a", "model.shop.b", "model.shop.c"
TEST_A = "test.shop.not_null_a_id.0a1b2c"


def build_in_flow(given: DbtProject, **options: Any) -> DbtResult:
    """Build a project in a flow of its own and return the result."""

    @flow
    def transform() -> DbtResult:
        return given.build(**options)

    return transform()


def task_runs(client: SyncClient) -> dict[str, TaskRun]:
    """Return the task runs of the last flow run by name."""
    last = client.read_flow_runs(limit=1)[0]
    return {run.name: run for run in client.read_task_runs(flow_run_id=last.id)}


def wait_for(file: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def manifest_line(content: dict[str, Any]) -> str:
    """Return the order to write a manifest."""
    return f"#manifest {json.dumps(content)}"


def test_each_node_becomes_a_task_run(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """State, duration, rows, message and upstream of a node are those of its task run."""
    dbt = play(
        manifest_line(lines.manifest(a=[], b=["a"])),
        lines.whole(A, message="INSERT 3", adapter_response={"rows_affected": 3}),
        lines.whole(B, message="OK", adapter_response={"query_id": "q-7"}),
    )

    result = build_in_flow(dbt)

    runs = task_runs(client)
    a, b = runs["model.a"], runs["model.b"]
    assert (a.state_type, a.state_name, a.state.message) == (
        "COMPLETED",
        "Completed",
        "INSERT 3",
    )
    assert a.task_name == "model.a"
    assert a.details == {
        "tags": ["dbt"],
        "unique_id": A,
        "resource_type": "model",
        "materialized": "table",
        "relation": '"shop"."main"."a"',
        "status": "success",
        "duration_seconds": 0.25,
        "rows": 3,
        "message": "INSERT 3",
    }
    assert b.details["upstream"] == [a.id.hex]
    assert b.details["adapter_response"] == {"query_id": "q-7"}
    assert [(node.name, node.rows) for node in result.nodes] == [
        ("model.a", 3),
        ("model.b", None),
    ]
    assert result.nodes[0].task_run_id == a.id
    assert result.success


def test_a_node_runs_while_dbt_runs(lines: Any, play: Any, client: SyncClient) -> None:
    """The ledger shows a node as running before it has ended."""
    dbt = play(lines.start(A), "#hang")
    hanging = Path(dbt.project_dir).parent / "hanging"
    seen: list[str] = []

    def look() -> None:
        wait_for(hanging)
        deadline = time.monotonic() + 20
        while "RUNNING" not in seen and time.monotonic() < deadline:
            seen.extend(run.state_type for run in task_runs(client).values())
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=look)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        build_in_flow(dbt)
    watcher.join()

    assert "RUNNING" in seen


def test_nodes_are_children_of_the_task_that_builds(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """The position of a node's run is below the task, and a second build counts on."""
    dbt = play(lines.whole(A))

    @task
    def transform() -> None:
        dbt.build()
        dbt.build()

    @flow
    def pipeline() -> None:
        transform()

    pipeline()

    last = client.read_flow_runs(limit=1)[0]
    paths = [run.dynamic_key for run in client.read_task_runs(flow_run_id=last.id)]
    assert paths == ["transform-0", "transform-0/model.a-0", "transform-0/model.a-1"]


def test_it_builds_outside_of_flows(lines: Any, play: Any, client: SyncClient) -> None:
    """A script or notebook without a flow records nodes too."""
    result = play(lines.whole(A), lines.whole(TEST_A, "pass")).build()

    assert client.read_task_run(result.nodes[0].task_run_id).name == "model.a"


def test_a_failure_is_raised_after_everything_is_recorded(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """A failed node is FAILED with dbt's message, what follows is never green, and the error names both."""
    dbt = play(
        manifest_line(lines.manifest(a=[], b=["a"], c=["b"])),
        lines.whole(A, "error", message="Binder Error: no column x"),
        lines.skip(B),
        lines.skip(C),
        lines.event("RunResultError", "error", "Binder Error", node_info=lines.node(A)),
        "#exit 1",
        profiles_dir=None,
        target="dev",
    )

    with pytest.raises(DbtNodesFailedError) as caught:
        build_in_flow(dbt)

    runs = task_runs(client)
    states = {name: (run.state_type, run.state_name) for name, run in runs.items()}
    assert states == {
        "model.a": ("FAILED", "Failed"),
        "model.b": ("PENDING", "NotReady"),
        "model.c": ("PENDING", "NotReady"),
    }
    assert runs["model.a"].state.message == "Binder Error: no column x"
    message = "Skipped by dbt: upstream 'model.a' did not succeed."
    assert runs["model.c"].state.message == message
    assert runs["model.c"].start_time is None
    error = caught.value
    assert error.failed == ("model.a",)
    assert error.skipped == ("model.b", "model.c")
    assert error.first_error == "Binder Error: no column x"
    assert error.log_path == str(dbt.project_dir / "target" / "dbt.log")
    assert error.retry_command == (
        f"dbt retry --project-dir {dbt.project_dir} --target dev --target-path {dbt.project_dir / 'target'}"
    )


def test_a_failure_can_be_returned(lines: Any, play: Any, client: SyncClient) -> None:
    """With raise_on_failure=False the result tells."""
    del client
    dbt = play(lines.whole(A, "error", message="no"), lines.skip(B), "#exit 1")

    result = build_in_flow(dbt, raise_on_failure=False)

    assert not result.success
    assert [node.name for node in result.failed] == ["model.a"]
    assert [node.name for node in result.skipped] == ["model.b"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("success", ("COMPLETED", "Completed")),
        ("no-op", ("COMPLETED", "Completed")),
        ("reused", ("COMPLETED", "Cached")),
        ("warn", ("COMPLETED", "Completed")),
        ("partial success", ("FAILED", "Failed")),
        ("a word of tomorrow", ("FAILED", "Failed")),
    ],
)
def test_a_word_that_is_not_known_is_a_failure(
    lines: Any, play: Any, client: SyncClient, status: str, state: tuple[str, str]
) -> None:
    """Only what dbt says went well is green."""
    dbt = play(lines.whole(A, status))

    build_in_flow(dbt, raise_on_failure=False)

    run = task_runs(client)["model.a"]
    assert (run.state_type, run.state_name) == state
    assert run.details["status"] == status


def test_a_node_ends_once(lines: Any, play: Any, client: SyncClient) -> None:
    """What is said of a node after its end does not change it."""
    dbt = play(lines.whole(TEST_A, "pass"), lines.whole(TEST_A, "error"))

    result = build_in_flow(dbt)

    assert [check.status for check in result.checks] == [CheckStatus.PASS]
    assert task_runs(client)["test.not_null_a_id"].state_type == "COMPLETED"


def test_tests_become_checks_of_their_task_runs(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """A test is a task run and a check on the table it tests; a warning lets the pipeline go on."""
    content = lines.manifest(a=[], b=[])
    other = "test.shop.not_null_b_id.0a1b2c"
    content["nodes"][other]["config"]["severity"] = "warn"
    got = "Got 2 results, configured to fail if != 0"
    dbt = play(
        manifest_line(content),
        lines.whole(TEST_A, "fail", num_failures=2, message=got),
        lines.whole(other, "warn", num_failures=1, message="Got 1 result"),
        lines.whole("unit_test.shop.a.adds_up", "pass"),
        "#exit 1",
    )

    result = build_in_flow(dbt, raise_on_failure=False)

    runs = task_runs(client)
    failed, warned = runs["test.not_null_a_id"], runs["test.not_null_b_id"]
    assert (failed.state_type, failed.details["failures"]) == ("FAILED", 2)
    assert failed.state.message == got
    assert (warned.state_type, warned.details["status"]) == ("COMPLETED", "warn")
    assert runs["unit_test.a.adds_up"].state_type == "COMPLETED"
    last = client.read_flow_runs(limit=1)[0]
    found = client.read_checks(last.id)
    assert [(check.asset, check.status, check.failed_rows) for check in found] == [
        ("main.a", CheckStatus.FAIL, 2),
        ("main.b", CheckStatus.WARN, 1),
    ]
    assert [check.check for check in result.checks] == [
        "not_null_a_id",
        "not_null_b_id",
    ]
    (line,) = [row for _, row in client.read_logs(task_run_id=failed.id)]
    assert line.extra is not None
    assert line.extra["check"] == "not_null_a_id"


def test_what_dbt_says_is_logged_with_its_run(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """Warnings go to the caller, lines about a node to the node, plain lines as they are; results are told once."""
    dbt = play(
        lines.event("DeprecatedThing", "warn", "this is deprecated"),
        lines.event("FoundStats", "info", "Found 1 model"),
        "a plain line",
        "#stderr a plain error line",
        lines.start(A),
        lines.event("JinjaLogWarning", "warn", "mind this", node_info=lines.node(A)),
        lines.event("LogModelResult", "error", "ERROR ...", node_info=lines.node(A)),
        lines.finish(A, "error", message="Binder Error"),
        lines.event("MainStackTrace", "error", "Traceback ..."),
        "#exit 1",
    )

    with pytest.raises(DbtNodesFailedError):
        build_in_flow(dbt)

    last = client.read_flow_runs(limit=1)[0]
    rows = [row for _, row in client.read_logs(flow_run_id=last.id)]
    texts = {row.message: row for row in rows}
    assert texts["this is deprecated"].level == 30
    assert texts["this is deprecated"].task_run_id is None
    assert texts["this is deprecated"].extra == {"dbt_event": "DeprecatedThing"}
    assert {"a plain line", "a plain error line"} <= set(texts)
    node = task_runs(client)["model.a"]
    assert texts["mind this"].task_run_id == node.id.bytes
    assert texts["Binder Error"].task_run_id == node.id.bytes
    assert {"ERROR ...", "Found 1 model", "Traceback ..."}.isdisjoint(texts)


def test_dbt_that_cannot_work_says_why(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """A missing profile, a parse error: dbt's own words are the error."""
    del client
    said = "Encountered an error:\nRuntime Error\n  Could not find profile named 'shop'"
    dbt = play(lines.event("MainEncounteredError", "error", said), "#exit 2")

    with pytest.raises(DbtCommandError) as caught:
        build_in_flow(dbt)

    assert caught.value.lines == (said,)
    assert caught.value.ending == "exit status 2"
    assert "  Could not find profile named 'shop'\n" in str(caught.value)
    assert "dbt build" in str(caught.value)


def test_wrong_usage_shows_what_dbt_printed(play: Any, client: SyncClient) -> None:
    """When dbt did not come as far as logging, its last lines are the error."""
    del client
    dbt = play("#stderr Error: No such option '--nope'.", "#exit 2")

    with pytest.raises(DbtCommandError) as caught:
        build_in_flow(dbt)

    assert caught.value.lines == ("Error: No such option '--nope'.",)


def test_an_error_beside_the_nodes_is_not_lost(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """A hook that fails fails the build though each node went well, also where failures are returned."""
    hook = lines.node("operation.shop.shop-on-run-end-0", "error")
    dbt = play(
        lines.whole(A),
        lines.event("RunResultError", "error", "on-run-end.0 failed", node_info=hook),
        "#exit 1",
    )

    with pytest.raises(DbtCommandError) as caught:
        build_in_flow(dbt, raise_on_failure=False)

    assert caught.value.lines == ("on-run-end.0 failed",)
    assert task_runs(client)["model.a"].state_type == "COMPLETED"


def test_nodes_of_a_killed_dbt_are_crashed(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """What a dead dbt did not end is unknown, not green and not failed."""
    dbt = play(lines.whole(A), lines.start(B), "#die")

    with pytest.raises(DbtCommandError) as caught:
        build_in_flow(dbt, raise_on_failure=False)

    runs = task_runs(client)
    assert caught.value.ending == "killed by SIGKILL"
    assert runs["model.a"].state_type == "COMPLETED"
    assert (runs["model.b"].state_type, runs["model.b"].details["status"]) == (
        "CRASHED",
        "unknown",
    )
    assert "killed by SIGKILL" in (runs["model.b"].state.message or "")


def test_an_interrupt_stops_dbt(
    lines: Any, play: Any, client: SyncClient, seen: Callable[[], dict[str, Any]]
) -> None:
    """Ctrl-C ends the child and leaves no node open."""
    dbt = play(lines.whole(A), lines.start(B), "#hang")
    hanging = Path(dbt.project_dir).parent / "hanging"

    def interrupt() -> None:
        wait_for(hanging)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        build_in_flow(dbt)

    with pytest.raises(ProcessLookupError):
        os.kill(seen()["pid"], 0)
    runs = task_runs(client)
    assert runs["model.a"].state_type == "COMPLETED"
    assert runs["model.b"].state_type == "CANCELLED"
    expected = "dbt was stopped: the run was interrupted."
    assert runs["model.b"].state.message == expected
    assert client.read_flow_runs(limit=1)[0].state_type == "CANCELLED"


def test_a_timeout_in_a_thread_stops_dbt(
    lines: Any, play: Any, client: SyncClient, seen: Callable[[], dict[str, Any]]
) -> None:
    """A task that is submitted and takes too long ends its dbt; the flow goes on meanwhile."""
    dbt = play(lines.start(A), "#hang")

    @task(timeout_seconds=1.5)
    def transform() -> None:
        dbt.build()

    @flow
    def pipeline() -> bool:
        transform.submit().wait()
        deadline = time.monotonic() + 20
        while Path(f"/proc/{seen()['pid']}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return True

    assert pipeline()

    assert task_runs(client)["model.a"].state_type == "CANCELLED"


def test_a_timeout_stops_dbt(lines: Any, play: Any, client: SyncClient) -> None:
    """A task that takes too long ends its dbt before the next one starts."""
    dbt = play(lines.start(A), "#hang")

    @task(timeout_seconds=1.5)
    def transform() -> None:
        dbt.build()

    @flow
    def pipeline() -> None:
        transform(return_state=True)

    pipeline()

    runs = task_runs(client)
    assert runs["transform-0"].state_name == "TimedOut"
    expected = "dbt was stopped: the run took longer than its timeout allows."
    assert runs["model.a"].state.message == expected


def test_rows_are_counted_where_the_database_is_silent(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """Each table that was built has a row count; one that cannot be counted is still built."""
    asked: list[str] = []

    def count(relation: str) -> int:
        asked.append(relation)
        if relation.endswith('"b"'):
            raise ValueError("no such table")
        return 7

    dbt = play(
        lines.whole("seed.shop.s", adapter_response={"rows_affected": 2}),
        lines.whole(A),
        lines.whole(B),
        lines.whole(C, "error", message="no"),
        lines.whole(TEST_A, "pass"),
        "#exit 1",
        count_rows=count,
    )

    result = build_in_flow(dbt, raise_on_failure=False)

    assert asked == ['"shop"."main"."a"', '"shop"."main"."b"']
    runs = task_runs(client)
    assert runs["seed.s"].details["rows"] == 2
    assert runs["model.a"].details["rows"] == 7
    assert "rows" not in runs["model.b"].details
    assert runs["model.b"].state_type == "COMPLETED"
    assert [node.rows for node in result.nodes] == [2, 7, None, None, None]


def test_without_a_manifest_nodes_are_recorded_all_the_same(
    lines: Any, play: Any, client: SyncClient
) -> None:
    """A manifest of another shape costs the edges, not the run."""
    dbt = play("#manifest {", lines.whole(A, "error", message="no"), lines.skip(B))

    build_in_flow(dbt, raise_on_failure=False)

    runs = task_runs(client)
    message = "Skipped by dbt: upstream nodes did not succeed."
    assert runs["model.b"].state.message == message
    last = client.read_flow_runs(limit=1)[0]
    texts = [row.message for _, row in client.read_logs(flow_run_id=last.id)]
    assert any("manifest.json" in text for text in texts)


def test_the_compiled_sql_is_named(lines: Any, play: Any, client: SyncClient) -> None:
    """A node's run says where its SQL can be read."""
    dbt = play(manifest_line(lines.manifest(a=[])), lines.whole(A))
    compiled = dbt.target_path / "compiled/shop/models/a.sql"
    compiled.parent.mkdir(parents=True)
    compiled.write_text("select 1")

    build_in_flow(dbt)

    assert task_runs(client)["model.a"].details["compiled_path"] == str(compiled)


def test_arguments_become_options(
    play: Any, client: SyncClient, seen: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """What the methods take is what dbt gets."""
    del client
    (tmp_path / "profiles.yml").touch()
    dbt = play(profiles_dir=tmp_path, target="prod")
    always = ["--profiles-dir", str(tmp_path), "--target", "prod"]
    always += ["--log-format", "json", "--log-level", "debug"]

    dbt.build(
        ["a+", "b"],
        exclude="c",
        vars={"day": "2026-11-21"},
        full_refresh=True,
        threads=3,
        fail_fast=True,
    )
    assert seen()["argv"] == [
        "build",
        *["--select", "a+", "b", "--exclude", "c"],
        *["--vars", '{"day": "2026-11-21"}', "--threads", "3"],
        *["--fail-fast", "--full-refresh", *always],
    ]
    dbt.run("a", full_refresh=True)
    assert seen()["argv"] == ["run", "--select", "a", "--full-refresh", *always]
    dbt.test(threads=1)
    assert seen()["argv"] == ["test", "--threads", "1", *always]
    result = dbt.command("snapshot", "--select", "it's")
    assert seen()["argv"] == ["snapshot", "--select", "it's", *always]
    assert result.command.startswith("""dbt snapshot --select 'it'"'"'s'""")


def test_dbt_runs_in_the_project_and_writes_to_the_target_folder(
    play: Any, client: SyncClient, seen: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Nothing is sent, nothing is coloured, and one folder takes all that dbt writes; the caller's variables win."""
    del client
    folder = tmp_path / "out"
    dbt = play(target_path=folder, env={"SHOP": "1", "DBT_QUIET": "true"})

    dbt.build()

    assert seen()["cwd"] == str(dbt.project_dir)
    env = seen()["env"]
    assert env["DBT_TARGET_PATH"] == env["DBT_LOG_PATH"] == str(folder)
    assert env["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert env["DBT_USE_COLORS"] == "false"
    assert (env["SHOP"], env["DBT_QUIET"]) == ("1", "true")
    assert env["PATH"] == os.environ["PATH"]
    assert dbt.log_path == folder / "dbt.log"


def test_relative_folders_are_those_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later change of directory, and dbt's own, do not matter."""
    monkeypatch.chdir(tmp_path)

    dbt = DbtProject("shop", profiles_dir="profiles", target_path="out")

    assert dbt.project_dir == tmp_path / "shop"
    assert dbt.profiles_dir == tmp_path / "profiles"
    assert dbt.target_path == tmp_path / "out"


@pytest.mark.parametrize(
    ("missing", "argument"),
    [("dbt_project.yml", "project_dir"), ("profiles.yml", "profiles_dir")],
)
def test_a_folder_without_its_file_is_an_error_before_dbt_starts(
    tmp_path: Path, missing: str, argument: str
) -> None:
    """The message names the folder and the argument."""
    if argument == "profiles_dir":
        (tmp_path / "dbt_project.yml").touch()

    with pytest.raises(DbtProjectError) as caught:
        DbtProject(tmp_path, profiles_dir=tmp_path).build()

    assert (caught.value.missing, caught.value.argument) == (missing, argument)


def test_a_missing_dbt_is_an_error_that_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for beside this Python and on PATH."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "dbt_project.yml").touch()

    with pytest.raises(DbtNotInstalledError) as caught:
        DbtProject(tmp_path).build()

    assert caught.value.looked == (str(tmp_path / "dbt"), "dbt on PATH")
    with pytest.raises(DbtNotInstalledError) as caught:
        DbtProject(tmp_path, executable="/nowhere/dbt").build()
    assert caught.value.looked == ("/nowhere/dbt",)


def test_the_dbt_beside_this_python_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's own environment is used although it is not activated."""
    for folder in ("venv", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dbt").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))

    assert project.find_executable() == str(tmp_path / "venv" / "dbt")

    (tmp_path / "venv" / "dbt").unlink()
    assert project.find_executable() == str(tmp_path / "path" / "dbt")
