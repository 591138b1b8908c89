"""``caudal run`` and ``caudal flow-run resume``, in this process."""

from __future__ import annotations

import io
import json
import re
import signal
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from caudal import flow, get_client
from caudal.cli import output
from caudal.cli.execution import results_apart
from caudal.cli.main import caudal
from caudal.cli.output import Cell, Column
from caudal.cli.stopping import Signals
from caudal.exceptions import FlowRunNotResumableError, ScriptError
from caudal.model.runs import FlowRunRow
from caudal.resume import load_recorded_flow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from caudal.model.views import FlowRun

pytestmark = pytest.mark.usefixtures("engine")

FLOWS = """
    import signal
    import sys
    import time
    from pathlib import Path
    from caudal import flow, task

    @task
    def double(number):
        return 2 * number

    @task(persist_result=True)
    def kept(number):
        return double(number)

    @flow
    def good(number: int = 3):
        time.sleep(0.3)
        return kept(number)

    @flow
    async def awaited(number: int = 3):
        return number

    @flow
    def bad(text: str = "x" * 3000):
        kept(1)
        double.submit(2).wait()
        if not Path("allowed").exists():
            raise LookupError("not allowed")
        return len(text)

    @flow
    def unhappy():
        from caudal.states import Failed
        return Failed(message="no luck today")

    @flow
    def exits():
        sys.exit(0)

    @flow
    def interrupted():
        signal.raise_signal(signal.SIGINT)

    @flow
    def terminated():
        signal.raise_signal(signal.SIGTERM)

    @flow
    def odd():
        return object()
"""


@pytest.fixture(autouse=True)
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file of flows in the working directory."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "flows_of_test.py"
    file.write_text(dedent(FLOWS))
    return file


@pytest.fixture
def run(flows: Path, invoke: Callable[..., Result]) -> Callable[..., Result]:
    """Give a function that runs one of the flows."""

    def run_flow(name: str, *arguments: str) -> Result:
        return invoke("run", f"{flows}:{name}", *arguments)

    return run_flow


def last_run() -> FlowRun:
    """Return the newest flow run."""
    return get_client().read_flow_runs()[0]


def test_the_summary_tells_how_it_went(run: Callable[..., Result]) -> None:
    """Tasks, state, and the command that tells more."""
    result = run("good", "-p", "number=4")

    name = last_run().name
    assert result.exit_code == 0
    assert re.search(
        r"\nTASK +RUNS .*\nkept +1 +1 +0 +0 .*\n  double +1 +1 +0 +0 ", result.stderr
    )
    assert f"\nFlow run {name} of flow good: Completed after " in result.stderr
    assert f"  caudal flow-run inspect {name}   what ran" in result.stderr
    assert "resume" not in result.stderr


def test_an_async_flow_gets_an_event_loop(run: Callable[..., Result]) -> None:
    """It needs nothing else."""
    assert run("awaited").exit_code == 0


@pytest.mark.parametrize(
    ("name", "status", "state", "text"),
    [
        ("bad", 1, "Failed", "LookupError: not allowed"),
        ("unhappy", 1, "Failed", "no luck today"),
        ("exits", 1, "Crashed", "SystemExit: 0"),
        ("interrupted", 130, "Cancelled", "The flow run was interrupted."),
        ("terminated", 143, "Cancelled", "The flow run was interrupted."),
    ],
)
def test_the_status_tells_how_a_run_ended(
    run: Callable[..., Result], name: str, status: int, state: str, text: str
) -> None:
    """So do the last lines, with the reason and the way on."""
    result = run(name)

    assert (result.exit_code, last_run().state_name) == (status, state)
    assert f"of flow {name}: {state}" in result.stderr
    assert text in result.stderr.rpartition(f": {state}")[2]
    assert "caudal flow-run resume" in result.stderr


def test_a_failed_run_is_resumed_by_its_name(
    run: Callable[..., Result], invoke: Callable[..., Result], flows: Path
) -> None:
    """The summary tells how much was there already."""
    run("bad", "-p", "text=abc")
    name = last_run().name
    (flows.parent / "allowed").touch()

    result = invoke("flow-run", "resume", name)

    assert result.exit_code == 0
    assert "1 task runs were taken over from an earlier attempt." in result.stderr
    assert last_run().name == name


def test_a_run_whose_parameters_were_not_kept_is_resumed_with_given_ones(
    run: Callable[..., Result], flows: Path
) -> None:
    """Without them it is refused before it is touched."""
    run("bad")
    name = last_run().name
    (flows.parent / "allowed").touch()

    with pytest.raises(FlowRunNotResumableError, match="Give them once more"):
        run("bad", "--resume", name)

    assert last_run().attempt == 1
    assert run("bad", "--resume", name, "-p", "text=xyz").exit_code == 0


def test_a_run_of_no_file_is_resumed_by_file_only() -> None:
    """The message shows the command."""
    row = FlowRunRow(b"1" * 16, "calm-bay", "f", "FAILED", "Failed", 1.0, 1.0)

    with pytest.raises(ScriptError, match="caudal run FILE:FLOW --resume calm-bay"):
        load_recorded_flow(row)


def test_the_outcome_as_json_is_all_of_stdout(
    flows: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no form in JSON is null."""
    outcomes = []
    for name in ("good", "bad", "odd"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["caudal"])
            with pytest.raises(SystemExit):
                caudal.main(["run", f"{flows}:{name}", "-o", "json"])
        outcomes.append(json.loads(capfd.readouterr().out))
    good, bad, odd = outcomes

    assert list(good) == [
        *("flow_run_id", "name", "flow_name", "state_type", "state_name", "message"),
        *("started_at", "ended_at", "duration_seconds", "result", "error"),
        *("tasks", "child_flows"),
    ]
    assert (good["result"], bad["result"], odd["result"]) == (6, None, None)
    assert bad["error"]["message"] == "not allowed"


def test_stdout_is_left_alone_for_people() -> None:
    """Only programs need it for themselves."""
    with results_apart("text") as results:
        assert results is None


def test_a_later_interrupt_waits_until_the_first_has_had_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the time of grace a second one is dropped; after it, it counts again."""
    at = 100.0
    monkeypatch.setattr("caudal.cli.stopping.monotonic", lambda: at)
    with Signals(is_async=False) as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        at = 200.0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    assert signals.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_name_that_several_runs_have_is_replaced_by_the_id() -> None:
    """What the summary says to type means this run."""

    @flow(flow_run_name="nightly")
    def nightly() -> None:
        raise ValueError

    nightly(return_state=True)
    nightly(return_state=True)
    newest = last_run()

    result = CliRunner().invoke(caudal, ["flow-run", "inspect", "nightly"])
    assert "fits more than one flow run" in str(result.exception)
    assert str(newest.id) in str(result.exception)


def test_tables_on_a_terminal_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have a rule under the titles. Texts are wrapped, but no id or name is broken, however narrow it is."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    name = "a-name-that-is-longer-than-the-terminal"

    output.print_table(
        [Column("Name"), Column("Note"), Column("Runs", is_number=True)],
        [[Cell(name, "red"), "several words", "7"]],
    )

    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    title, rule, *rows = text.splitlines()
    assert title.split() == ["Name", "Note", "Runs"]
    assert set(rule) == {"─"}
    assert [row.split() for row in rows] == [[name, "several", "7"], ["words"]]
