"""What is shown while a flow runs."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from caudal.cli import display
from caudal.cli.display import LiveDisplay, PlainDisplay, Silence, make_display
from caudal.engine import logs
from caudal.model.progress import Progress
from caudal.model.runs import FlowRunChange, Move, TaskRunChange
from caudal.settings import load_settings, temporary_settings

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1000.0


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give a function that sets the displays' clock."""

    def set_clock(at: float) -> None:
        monkeypatch.setattr(display, "timestamp", lambda: at)

    set_clock(NOW)
    return set_clock


def make_progress(**tasks: str) -> Progress:
    """Return the progress of a flow run: for each task the states of its runs, one letter each."""
    moves = {
        "w": [],
        "r": [Move("RUNNING", "Running", NOW)],
        "c": [Move("RUNNING", "Running", NOW), Move("COMPLETED", "Completed", NOW + 2)],
        "k": [Move("COMPLETED", "Cached", NOW)],
        "f": [Move("RUNNING", "Running", NOW), Move("FAILED", "Failed", NOW + 2)],
        "x": [Move("CANCELLED", "Cancelled", NOW)],
        "n": [Move("PENDING", "NotReady", NOW)],
    }
    progress = Progress(b"f")
    progress.change_flow_run(
        b"f",
        FlowRunChange(
            [Move("RUNNING", "Running", NOW)], name="calm-bay", flow_name="etl"
        ),
    )
    for name, letters in tasks.items():
        for place in range(len(letters)):
            pending = TaskRunChange([Move("PENDING", "Pending", NOW)], task_name=name)
            progress.change_task_run(f"{name}{place}".encode(), b"f", pending)
        for place, letter in enumerate(letters):
            change = TaskRunChange(moves[letter])
            progress.change_task_run(f"{name}{place}".encode(), b"f", change)
    return progress


def rendered(
    progress: Progress, *, height: int = 30, stopping: bool = False, utf8: bool = True
) -> str:
    """Return what a terminal of 100 columns shows two seconds later."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(
        raw, encoding="utf-8" if utf8 else "ascii", errors="backslashreplace"
    )
    console = Console(file=stream, width=100, height=height, force_terminal=False)
    console.print(
        display.render(progress, console, NOW + 2, NOW - 10, stopping=stopping)
    )
    stream.flush()
    return "\n".join(line.rstrip() for line in raw.getvalue().decode().splitlines())


def test_a_line_for_each_task_tells_its_counts() -> None:
    """Mapped tasks have a bar; what is not there is not mentioned."""
    shown = rendered(make_progress(extract="c", forecast="ccrrwf", load="kkkk"))

    heading, extract, forecast, load = shown.splitlines()
    assert heading.endswith("calm-bay · flow etl · 12.0s")
    assert extract.split() == ["✓", "extract", "2.0s"]
    assert forecast.split()[0] == "▸"
    assert "━━━" in forecast
    assert forecast.split()[3:] == ["3/6", "2.0s", "2", "running", "1", "failed"]
    assert load.split()[-2:] == ["4", "cached"]


def test_marks_tell_waiting_failed_and_cancelled_tasks() -> None:
    """A task is well only when all its runs completed."""
    shown = rendered(make_progress(waits="w", fails="cf", stops="x", blocked="n"))

    marks = {line.split()[1]: line.split()[0] for line in shown.splitlines()[1:]}
    assert marks == {"waits": "·", "fails": "✗", "stops": "✗", "blocked": "✗"}
    assert "1 cancelled" in shown
    assert "1 not started" in shown


def add_child_flow(progress: Progress) -> None:
    """Add a child flow run with one task run."""
    made = FlowRunChange(
        [Move("RUNNING", "Running", NOW)],
        flow_name="child",
        parent_flow_run_id=b"f".hex(),
    )
    progress.change_flow_run(b"c", made)
    change = TaskRunChange(
        [Move("RUNNING", "Running", NOW), Move("COMPLETED", "Completed", NOW + 1)],
        task_name="step",
    )
    progress.change_task_run(b"s", b"c", change)


def test_child_flows_have_lines_too() -> None:
    """What they call stands below them."""
    progress = make_progress()
    add_child_flow(progress)

    child, step = rendered(progress).splitlines()[1:]
    assert child.split()[:3] == ["▸", "flow", "child"]
    assert step.startswith("  ✓    step ")


def test_the_heading_tells_states_that_are_not_plain_running() -> None:
    """A flow that waits for its retry or is stopping says so."""
    progress = make_progress()
    assert "stopping" in rendered(progress, stopping=True)

    waits = FlowRunChange([Move("SCHEDULED", "AwaitingRetry", NOW)])
    progress.change_flow_run(b"f", waits)

    assert rendered(progress).endswith("AwaitingRetry")


def test_a_small_terminal_shows_the_tasks_that_matter() -> None:
    """Running and failed tasks stay, and the number of the others is told."""
    tasks = {f"done{number}": "c" for number in range(20)}
    progress = make_progress(busy="r", **tasks, broken="f", last="c")

    shown = rendered(progress, height=9)

    names = [line.split()[1] for line in shown.splitlines()[1:-1]]
    assert names == ["busy", "broken", "last"]
    assert shown.splitlines()[-1] == "  and 20 more"


def test_a_terminal_without_unicode_gets_plain_marks() -> None:
    """Nothing is shown that the terminal's encoding has no form for."""
    shown = rendered(make_progress(a="r", b="c", c="f", d="w"), utf8=False)

    assert [line.split()[0] for line in shown.splitlines()[1:]] == [">", "+", "x", "."]


def test_plain_lines_are_few(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A task gets a line when its runs have been done for a second, and not again."""
    plain = PlainDisplay()
    running, done = make_progress(load="c" * 500 + "r"), make_progress(load="c" * 500)

    with plain:
        for tenth in range(30):
            clock(NOW + 2 + tenth / 10)
            plain.show(running if tenth < 10 else done)

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("| TASKS   | load - 500 done in 2.0s")


def test_plain_lines_come_now_and_then_while_a_task_goes_on(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A long task is heard of every ten seconds if something happened."""
    plain = PlainDisplay()

    for second in range(35):
        clock(NOW + second)
        plain.show(make_progress(load="c" * (second // 2) + "rrf"))

    lines = [
        line.partition("| TASKS   | ")[2]
        for line in capsys.readouterr().err.splitlines()
    ]
    assert lines == [
        "load - 6 of 8 done, 2 running, 1 failed",
        "load - 11 of 13 done, 2 running, 1 failed",
        "load - 16 of 18 done, 2 running, 1 failed",
    ]


def test_the_last_plain_line_of_a_task_is_true(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A task that was told to be at work is told to be done, at once when the run ends and else after a second."""
    plain = PlainDisplay()
    clock(NOW + 11)
    plain.show(make_progress(load="c" * 22 + "rr", other="c" * 9 + "r"))
    for tenth in range(15):
        clock(NOW + 12 + tenth / 10)
        plain.show(make_progress(load="c" * 24, other="c" * 9 + "r"))
    plain.finish(make_progress(load="c" * 24, other="c" * 10, last="c"))

    lines = [line.partition("| TASKS   | ")[2] for line in capsys.readouterr().err.splitlines()]  # fmt: skip
    assert lines == [
        "load - 22 of 24 done, 2 running",
        "other - 9 of 10 done, 1 running",
        "load - 24 done in 2.0s",
        "other - 10 done in 2.0s",
    ]


def test_plain_lines_name_the_flow_of_a_task(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Child flows and their tasks are told, with the way that leads to them."""
    plain = PlainDisplay()
    progress = make_progress()
    add_child_flow(progress)

    for second in range(3):
        clock(NOW + second)
        plain.show(progress)

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("| child / step - 1 done in 1.0s")


def test_the_display_fits_where_stderr_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON logs are left alone, terminals are drawn on, anything else gets lines."""
    settings = load_settings()

    def chosen() -> type:
        return type(make_display(settings, lambda: False))

    assert chosen() is PlainDisplay
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert chosen() is LiveDisplay
    monkeypatch.setenv("TERM", "dumb")
    assert chosen() is PlainDisplay
    with temporary_settings({"logging_format": "json"}) as for_programs:
        assert type(make_display(for_programs, lambda: False)) is Silence


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not a line is written."""
    with Silence() as silence:
        silence.show(make_progress(load="c"))

    assert capsys.readouterr() == ("", "")


def test_the_live_display_leaves_log_lines_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lines are printed above the display, which is gone at the end; the log handler is itself again."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with LiveDisplay(lambda: False, colors=True) as live:
        assert logs.console.write_line is None
        live.show(make_progress(load="r"))
        logs.console.write_line(
            "12:00:00.000 | ERROR   | Task run 'load-0' - no [bold]", logging.ERROR
        )
        live.show(make_progress(load="c"))

    assert logs.console.write_line is None
    written = terminal.getvalue()
    assert "Task run 'load-0' - no [bold]" in written
    assert written.endswith("\x1b[2K")
    assert sys.stderr is terminal


def test_a_breakpoint_closes_the_live_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """A debugger has the terminal to itself from then on."""
    stopped: list[str] = []
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "breakpointhook", lambda: stopped.append("here"))

    with LiveDisplay(lambda: False, colors=False) as live:
        live.show(make_progress(load="r"))
        breakpoint()
        live.show(make_progress(load="c"))

    assert stopped == ["here"]
    assert "✓" not in sys.stderr.getvalue()  # type: ignore[attr-defined]
