"""Commands that look at what is on record, and the command line as a whole."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
import pytest

import caudal
from caudal import flow, get_client, get_run_logger, task
from caudal.checks import record_checks
from caudal.cli import main as command_line
from caudal.exceptions import AmbiguousNameError, CaudalError, ObjectNotFound
from caudal.model.checks import CheckResult, CheckStatus, Severity
from caudal.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    from caudal.engine.engine import Engine
    from caudal.model.views import FlowRun

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


@task
def double(number: int) -> int:
    """Double a number, and say so."""
    get_run_logger().warning("doubling %s", number, extra={"number": number})
    return 2 * number


@task(cache_key_fn=lambda *_: "one")
def cached() -> int:
    """Return what the cache has."""
    return 1


@task
def fail(number: int) -> int:
    """Fail."""
    msg = f"no {number}"
    raise LookupError(msg)


@flow
def child() -> None:
    """Do nothing."""


@flow
def good(numbers: int = 3) -> int:
    """Do some work that completes."""
    get_run_logger().info("beginning")
    child()
    cached()
    cached()
    return double(sum(double(number) for number in range(numbers)))


@flow
def bad() -> None:
    """Do some work that fails."""
    double.submit(fail.submit(1)).wait()
    fail(2)


@pytest.fixture
def runs(engine: Engine) -> dict[str, FlowRun]:
    """Give a flow run that completed and one that failed, by the names of their flows."""
    good()
    bad(return_state=True)
    engine.journal.barrier().wait()
    return {run.flow_name: run for run in get_client().read_flow_runs()}


def walk(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with what is typed for it."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from walk(found, *path, name)


COMMANDS = dict(walk(command_line.caudal, "caudal"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_explains_itself(path: str, succeed: Callable[..., str]) -> None:
    """Help names the command and each of its options, which all say what they are for."""
    text = succeed(*path.split()[1:], "--help")

    assert COMMANDS[path].help
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter
            assert parameter.opts[-1] in text


def test_an_unknown_command_names_the_nearest(invoke: Callable[..., Result]) -> None:
    """A typing error costs one look, in groups too."""
    result = invoke("flow-rum", "ls")
    assert (result.exit_code, "Did you mean 'flow-run'?" in result.stderr) == (2, True)

    result = invoke("flow-run", "inspct", "x")
    assert (result.exit_code, "Did you mean 'inspect'?" in result.stderr) == (2, True)


def test_version_tells_what_runs_here(succeed: Callable[..., str], home: Path) -> None:
    """The ledger's place is part of it."""
    facts = json.loads(succeed("version", "-o", "json"))

    assert list(facts) == ["caudal", "python", "platform", "sqlite", "ledger"]
    assert facts["caudal"] == caudal.__version__
    assert facts["ledger"] == str(home / "caudal.db")
    assert succeed("version").splitlines()[0].split() == ["caudal", caudal.__version__]
    assert succeed("--version") == f"caudal {caudal.__version__}\n"


def test_version_works_with_settings_that_do_not(
    succeed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed to report a problem is there in spite of the problem."""
    monkeypatch.setenv("CAUDAL_DURABILITY", "for ever")

    assert "unknown: setting 'durability'" in succeed("version")


def test_config_view_lists_every_setting(
    succeed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a value, and a source when asked."""
    monkeypatch.setenv("CAUDAL_LOGGING_LEVEL", "debug")
    plain = [line.split() for line in succeed("config", "view").splitlines()]
    told = succeed("config", "view", "--sources")
    settings = json.loads(succeed("config", "view", "-o", "json"))

    assert [line[0] for line in plain] == ["SETTING", *SETTINGS]
    assert ["logging_level", "DEBUG"] in plain
    assert ["logging_colors", "true"] in plain
    assert re.search(r"logging_level +DEBUG +env CAUDAL_LOGGING_LEVEL\n", told)
    assert settings["logging_level"] == {
        "value": "DEBUG",
        "source": "env CAUDAL_LOGGING_LEVEL",
    }
    assert settings["tasks_runner_thread_pool_max_workers"]["value"] is None


@pytest.mark.usefixtures("engine")
def test_an_empty_ledger_says_what_to_do(invoke: Callable[..., Result]) -> None:
    """There is no empty table, and programs get an empty array."""
    result = invoke("flow-run", "ls")
    assert (result.stdout, "caudal run FILE" in result.stderr) == ("", True)
    assert json.loads(invoke("flow-run", "ls", "-o", "json").stdout) == []
    assert "no task runs yet" in invoke("task-run", "ls").stderr
    assert "No flow run fits" in invoke("flow-run", "ls", "--flow", "x").stderr
    assert "No task run fits" in invoke("task-run", "ls", "--task", "x").stderr


def test_flow_runs_are_listed_newest_first(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """A line tells state, age, duration and tasks."""
    lines = succeed("flow-run", "ls").splitlines()

    assert lines[0].split() == [
        "ID",
        "NAME",
        "FLOW",
        "STATE",
        "STARTED",
        "TOOK",
        "TASKS",
    ]
    assert [line.split()[2:4] for line in lines[1:]] == [
        ["bad", "Failed"],
        ["child", "Completed"],
        ["good", "Completed"],
    ]
    assert str(runs["bad"].id).startswith(lines[1].split()[0])
    assert lines[1].endswith("0/3 (2 failed)")
    assert lines[3].endswith("6/6")


@pytest.mark.usefixtures("runs")
def test_lists_can_be_narrowed(
    succeed: Callable[..., str], invoke: Callable[..., Result]
) -> None:
    """By state, flow and number; a list that was cut short says so."""

    def flows(*options: str) -> list[str]:
        listed = json.loads(succeed("flow-run", "ls", "-o", "json", *options))
        return [run["flow_name"] for run in listed]

    assert flows("--state", "failed") == ["bad"]
    assert flows("--state", "failed", "--state", "Completed") == [
        "bad",
        "child",
        "good",
    ]
    assert flows("--flow", "good") == ["good"]
    assert flows("--limit", "2") == ["bad", "child"]
    assert (
        "newest 1; --limit shows more"
        in invoke("flow-run", "ls", "--limit", "1").stderr
    )


def test_a_flow_run_as_json_has_stable_keys(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """Programs may rely on them; the reference lists them."""
    listed = json.loads(succeed("flow-run", "ls", "--flow", "bad", "-o", "json"))[0]
    inspected = json.loads(
        succeed("flow-run", "inspect", "-o", "json", runs["bad"].name)
    )

    assert list(listed) == [
        *("id", "name", "flow_name", "state_type", "state_name", "message"),
        *("created_at", "started_at", "ended_at", "duration_seconds", "run_count"),
        *("attempt", "parameters", "tags", "parent_flow_run_id", "parent_task_run_id"),
        *("task_count", "task_completed", "task_failed", "task_running", "error"),
    ]
    added = (
        "worker",
        "pause",
        "history",
        "tasks",
        "child_flows",
        "failed_task_runs",
        "checks",
    )
    assert list(inspected) == [*listed, *added]
    assert listed["error"]["type"] == "LookupError"
    assert "raise LookupError" in listed["error"]["traceback"]
    assert [entry["state_name"] for entry in inspected["history"]] == [
        "Pending",
        "Running",
        "Failed",
    ]
    assert {group["name"]: group["failed"] for group in inspected["tasks"]} == {
        "fail": 2,
        "double": 0,
    }
    assert [run["message"] for run in inspected["failed_task_runs"]] != []
    reference = REFERENCE.read_text()
    assert [key for key in inspected if f"`{key}`" not in reference] == []


def test_inspect_tells_everything_about_a_flow_run(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """State, parameters, history, tasks, child flows."""
    text = succeed("flow-run", "inspect", str(runs["good"].id)[:18])

    assert re.search(r"state +Completed\n", text)
    assert re.search(r'parameters +\{"numbers": 3\}\n', text)
    assert re.search(rf"file +{re.escape(__file__)}:good\n", text)
    assert re.search(r"\d  Running", text)
    assert re.search(r"double +4 +4 +0 +0 ", text)
    assert re.search(r"cached +2 +2 +1 +0 ", text)
    assert re.search(r"flow child +1 +1 +0 +0 ", text)
    assert "Error" not in text
    assert "called by  " + runs["good"].name in succeed(
        "flow-run", "inspect", runs["child"].id
    )


def test_inspect_shows_what_failed(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """The runs that failed, what was not started because of them, and the error with the user's lines."""
    text = succeed("flow-run", "inspect", runs["bad"].name)

    assert re.search(r"fail-0 .*LookupError: no 1\n", text)
    assert "NOT STARTED" in text
    assert text.rstrip().endswith("LookupError: no 2")


@pytest.mark.usefixtures("engine")
def test_inspect_shows_checks(succeed: Callable[..., str]) -> None:
    """Those that did not pass are told one by one."""

    def result(column: str, status: CheckStatus, message: str) -> CheckResult:
        return CheckResult(
            asset="main.sale",
            check=f"not_null {column}",
            severity=Severity.WARN,
            status=status,
            kind="not_null",
            message=message,
        )

    @flow
    def checked() -> None:
        record_checks(
            [
                result("id", CheckStatus.PASS, "all there"),
                result("price", CheckStatus.WARN, "3 of 9 rows are null"),
            ]
        )

    checked()
    run = get_client().read_flow_runs()[0]

    text = succeed("flow-run", "inspect", run.id)
    assert "Checks: 1 passed, 1 warned\n" in text
    assert "main.sale not_null price  3 of 9 rows are null\n" in text
    assert "all there" not in text


def test_task_runs_are_listed_and_inspected(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """Within a flow run, by task and by state."""
    run = runs["good"]
    lines = succeed(
        "task-run", "ls", "--flow-run", run.name, "--task", "double"
    ).splitlines()
    assert [line.split()[0] for line in lines] == [
        "NAME",
        "double-0",
        "double-1",
        "double-2",
        "double-3",
    ]
    listed = json.loads(succeed("task-run", "ls", "--state", "cached", "-o", "json"))
    assert [found["name"] for found in listed] == ["cached-1"]

    text = succeed("task-run", "inspect", "cached-1", "--flow-run", run.name)

    assert re.search(rf"flow run +{run.name} \({run.id}\)\n", text)
    assert re.search(r"cache key +one\n", text)
    assert re.search(r"\d  Cached", text)
    upstream = succeed(
        "task-run", "inspect", "double-0", "--flow-run", runs["bad"].name
    )
    assert re.search(r"takes results of +fail-0\n", upstream)
    assert "LookupError" in succeed("task-run", "inspect", "fail-1")


def test_a_task_run_as_json_has_stable_keys(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """Programs may rely on them; the reference lists them."""
    arguments = ("double-0", "--flow-run", runs["bad"].name, "-o", "json")
    inspected: dict[str, Any] = json.loads(succeed("task-run", "inspect", *arguments))

    assert list(inspected) == [
        *("id", "flow_run_id", "name", "task_name", "path", "state_type", "state_name"),
        *("message", "created_at", "started_at", "ended_at", "duration_seconds"),
        *("run_count", "tags", "cache_key", "result_key", "upstream", "error"),
        "attempts",
        "history",
    ]
    upstream = get_client().read_task_run(UUID(inspected["upstream"][0]))
    assert upstream.name == "fail-0"
    reference = REFERENCE.read_text()
    assert [key for key in inspected if f"`{key}`" not in reference] == []


def test_logs_name_the_run_that_logged(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """A flow run's logs hold those of its task runs, with their fields."""
    lines = succeed("flow-run", "logs", runs["good"].name).splitlines()

    assert any(
        line.endswith(f"| INFO    | Flow run {runs['good'].name!r} - beginning")
        for line in lines
    )
    assert any(
        line.endswith("| WARNING | Task run 'double-1' - doubling 1 number=1")
        for line in lines
    )
    warnings = succeed("flow-run", "logs", runs["good"].name, "--level", "WARNING")
    assert [line.rpartition(" - ")[2] for line in warnings.splitlines()] == [
        f"doubling {number} number={number}" for number in (0, 1, 2, 6)
    ]


def test_logs_as_json_are_one_object_a_line(
    runs: dict[str, FlowRun], succeed: Callable[..., str]
) -> None:
    """Each can be read as it comes; the reference lists the keys."""
    (line,) = succeed(
        "task-run", "logs", "double-1", "--flow-run", runs["good"].name, "-o", "json"
    ).splitlines()
    entry = json.loads(line)

    assert (entry["level"], entry["message"]) == ("WARNING", "doubling 1")
    assert entry["extra"] == {"number": 1}
    assert entry["flow_run_id"] == str(runs["good"].id)
    reference = REFERENCE.read_text()
    assert [key for key in entry if f"`{key}`" not in reference] == []


@pytest.mark.usefixtures("engine")
def test_followed_logs_end_with_the_run(succeed: Callable[..., str]) -> None:
    """Lines that come later are printed too."""
    started, go_on = threading.Event(), threading.Event()

    @flow
    def talks() -> None:
        started.set()
        assert go_on.wait(30)
        get_run_logger().log(logging.ERROR, "last words")

    thread = threading.Thread(target=talks)
    thread.start()
    assert started.wait(30)
    threading.Timer(0.3, go_on.set).start()

    name = get_client().read_flow_runs()[0].name
    text = succeed("flow-run", "logs", name, "--follow", "--level", "error")
    thread.join()

    assert text.endswith("last words\n")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("command", ["flow-run", "task-run"])
def test_what_is_not_on_record_is_an_error(
    command: str, invoke: Callable[..., Result]
) -> None:
    """Every command that takes a run says so."""
    for action in ("inspect", "logs"):
        with pytest.raises(ObjectNotFound, match="nothing-like-it"):
            invoke(command, action, "nothing-like-it")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ObjectNotFound("flow run", "x"), 2),
        (AmbiguousNameError("flow run", "x", ("1", "2")), 2),
        (CaudalError("the ledger is away. Bring it back."), 1),
    ],
)
def test_errors_are_messages_with_a_status(
    error: CaudalError,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is no traceback unless it is asked for."""

    def raise_error(*_: object) -> None:
        raise error

    monkeypatch.setattr(click.Group, "invoke", raise_error)

    assert command_line.run_command(["version"]) == status
    assert capsys.readouterr() == ("", f"Error: {error}\n")
    with pytest.raises(type(error)):
        command_line.run_command(["--debug", "version"])


def test_usage_errors_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """They have the usage line and status 2; help and versions have status 0."""
    assert command_line.run_command(["flow-run", "ls", "--limit", "none"]) == 2
    assert "Usage: caudal flow-run ls" in capsys.readouterr().err
    assert command_line.run_command(["version"]) == 0
    assert command_line.run_command(["--help"]) == 0


def test_an_interrupt_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in any command has the status that shells know."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "invoke", interrupt)

    assert command_line.run_command(["version"]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["flow-run", "--help"]])
def test_simple_commands_load_little(arguments: list[str]) -> None:
    """What is not needed to answer is not imported."""
    program = (
        "import sys\nfrom caudal.cli.main import run_command\n"
        f"assert run_command({arguments!r}) == 0\n"
        "heavy = {'rich', 'msgspec', 'pydantic', 'cloudpickle', 'asyncio'}\n"
        "heavy |= {'caudal.engine.engine', 'caudal.flows', 'caudal.client'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )

    subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL
    )
