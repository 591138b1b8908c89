"""Loggers of runs: what they log goes to the console and, with the run's id, into the ledger.

Loggers are the standard library's, below ``caudal``. They hand records to handlers of ours: ``LedgerHandler`` puts a
row into the journal, ``console`` prints. Prints of runs with ``log_prints`` become records through a print function that
looks at the run in charge, so that it is right in threads too.
"""

from __future__ import annotations

import builtins
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.context import current
from caudal.engine.masking import is_hiding, masked, masked_json
from caudal.model.ids import format_id
from caudal.model.jsonable import jsonable
from caudal.model.runs import LogRow
from caudal.model.views import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from caudal.engine.parts import Run
    from caudal.ledger.port import Batch

#: Characters of a log line that are kept; longer ones are cut, never dropped.
MAX_MESSAGE_CHARACTERS = 100_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}
_install_lock = threading.Lock()
_plain_print = builtins.print

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class RunLogger(_Adapter):
    """A logger that knows its run; ``extra=`` fields are kept as JSON."""

    def __init__(
        self, logger: logging.Logger, run: Any, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(logger, fields or {})
        self.run: Any = run

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the run to a record's fields."""
        given = cast("Mapping[str, Any]", kwargs.get("extra") or {})
        own = cast("Mapping[str, Any]", self.extra)
        kwargs["extra"] = {**own, **given, "caudal_run": self.run}
        return msg, kwargs

    def getChild(  # noqa: N802 - logging's name
        self, suffix: str, extra: Mapping[str, Any] | None = None
    ) -> RunLogger:
        """Return a logger of the same run under a longer name.

        Args:
            suffix: What to add to the name.
            extra: Fields to add to every line.
        """
        fields = {**cast("Mapping[str, Any]", self.extra), **(extra or {})}
        return RunLogger(self.logger.getChild(suffix), self.run, fields)


def task_logger(run: Run) -> RunLogger:
    """Return the logger of a task run."""
    return RunLogger(logging.getLogger("caudal.task_runs"), run)


def flow_logger(scope: Run) -> RunLogger:
    """Return the logger of a flow run."""
    return RunLogger(logging.getLogger("caudal.flow_runs"), scope)


def run_logger(run: Any, fields: Mapping[str, Any] | None = None) -> RunLogger:
    """Return the logger of a run.

    Args:
        run: A flow or task run, or as much of one as a logger asks for.
        fields: Fields to add to every line.
    """
    kind = "flow_runs" if run is run.scope else "task_runs"
    return RunLogger(logging.getLogger(f"caudal.{kind}"), run, fields)


class LedgerHandler(logging.Handler):
    """Puts the records of runs into the journal of the run's engine."""

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record into the journal; one outside of runs is left to the console."""
        run: Run | None = getattr(record, "caudal_run", None) or current.get()
        if run is None or run.id is None:
            return
        row = LogRow(
            record.created,
            record.levelno,
            record.name,
            whole_text(record)[:MAX_MESSAGE_CHARACTERS],
            run.scope.id,
            None if run is run.scope else run.id,
            structured(record),
        )
        run.scope.journal.put(LogItem(row))


class LogItem:
    """A log line on its way into the ledger."""

    __slots__ = ("row",)

    row: LogRow

    def __init__(self, row: LogRow) -> None:
        self.row = row

    def collect(self, batch: Batch) -> None:
        """Add the line to a batch."""
        row = self.row
        if is_hiding():
            message, extra = masked(row.message), masked_json(row.extra)
            row = row._replace(message=message, extra=extra)
        batch.logs.append(row)


def text_of(record: logging.LogRecord) -> str:
    """Return what a record says; where its arguments do not fit its text, both as they were given."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever formatting the user's values raises
        try:
            given = f"{record.msg} % {record.args!r}"
        except Exception:  # noqa: BLE001
            is_text = isinstance(record.msg, str)
            given = record.msg if is_text else f"a {type(record.msg).__name__}"
        return f"{given} (not formatted: {type(error).__name__}: {error})"


def whole_text(record: logging.LogRecord) -> str:
    """Return what a record says, and the traceback of its exception where it has one."""
    text = text_of(record)
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text


def structured(record: logging.LogRecord) -> dict[str, Any] | None:
    """Return a record's ``extra=`` fields as JSON-ready values; what JSON does not know becomes text, long values are cut."""
    given = {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and not name.startswith("caudal_")
    }
    return jsonable(given) if given else None


class ConsoleFormatter(logging.Formatter):
    """Writes a record as ``time | LEVEL | run - message``; its fields are for programs, in the ledger and in JSON."""

    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        run: Run | None = getattr(record, "caudal_run", None)
        if run is None:
            source = record.name
        else:
            source = f"{'Flow' if run is run.scope else 'Task'} run {run.name!r}"
        stamp = f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}"
        return f"{stamp} | {record.levelname:<7} | {source} - {whole_text(record)}"


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object a line; ``extra=`` fields whose names are taken stand under ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        run: Run | None = getattr(record, "caudal_run", None)
        fields: dict[str, Any] = {
            "at": utc(record.created).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": text_of(record),
        }
        if run is not None:
            fields.update(_run_fields(run))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        given = structured(record) or {}
        taken = {name: given.pop(name) for name in fields if name in given}
        if taken:
            given["extra"] = {**taken, "extra": given["extra"]} if "extra" in given else taken  # fmt: skip
        return json.dumps({**fields, **given}, default=str)


def _run_fields(run: Run) -> dict[str, Any]:
    """Return names and ids of a run and its flow run."""
    fields: dict[str, Any] = {}
    scope = run.scope
    if scope.id is not None:
        fields = {"flow_run": scope.name, "flow_run_id": format_id(scope.id)}
    if run is not scope and run.id is not None:
        fields |= {"task_run": run.name, "task_run_id": format_id(run.id)}
    return fields


class ConsoleHandler(logging.StreamHandler[Any]):
    """Writes to whatever ``sys.stderr`` is at the time, so that captured and redirected output works."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        #: Set by a live display to print above itself: called with a line and its level.
        self.write_line: Any = None

    @property
    def stream(self) -> Any:
        """Where lines go."""
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        pass

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without secrets."""
        return masked(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; records marked ``caudal_quiet`` are for the ledger only."""
        if getattr(record, "caudal_quiet", False):
            return
        if self.write_line is None:
            super().emit(record)
        else:
            self.write_line(self.format(record), record.levelno)


console: ConsoleHandler = ConsoleHandler()


def install(level: str, form: str) -> None:
    """Attach caudal's handlers to the ``caudal`` logger, once; set its level and the console's form.

    Args:
        level: Name of the lowest level that is logged.
        form: ``console`` for people, ``json`` for programs.
    """
    root = logging.getLogger("caudal")
    if console in root.handlers:
        return
    with _install_lock:
        if console not in root.handlers:
            root.setLevel(level)
            console.setFormatter(
                JsonFormatter() if form == "json" else ConsoleFormatter()
            )
            root.addHandler(console)
            root.addHandler(LedgerHandler())
            root.propagate = False


def capture_prints() -> None:
    """Make ``print`` log for runs that ask for it; elsewhere it prints as ever."""
    if builtins.print is not _run_print:
        builtins.print = _run_print


def _run_print(*values: Any, **options: Any) -> None:
    run = current.get()
    target = options.get("file")
    if run is None or not wants_prints(run) or target not in (None, sys.stdout):
        _plain_print(*values, **options)
        return
    separator = options.get("sep")
    text = (" " if separator is None else separator).join(map(str, values))
    run_logger(run).info("%s", text)


def wants_prints(run: Run) -> bool:
    """Say whether a run's prints are to be logged."""
    if run is run.scope:
        return run.scope.log_prints
    own = run.spec.log_prints
    return run.scope.log_prints if own is None else own
