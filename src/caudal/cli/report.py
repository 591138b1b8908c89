"""What ``caudal run`` says at the end."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from caudal.cli.counts import print_groups
from caudal.cli.output import (
    STATE_STYLES,
    Cell,
    Column,
    format_duration,
    format_moment,
    print_heading,
    print_table,
    state_cell,
    styled,
)
from caudal.cli.records import error_record, flow_run_record, group_records
from caudal.engine.tracebacks import user_traceback
from caudal.exceptions import CaudalError
from caudal.model.views import utc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from caudal.model.attempts import Attempt
    from caudal.model.checks import CheckResult
    from caudal.model.progress import Progress
    from caudal.model.runs import Move
    from caudal.model.views import FlowRun, TaskRun
    from caudal.states import State

_KEYS = (
    "name",
    "flow_name",
    "state_type",
    "state_name",
    "message",
    "started_at",
    "ended_at",
    "duration_seconds",
)


def print_result(
    run: FlowRun, progress: Progress, state: State[Any] | None, results: TextIO
) -> None:
    """Print the outcome of a run as one JSON object.

    Args:
        run: The run, ended.
        progress: Its task runs.
        state: Its last state; None when it was stopped.
        results: Where to print.
    """
    record = flow_run_record(run)
    outcome = {
        "flow_run_id": record["id"],
        **{key: record[key] for key in _KEYS},
        "result": _jsonable(state.data)
        if state is not None and state.is_completed()
        else None,
        "error": error_record(run),
        **group_records(progress.root),
    }
    print(json.dumps(outcome, indent=2, ensure_ascii=False), file=results, flush=True)


def print_report(
    run: FlowRun,
    progress: Progress,
    checks: Iterable[CheckResult],
    error: BaseException | None,
) -> None:
    """Print for people how a run ended and what to type next, on stderr.

    Args:
        run: The run, ended.
        progress: Its task runs.
        checks: What its checks found.
        error: What made it fail.
    """
    if progress.root.members:
        click.echo(err=True)
        print_groups(progress.root, err=True)
    click.echo(err=True)
    counted = check_summary(checks)
    if counted:
        click.echo(counted, err=True)
    if progress.restored:
        click.echo(
            f"{progress.restored} task runs were taken over from an earlier attempt.",
            err=True,
        )
    _print_end(run, error)


def print_next(run: FlowRun, handle: str) -> None:
    """Print the commands that tell more about a run, on stderr.

    Args:
        run: The run, ended.
        handle: A name or id that means this run.
    """
    commands = [("inspect", "what ran, step by step")]
    if not run.state.is_completed():
        commands += [("logs", "what it logged"), ("resume", "go on where it stopped")]
    lines = [
        (f"  caudal flow-run {command} {handle}", purpose)
        for command, purpose in commands
    ]
    width = max(len(line) for line, _ in lines) + 3
    click.echo(err=True)
    for line, purpose in lines:
        click.echo(
            f"{line:<{width}}{click.style(purpose, fg='bright_black')}", err=True
        )


def check_summary(checks: Iterable[CheckResult]) -> str:
    """Return how many checks ended how, in one line; empty when there are none."""
    counts = Counter(check.status.value for check in checks)
    words = (
        ("pass", "passed", "green"),
        ("warn", "warned", "yellow"),
        ("fail", "failed", "red"),
        ("error", "could not run", "red"),
        ("skipped", "skipped", "bright_black"),
    )
    parts = [
        styled(Cell(f"{counts[status]} {word}", style))
        for status, word, style in words
        if counts[status]
    ]
    return f"Checks: {', '.join(parts)}" if parts else ""


def print_history(moves: Iterable[Move]) -> None:
    """Print the states a run was in, one a line."""
    for move in moves:
        state = styled(Cell(f"{move.name:<14}", STATE_STYLES[move.type]))
        text = f"{format_moment(utc(move.at))}  {state}  {move.message or ''}"
        click.echo(text.rstrip())


def print_attempts(attempts: Iterable[Attempt]) -> None:
    """Print what each try of a task run took, one a line."""
    names = ("Waited", "Ran", "Processor", "Memory")
    columns = (Column("State"), *(Column(name, is_number=True) for name in names))
    print_table(
        columns,
        [
            [
                attempt.state_name or "Running",
                format_duration(attempt.queue_seconds),
                format_duration(attempt.wall_seconds),
                format_duration(attempt.cpu_seconds),
                ""
                if attempt.peak_memory_bytes is None
                else f"{attempt.peak_memory_bytes / 2**20:.0f} MiB",
            ]
            for attempt in attempts
        ],
    )


def print_error(run: FlowRun | TaskRun) -> None:
    """Print what made a run fail or crash, if it did."""
    error = error_record(run)
    if error is not None and not run.state.is_cancelled():
        print_heading("Error")
        click.echo(
            (error["traceback"] or f"{error['type']}: {error['message']}").rstrip()
        )


def _print_end(run: FlowRun, error: BaseException | None) -> None:
    took = format_duration(run.duration_seconds)
    name = click.style(run.name, bold=True)
    state = styled(state_cell(run.state_type, run.state_name))
    click.echo(
        f"Flow run {name} of flow {run.flow_name}: {state}{' after ' + took if took else ''}",
        err=True,
    )
    if run.state.is_completed():
        return
    if isinstance(error, CaudalError):
        click.echo(str(error), err=True)
    elif error is not None:
        click.echo(user_traceback(error), err=True)
    elif run.state.message:
        click.echo(run.state.message, err=True)


def _jsonable(value: Any) -> Any:
    """Return a value that JSON can hold, or None."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return value
