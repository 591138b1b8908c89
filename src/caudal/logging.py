"""Loggers for flows and tasks."""

from __future__ import annotations

import logging
from typing import Any

from caudal.engine.context import current
from caudal.engine.logs import RunLogger, run_logger
from caudal.exceptions import MissingContextError

__all__ = ["get_logger", "get_run_logger"]


def get_run_logger(context: Any = None, **extra: Any) -> RunLogger | logging.Logger:
    """Return the logger of the run whose code calls this; its lines are kept with the run.

    Fields given as ``extra={...}`` to a log call are kept as JSON beside the message.

    Args:
        context: Accepted for compatibility.
        extra: Accepted for compatibility.

    Raises:
        MissingContextError: There is no run here.
    """
    del context, extra
    run = current.get()
    if run is None:
        raise MissingContextError("get_run_logger()")
    return run_logger(run)


def get_logger(name: str | None = None) -> logging.Logger:
    """Return a logger below ``caudal``; lines logged inside runs are kept with the run.

    Args:
        name: Name below ``caudal``; None is ``caudal`` itself.
    """
    return logging.getLogger(f"caudal.{name}" if name else "caudal")
