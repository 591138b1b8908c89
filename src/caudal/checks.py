"""Records the outcomes of data checks with the run that made them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from caudal.clock import timestamp
from caudal.engine.context import require_run
from caudal.engine.logs import run_logger
from caudal.ledger.port import CheckWrite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.engine.live_task import LiveTask
    from caudal.ledger.port import Batch
    from caudal.model.checks import CheckResult

__all__ = ["record_checks"]


def record_checks(results: Iterable[CheckResult]) -> None:
    """Record check results with the run whose code calls this, and log each as a structured line.

    Args:
        results: What the checks found.

    Raises:
        MissingContextError: There is no run here.
    """
    run = require_run("record_checks()")
    scope = run.scope
    task_run_id = None if run is scope else cast("LiveTask", run).id
    logger = run_logger(run)
    for result in results:
        scope.journal.put(
            _CheckItem(CheckWrite(timestamp(), result, scope.id, task_run_id))
        )
        fields = {
            "asset": result.asset,
            "check": result.check,
            "status": result.status,
            "severity": result.severity,
            "failed_rows": result.failed_rows,
            "total_rows": result.total_rows,
            "caudal_quiet": result.passed,
        }
        logger.log(
            _level(result),
            "check %s on %s: %s",
            result.check,
            result.asset,
            result.message or result.status,
            extra=fields,
        )


def _level(result: CheckResult) -> int:
    if result.status in {"pass", "skipped"}:
        return logging.INFO
    return (
        logging.ERROR
        if result.severity == "error" or result.status == "error"
        else logging.WARNING
    )


class _CheckItem:
    """A check result on its way into the ledger."""

    __slots__ = ("_write",)

    def __init__(self, write: CheckWrite) -> None:
        self._write = write

    def collect(self, batch: Batch) -> None:
        """Add the result to a batch."""
        batch.checks.append(self._write)
