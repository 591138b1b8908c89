"""Keeps what a task run was called with, so that it can be called again: of one that failed, and of those of durable flows.

What is kept are the positional and the named arguments, and for a method the instance.
"""

from __future__ import annotations

import io
import os
from inspect import ismethod
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.logs import task_logger
from caudal.engine.masking import masked
from caudal.exceptions import CaudalError
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from caudal.engine.live_task import LiveTask


def keep_inputs(run: LiveTask) -> None:
    """Store a task run's arguments with its record, unless they are too large or cannot be pickled.

    Args:
        run: The task run; its details get the key, and the file that defines the task; or the reason why there is no key.
    """
    import cloudpickle  # noqa: PLC0415 - 15 ms that runs which do not fail need not pay

    limit = run.scope.parts.settings.tasks_inputs_limit_bytes
    if not limit:
        run.know(inputs_not_kept="the setting tasks_inputs_limit_bytes is 0")
        return
    pickled, fn = _Bounded(limit), run.spec.fn
    instance = fn.__self__ if ismethod(fn) else None
    try:
        cast("Any", cloudpickle).Pickler(pickled).dump((run.args, run.kwargs, instance))
    except Exception as error:  # noqa: BLE001 - whatever the user's values raise
        _say(run, error)
        return
    key = f"task-run-{format_id(run.id)}-inputs"
    try:
        run.scope.parts.results.write(
            pickled.getvalue(), key, scope=run.scope, serializer="pickle"
        )
    except CaudalError as error:
        _say(run, error)
        return
    code = getattr(getattr(fn, "__func__", fn), "__code__", None)
    if code is not None and os.path.isfile(code.co_filename):  # noqa: PTH113 - a path of the compiler's
        file = os.path.realpath(code.co_filename)
        run.know(entrypoint=f"{file}:{fn.__qualname__}")
    run.know(inputs_key=key)


def _say(run: LiveTask, error: Exception) -> None:
    run.know(inputs_not_kept=masked(str(error)))
    task_logger(run).debug("its inputs are not kept for a replay: %s", error)


class _Bounded(io.BytesIO):
    """Bytes in memory, up to a number: pickling a frame of gigabytes is given up soon."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: bytes | bytearray | memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - buffers of any kind
        if self.tell() + len(data) > self._limit:
            raise ValueError(
                f"they take more than {self._limit} bytes (tasks_inputs_limit_bytes)"
            )
        return super().write(data)
