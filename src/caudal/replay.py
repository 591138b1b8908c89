"""Runs one recorded task run again, here, with the inputs it had."""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from caudal.cache_policies import NO_CACHE
from caudal.engine.composition import current_engine
from caudal.entrypoint import load_module
from caudal.exceptions import (
    DeserializationError,
    ParameterBindError,
    TaskRunNotReplayableError,
)
from caudal.tasks import Task

if TYPE_CHECKING:
    from types import ModuleType

    from caudal.model.runs import TaskRunRow
    from caudal.model.states import State


@dataclass(slots=True)
class Replay:
    """A recorded call, ready to be made again.

    Today's code is called: the point is often to see whether a change mends it.
    """

    #: The task, without retries, time-out, cache and hooks.
    task: Task[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self) -> Any:
        """Call the task in this process and return its result; the call is recorded as a task run of its own.

        Raises:
            Exception: What the function raises.
        """
        return self.state().get()

    def state(self) -> State[Any]:
        """Call the task in this process and return its last state; what a generator function yields is its result, as a list."""
        outcome = self.task(*self.args, return_state=True, **self.kwargs)
        if not self.task.spec.is_async:
            return outcome
        import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

        async def awaited() -> Any:
            return await outcome

        return asyncio.run(awaited())


def load_replay(row: TaskRunRow) -> Replay:
    """Return a recorded call of a task.

    The task's file is run, as when a flow is loaded from it, so that what its inputs are made of is there.

    Args:
        row: The task run: one that failed, or of a durable flow.

    Raises:
        TaskRunNotReplayableError: Its inputs were not kept, its task cannot be found, or does not take them any more.
        ScriptError: The task's file cannot be loaded.
        MissingResult: Its inputs are gone.
        DeserializationError: They cannot be made again.
    """
    details = row.details or {}
    key, entrypoint = details.get("inputs_key"), details.get("entrypoint")
    if key is None:
        raise TaskRunNotReplayableError(row.name, _why_not_kept(row))
    if entrypoint is None:
        reason = "its task is not defined in a file that could be run again"
        raise TaskRunNotReplayableError(row.name, reason)
    path, _, qualname = str(entrypoint).rpartition(":")
    found = _find(_module(Path(path)), row.task_name, qualname)
    if found is None:
        reason = f"{path} has no task {row.task_name!r}. A task that a function defines cannot be found"
        raise TaskRunNotReplayableError(row.name, reason)
    pickled = current_engine().results.load(key)
    try:
        args, kwargs, instance = pickle.loads(pickled)  # noqa: S301 - our own record, as results are
    except Exception as error:
        raise DeserializationError(
            f"the inputs of {row.name!r}", "pickle", f"{type(error).__name__}: {error}"
        ) from error
    if instance is not None and not found.ismethod:
        found = found.bound(instance, type(instance))
    try:
        found.binder.fits(args, kwargs)
    except ParameterBindError as error:
        reason = f"today's code of the task cannot be called as it was then: {error.reason}. It takes {error.signature}"
        raise TaskRunNotReplayableError(row.name, reason) from error
    bare: Task[..., Any] = Task(
        found.fn,
        name=found.name,
        task_run_name=lambda: f"replay of {row.name}",
        log_prints=found.spec.log_prints,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return Replay(bare, args, kwargs)


def _why_not_kept(row: TaskRunRow) -> str:
    """Return why a run's inputs are not on record."""
    known = (row.details or {}).get("inputs_not_kept")
    if known is not None:
        return f"its inputs were not kept: {known}"
    if row.state_type in {"FAILED", "CRASHED"}:
        return f"its inputs were not kept: it is {row.state_name}, and ended before that could be done"
    return f"its inputs were not kept: it is {row.state_name}, and its flow is not durable. They are when a task run fails"


def _module(path: Path) -> ModuleType:
    """Return the module of a file: the one that is loaded already, as in a package, or a fresh one."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    return load_module(path)


def _find(module: ModuleType, task_name: str, qualname: str) -> Task[..., Any] | None:
    """Return the task of a name: where its function is, ``Class.method``, or a variable of the module."""
    candidates: list[Any] = [_attribute(module, qualname), *vars(module).values()]
    for value in candidates:
        if isinstance(value, Task) and value.name == task_name:
            return cast("Task[..., Any]", value)
    return None


def _attribute(module: ModuleType, qualname: str) -> Any:
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
