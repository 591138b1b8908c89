"""Loggers for flows and tasks."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

from caudal.engine.context import current
from caudal.engine.logs import ConsoleFormatter, JsonFormatter, RunLogger, run_logger
from caudal.exceptions import MissingContextError

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from uuid import UUID

    from caudal.context import FlowRunContext, TaskRunContext
    from caudal.flows import Flow
    from caudal.model.views import FlowRun, TaskRun
    from caudal.tasks import Task

__all__ = [
    "ConsoleFormatter",
    "JsonFormatter",
    "LogEavesdropper",
    "RunLogger",
    "disable_logger",
    "disable_run_logger",
    "flow_run_logger",
    "get_logger",
    "get_run_logger",
    "task_run_logger",
]

#: The loggers that lines of runs go through.
_RUN_LOGGERS = ("caudal.flow_runs", "caudal.task_runs")


def get_run_logger(
    context: FlowRunContext | TaskRunContext | None = None, **kwargs: Any
) -> RunLogger | logging.Logger:
    """Return the logger of the run whose code calls this; its lines are kept with the run.

    Fields given as ``extra={...}`` to a log call are kept as JSON beside the message.

    Args:
        context: The run, from ``get_run_context()``; by default the one in charge here.
        kwargs: Fields to add to every line.

    Raises:
        MissingContextError: There is no run here.
    """
    if context is not None:
        task_run = getattr(context, "task_run", None)
        if task_run is not None:
            return task_run_logger(task_run, **kwargs)
        return flow_run_logger(cast("FlowRunContext", context).flow_run, **kwargs)
    run = current.get()
    if run is not None:
        return run_logger(run, kwargs)
    if all(logging.getLogger(name).disabled for name in _RUN_LOGGERS):
        return logging.getLogger(_RUN_LOGGERS[0])
    raise MissingContextError("get_run_logger()")


def get_logger(name: str | None = None) -> logging.Logger:
    """Return a logger below ``caudal``; lines logged inside runs are kept with the run.

    Args:
        name: Name below ``caudal``; None is ``caudal`` itself.
    """
    if name is None or name == "caudal":
        return logging.getLogger("caudal")
    return logging.getLogger(name if name.startswith("caudal.") else f"caudal.{name}")


def flow_run_logger(
    flow_run: FlowRun | None = None,
    flow: Flow[..., Any] | None = None,
    flow_run_id: UUID | None = None,
    **kwargs: Any,
) -> RunLogger:
    """Return the logger of a flow run, for code outside of it such as a hook.

    Args:
        flow_run: The flow run, as hooks and the client give it.
        flow: Its flow.
        flow_run_id: Its id, where the flow run itself is not at hand.
        kwargs: Fields to add to every line.

    Raises:
        TypeError: Neither a flow run nor an id is given.
    """
    del flow  # the flow run knows its name
    from caudal.engine.log_subjects import FlowRunSubject  # noqa: PLC0415 - with the engine

    if flow_run is not None:
        return run_logger(FlowRunSubject(flow_run.id, flow_run.name), kwargs)
    if flow_run_id is None:
        msg = "flow_run_logger() needs a flow run, or a flow_run_id"
        raise TypeError(msg)
    return run_logger(FlowRunSubject(flow_run_id, None), kwargs)


def task_run_logger(
    task_run: TaskRun,
    task: Task[..., Any] | None = None,
    flow_run: FlowRun | None = None,
    flow: Flow[..., Any] | None = None,
    **kwargs: Any,
) -> RunLogger:
    """Return the logger of a task run, for code outside of it such as a hook.

    Args:
        task_run: The task run, as hooks and the client give it.
        task: Its task.
        flow_run: Its flow run, for the name in lines written as JSON.
        flow: Its flow.
        kwargs: Fields to add to every line.
    """
    del task, flow  # the task run knows its name
    from caudal.engine.log_subjects import FlowRunSubject, TaskRunSubject  # noqa: PLC0415 - with the engine

    scope = FlowRunSubject(task_run.flow_run_id, flow_run.name if flow_run else None)
    return run_logger(TaskRunSubject(task_run.id, task_run.name, scope), kwargs)


@contextmanager
def disable_logger(name: str) -> Generator[None]:
    """Have a logger log nothing within a ``with`` block.

    Args:
        name: The logger's whole name.
    """
    logger = logging.getLogger(name)
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def disable_run_logger() -> Generator[None]:
    """Have runs log nothing within a ``with`` block, and `get_run_logger` work without a run.

    It is for tests that call the function of a task, ``my_task.fn()``.
    """
    with disable_logger(_RUN_LOGGERS[0]), disable_logger(_RUN_LOGGERS[1]):
        yield


class LogEavesdropper(logging.Handler):
    """Collects what a logger logs within a ``with`` block.

    Args:
        eavesdrop_on: The logger's whole name.
        level: The lowest level to collect.
    """

    def __init__(self, eavesdrop_on: str, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.eavesdrop_on = eavesdrop_on
        self._lines = io.StringIO()
        self.setFormatter(logging.Formatter("[%(levelname)s]: %(message)s"))

    def __enter__(self) -> Self:
        self._lines = io.StringIO()
        logging.getLogger(self.eavesdrop_on).addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger(self.eavesdrop_on).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a record."""
        self._lines.write(self.format(record) + "\n")

    def text(self) -> str:
        """Return what was collected, a line for each record."""
        return self._lines.getvalue().rstrip("\n")
