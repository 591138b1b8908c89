"""Prints what runs logged, and what they go on to log."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from caudal.cli.output import format_moment
from caudal.cli.records import log_record
from caudal.client import get_client
from caudal.clock import monotonic
from caudal.engine.composition import current_engine
from caudal.model.views import utc

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.model.runs import LogRow

_PAGE = 5000
_POLL_SECONDS = 0.25
#: Style of log lines that are more or less severe than usual.
LEVEL_STYLES = {
    logging.DEBUG: "bright_black",
    logging.WARNING: "yellow",
    logging.ERROR: "red",
    logging.CRITICAL: "red",
}
#: How often a follower looks for runs whose process died.
_SWEEP_SECONDS = 5.0


def print_logs(
    where: dict[str, UUID],
    level: str,
    output: str,
    *,
    has_ended: Callable[[], bool],
    follow: bool,
) -> None:
    """Print the log lines of a run.

    Args:
        where: ``flow_run_id`` or ``task_run_id`` of the run.
        level: The least severe level to print.
        output: ``text`` for people, ``json`` for one object a line.
        has_ended: Says whether the run has ended.
        follow: Go on with new lines until the run has ended.
    """
    printer = _Printer(level, output)
    swept_at = monotonic()
    while True:
        last_look = not follow or has_ended()
        printer.print_new(where)
        if last_look:
            return
        time.sleep(_POLL_SECONDS)
        if monotonic() - swept_at >= _SWEEP_SECONDS:
            swept_at = monotonic()
            current_engine().sweep()


class _Printer:
    """Prints each line once."""

    def __init__(self, level: str, output: str) -> None:
        self._least: int = getattr(logging, level.upper())
        self._output = output
        self._position = 0
        self._names: dict[bytes, str] = {}

    def print_new(self, where: dict[str, Any]) -> None:
        client = get_client()
        while True:
            lines = client.read_logs(**where, since=self._position, limit=_PAGE)
            for position, row in lines:
                self._position = position
                if row.level >= self._least:
                    self._print(position, row)
            if len(lines) < _PAGE:
                return

    def _print(self, position: int, row: LogRow) -> None:
        if self._output == "json":
            click.echo(json.dumps(log_record(position, row), ensure_ascii=False))
            return
        extra = "".join(
            f" {name}={value!r}" for name, value in (row.extra or {}).items()
        )
        line = f"{format_moment(utc(row.at))} | {logging.getLevelName(row.level):<7} | {self._source(row)} - {row.message}{extra}"
        click.echo(
            click.style(line, fg=LEVEL_STYLES[row.level])
            if row.level in LEVEL_STYLES
            else line
        )

    def _source(self, row: LogRow) -> str:
        if row.task_run_id is not None:
            return f"Task run {self._name(row.task_run_id, 'task')!r}"
        return f"Flow run {self._name(row.flow_run_id or b'', 'flow')!r}"

    def _name(self, run_id: bytes, kind: str) -> str:
        if run_id not in self._names:
            ledger = current_engine().ledger
            row = ledger.task_run(run_id) if kind == "task" else ledger.flow_run(run_id)
            self._names[run_id] = (
                row.name if row is not None else str(UUID(bytes=run_id))
            )
        return self._names[run_id]
