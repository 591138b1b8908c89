"""The program of a task run, from its inputs to its last state; written once, for threads and event loops alike."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from caudal.engine.caching import Keeping
from caudal.engine.commands import Call, Hook, Io, Sleep, Until
from caudal.engine.context import current
from caudal.engine.inputs import resolve
from caudal.engine.logs import task_logger
from caudal.engine.names import run_name
from caudal.engine.results import StoredValue
from caudal.engine.returns import awaited_runs, describe, final_state
from caudal.engine.snapshots import task_view
from caudal.exceptions import (
    CaudalError,
    CrashedRun,
    ResultCorruptedError,
    RunTimeoutError,
    SerializationError,
    StorageError,
    UpstreamTaskError,
)
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.commands import Command
    from caudal.engine.live_task import LiveTask
    from caudal.runners.port import Runner

#: Characters of a traceback that are kept in the ledger; its end says most.
TRACEBACK_CHARACTERS = 16_000

_COMPLETED, _FAILED, _RUNNING, _SCHEDULED = (
    "COMPLETED",
    "FAILED",
    "RUNNING",
    "SCHEDULED",
)


def task_program(run: LiveTask, runner: Runner) -> Generator[Command, Any, None]:
    """Return the program of a task run; when it has ended, the run is done.

    Nothing but interrupts comes out of it: whatever the user's code does ends in the run's state.

    Args:
        run: The task run, pending.
        runner: Where its attempts execute.
    """
    spec = run.spec
    try:
        if run.upstream is not None:
            for other in run.upstream:
                if not other.done:
                    yield Until(other.subscribe)
            run.args = tuple(resolve(value) for value in run.args)
            run.kwargs = {name: resolve(value) for name, value in run.kwargs.items()}
            resolve(run.after)
            if spec.run_name is not None:
                run.name = run_name(spec, spec.bind(run.args, run.kwargs))
        if run.scope.stopping is not None:
            run.finish(
                "CANCELLED", "Cancelled", None, f"Not started: {run.scope.stopping}."
            )
            return
        keeping: Keeping | None = None
        if not spec.plain or run.scope.persist or run.scope.recorded:
            keeping = Keeping(run)
            kept = yield Io(keeping.find)
            if kept is not None:
                keeping.adopt(kept)
                if spec.hooks:
                    yield from _hooks(run, "completion")
                return
        yield from _attempts(run, runner, keeping)
    except UpstreamTaskError as error:
        run.finish(
            "PENDING",
            "NotReady",
            error,
            f"Upstream task run {error.upstream!r} did not reach a 'COMPLETED' state.",
        )
    except KeyboardInterrupt as error:
        if not run.done:
            run.finish(
                "CANCELLED", "Cancelled", error, run.scope.stopping or "Interrupted."
            )
        raise
    except BaseException as error:
        if not run.done:
            _record_error(run, error)
            run.finish(
                "CRASHED", "Crashed", error, f"Execution was ended by {describe(error)}"
            )
        raise


def _attempts(
    run: LiveTask, runner: Runner, keeping: Keeping | None
) -> Generator[Command, Any, None]:
    """Call the function until it succeeds or no retry is left."""
    spec = run.spec
    retry = spec.retry
    failures = 0
    while True:
        run.move(_RUNNING, "Retrying" if failures else "Running")
        if spec.hooks:
            yield from _hooks(run, "running")
        try:
            value = yield Call(runner, spec, run.args, run.kwargs, current, run)
            state = None
            if value.__class__ not in _SIMPLE:
                for other in awaited_runs(value):
                    if not other.done:
                        yield Until(other.subscribe)
                state = final_state(value)
        except CrashedRun as error:
            # the process died, which says nothing of the task: the attempt crashed
            state = State("CRASHED", message=str(error), data=error)
        except Exception as error:  # noqa: BLE001 - the user's code failed: that is what states are for
            state = _failure(error)
        if state is None and keeping is None and not spec.hooks:  # the hot path
            run.scope.origins.note(value, run)  # pyright: ignore[reportPossiblyUnboundVariable]
            run.finish(_COMPLETED, "Completed", value)  # pyright: ignore[reportPossiblyUnboundVariable]
            return
        if state is None or state.is_completed():
            yield from _succeed(
                run, keeping, value if state is None else state.data, state
            )  # pyright: ignore[reportPossiblyUnboundVariable]
            return
        again = (
            retry is not None and failures < retry.retries and not run.scope.stopping
        )
        if again and not state.is_cancelled() and (yield from _wants_retry(run, state)):
            failures += 1
            assert retry is not None, "a retry needs a policy"
            yield from _pause(
                run,
                state,
                retry.delay(failures, run.scope.parts.random),
                failures,
                retry.retries,
            )
            if run.scope.stopping is not None:
                run.finish(
                    "CANCELLED",
                    "Cancelled",
                    state.data,
                    f"Not retried: {run.scope.stopping}.",
                )
                return
            continue
        yield from _fail(run, state)
        return


_SIMPLE = frozenset({int, float, bool, str, bytes, type(None)})


def _failure(error: Exception) -> State[Any]:
    """Return the state of an attempt whose code raised an exception."""
    if isinstance(error, RunTimeoutError):
        return State(
            _FAILED,
            "TimedOut",
            f"Task run exceeded timeout of {error.seconds:g} second(s)",
            error,
        )
    return State(
        _FAILED, "Failed", f"Task run encountered an exception {describe(error)}", error
    )


def _succeed(
    run: LiveTask, keeping: Keeping | None, data: Any, state: State[Any] | None
) -> Generator[Command, Any, None]:
    """Store what is to be stored and end the run well, or fail it when that cannot be done."""
    name, message = (
        ("Completed", None) if state is None else (state.name, state.message)
    )
    if keeping is not None and keeping.persists:
        try:
            stored = yield Io(keeping.store, data)
        except (SerializationError, StorageError) as error:
            yield from _fail(
                run,
                State(
                    _FAILED, "Failed", f"The result could not be stored: {error}", error
                ),
            )
            return
        if stored is not None and not run.spec.cache_in_memory:
            data = StoredValue(run.scope.parts.results, stored)
    run.scope.origins.note(data, run)
    run.finish(_COMPLETED, name, data, message)
    yield from _hooks(run, "completion")


def _fail(run: LiveTask, state: State[Any]) -> Generator[Command, Any, None]:
    """End the run badly."""
    error = state.data
    if isinstance(error, BaseException):
        _record_error(run, error)
    kind = state.type.value
    if kind in {"FAILED", "CRASHED"}:
        task_logger(run).error(
            "%s", state.message or state.name, exc_info=_trimmed(error)
        )
    run.finish(kind, state.name, state.data, state.message)
    yield from _hooks(run, {"CANCELLED": "cancellation"}.get(kind, "failure"))


def _pause(
    run: LiveTask, state: State[Any], delay: float, number: int, total: int
) -> Generator[Command, Any, None]:
    """Record that the run will be tried again and wait for that time."""
    message = f"{state.message or state.name}. Retry {number}/{total}" + (
        f" will start in {delay:g} second(s)." if delay else " will start at once."
    )
    task_logger(run).warning("%s", message)
    if isinstance(state.data, BaseException):
        _record_error(run, state.data)
    if delay:
        run.move(_SCHEDULED, "AwaitingRetry", message)
        yield Sleep(delay)


def _wants_retry(run: LiveTask, state: State[Any]) -> Generator[Command, Any, bool]:
    """Ask the user's condition whether another attempt is worth it; a failing condition says no, as in Prefect."""
    condition = run.spec.retry_condition
    if condition is None:
        return True
    answer: list[Any] = []

    def ask() -> Any:
        outcome = condition(run.spec.decorated, task_view(run), state)
        if hasattr(outcome, "__await__"):
            return _answer(outcome)
        answer.append(outcome)
        return None

    async def _answer(outcome: Any) -> None:
        answer.append(await outcome)

    try:
        yield Hook(ask)
    except Exception:  # noqa: BLE001 - the user's code; its failure must not hide the task's
        task_logger(run).exception(
            "retry_condition_fn failed; the task run is not retried"
        )
        return False
    return bool(answer[0])


def _hooks(run: LiveTask, moment: str) -> Generator[Command, Any, None]:
    """Run the user's hooks of a moment; their failures are logged and change nothing."""
    hooks = run.spec.hooks
    if not hooks:
        return
    for hook in hooks.get(moment, ()):
        try:
            yield Hook(hook, run.spec.decorated, task_view(run), run.state())
        except Exception:  # noqa: BLE001 - the user's code; hooks never change the state
            task_logger(run).exception(
                "hook %r failed", getattr(hook, "__name__", hook)
            )


def _record_error(run: LiveTask, error: BaseException) -> None:
    """Keep an exception's type, text and traceback in the run's details."""
    run.know(error=error_details(error))


def error_details(error: BaseException) -> dict[str, str]:
    """Return an exception as text: type, message and the end of its traceback."""
    trimmed = _trimmed(error)
    lines = traceback.format_exception(trimmed) if trimmed is not None else []
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(lines)[-TRACEBACK_CHARACTERS:],
    }


def _trimmed(error: Any) -> BaseException | None:
    """Return the exception with caudal's own frames cut off the front of its traceback."""
    if not isinstance(error, BaseException):
        return None
    if isinstance(error, CaudalError) and not isinstance(error, ResultCorruptedError):
        return error
    trace = error.__traceback__
    while (
        trace is not None
        and "/caudal/engine/" in trace.tb_frame.f_code.co_filename.replace("\\", "/")
    ):
        trace = trace.tb_next
    while (
        trace is not None
        and "/caudal/runners/" in trace.tb_frame.f_code.co_filename.replace("\\", "/")
    ):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error
