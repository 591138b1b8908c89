"""``caudal task-run replay``: what it prints."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

import click

from caudal.cli.status import FAILED
from caudal.replay import load_replay

if TYPE_CHECKING:
    from caudal.model.runs import TaskRunRow
    from caudal.replay import Replay

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def replay_and_show(row: TaskRunRow, *, debug: bool) -> int:
    """Make a recorded call again, print what comes of it, and return the exit status.

    Args:
        row: The task run.
        debug: Start the debugger where an exception was raised.
    """
    replay = load_replay(row)
    click.echo(f"{_call(replay)}  # {row.name}", err=True)
    state = replay.state()
    if state.is_completed():
        click.echo(repr(state.get()))
        return 0
    error = state.exception()
    if not (state.is_failed() or state.is_crashed()):  # those were logged when it ended
        click.echo(f"It is {state}.", err=True)
    if debug:
        import pdb

        pdb.post_mortem(error.__traceback__)
    return FAILED


def _call(replay: Replay) -> str:
    arguments = [_short.repr(value) for value in replay.args]
    arguments += [
        f"{name}={_short.repr(value)}" for name, value in replay.kwargs.items()
    ]
    return f"{replay.task.name}({', '.join(arguments)})"
