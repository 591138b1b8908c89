"""The program of a task run, from its inputs to its last state; written once, for threads and event loops alike."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from caudal.engine import limited
from caudal.engine.commands import Call, Collect, Durable, Io, Sleep, Until
from caudal.engine.context import active, current
from caudal.engine.errors_kept import keep_task_error
from caudal.engine.hooks import task_hooks, wants_retry
from caudal.engine.inputs import ATOMS, resolve
from caudal.engine.live_task import LiveTask
from caudal.engine.logs import task_logger
from caudal.engine.names import run_name
from caudal.engine.recovery import failed_before
from caudal.engine.returns import (
    awaited_runs,
    describe,
    final_state,
    is_interrupt,
)
from caudal.engine.tracebacks import error_details, user_traceback
from caudal.exceptions import (
    ConfigurationError,
    CrashedRun,
    LedgerError,
    ResumeMismatchError,
    RunTimeoutError,
    SerializationError,
    StorageError,
    TaskRunTimeoutError,
    UpstreamTaskError,
)
from caudal.model.retries import RetryPolicy, retry_policy
from caudal.model.states import State
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.caching import Keeping
    from caudal.engine.commands import Command
    from caudal.engine.parts import InputRun
    from caudal.model.specs import TaskSpec
    from caudal.runners.port import Runner

_COMPLETED, _FAILED, _RUNNING, _SCHEDULED = (
    "COMPLETED",
    "FAILED",
    "RUNNING",
    "SCHEDULED",
)


def task_program(
    run: LiveTask, runner: Runner, *, streams: bool = False
) -> Generator[Command, Any, None]:
    """Return the program of a task run; when it has ended, the run is done.

    Nothing but interrupts and exits comes out of it: whatever else the user's code does ends in the run's state.

    Args:
        run: The task run, pending.
        runner: Where its attempts execute.
        streams: Whether what it yields goes to the caller: then no result is kept, because a kept one could not be yielded again.
    """
    scope = run.scope
    try:
        if run.upstream is not None:
            yield from _take_inputs(run, run.upstream)
        if scope.stopping is not None:
            run.finish(
                "CANCELLED", "Cancelled", None, f"Not started: {scope.stopping}."
            )
        elif streams or (run.spec.plain and not scope.persist and active.get() is None):
            yield from _attempts(run, runner, None)
        else:
            yield from _find_or_run(run, runner)
    except UpstreamTaskError as error:
        message = (
            f"Upstream task run {error.upstream!r} did not reach a 'COMPLETED' state."
        )
        run.know(not_completed=[error.upstream, error.state])
        run.finish("PENDING", "NotReady", error, message)
    except BaseException as error:
        _end_abruptly(run, error)
        raise


def _take_inputs(
    run: LiveTask, upstream: list[InputRun]
) -> Generator[Command, Any, None]:
    """Wait for the runs that the inputs come from and put their results in place."""
    for other in upstream:
        if not other.done:
            yield Until(other.subscribe)
    if run.scope.stopping is not None:
        return
    run.args = tuple(resolve(value) for value in run.args)
    run.kwargs = {name: resolve(value) for name, value in run.kwargs.items()}
    resolve(run.after)
    spec = run.spec
    if spec.run_name is not None:
        run.name = run_name(spec, spec.inputs(run.args, run.kwargs))


def _find_or_run(run: LiveTask, runner: Runner) -> Generator[Command, Any, None]:
    """End the run with a kept result if one will do, else call the function; in a transaction where something hangs on it."""
    from caudal.engine.caching import Keeping  # noqa: PLC0415 - 20 ms that only tasks that keep results need

    keeping = Keeping(run)
    program = _kept_or_called(run, runner, keeping)
    if active.get() is not None or _is_transactional(run.spec):
        program = _transactions().in_transaction(run, keeping, program)
    yield from program


@cache
def _transactions() -> Any:
    """Return the module that runs in transactions need; the others start faster without it."""
    from caudal.engine import task_transactions  # noqa: PLC0415

    return task_transactions


def _is_transactional(spec: TaskSpec) -> bool:
    """Say whether runs of a task are transactions without one around them."""
    policy = spec.cache_policy
    return bool(spec.hooks.get("commit") or spec.hooks.get("rollback")) or (
        policy is not None and policy.isolation_level is not None
    )


def _kept_or_called(
    run: LiveTask, runner: Runner, keeping: Keeping
) -> Generator[Command, Any, None]:
    """End the run with a kept result if one will do, else call the function."""
    try:
        if run.scope.transactions:
            yield from _transactions().lock_key(run, keeping)
        kept = yield Io(keeping.find)
    except ResumeMismatchError as mismatch:
        keeping.refuse(mismatch)
        return
    except (ConfigurationError, StorageError) as error:
        message = f"Its result could not be kept: {error}"
        yield from _fail(run, State(_FAILED, "Failed", message, error))
        return
    recorded, given = run.scope.recorded, (run.args, run.kwargs)
    if kept is None and recorded is not None and recorded.goes_on:
        has_failed = yield Io(keeping.adopt_failure, recorded)
        if has_failed:
            yield from task_hooks(run, "failure", given)
            return
    if kept is None:
        if _is_durable(run):
            yield Io(_keep_inputs, run)  # before the function can change them
        yield from _attempts(run, runner, keeping)
        return
    keeping.adopt(kept)
    yield from task_hooks(run, "completion", given)


def _attempts(  # noqa: C901, PLR0912 - the hot path: a generator for each step would cost more than the step
    run: LiveTask, runner: Runner, keeping: Keeping | None
) -> Generator[Command, Any, None]:
    """Call the function until it succeeds or no retry is left."""
    spec, failures = run.spec, 0
    if run.scope.recorded is not None:
        failures = failed_before(run, run.scope.recorded)
    while True:
        if run.tags is not None:
            yield from limited.acquire(run, run.tags)
            if run.done:
                return
        run.move(_RUNNING, "Retrying" if failures else "Running")
        if run.at > run.scope.parts.trusted_until:
            yield Io(run.scope.make_sure)
        if spec.hooks:
            yield from task_hooks(run, "running", (run.args, run.kwargs))
        try:
            try:
                value = yield Call(runner, spec, run.args, run.kwargs, current, run)
                if value.__class__ is GeneratorType and run.context is not None:
                    value = yield Collect(value, current, run)
            finally:
                if run.ticket is not None:
                    limited.give_up(run)
        except Exception as error:  # noqa: BLE001 - the user's code failed: that is what states are for
            state = _failure(run, error)
        else:
            if value.__class__ in ATOMS and keeping is None and not spec.hooks:
                run.finish(_COMPLETED, "Completed", value)  # the hot path
                return
            state = yield from _derived_state(value)
            if state.is_completed():
                yield from _succeed(run, keeping, state)
                return
        failures += 1
        if not (yield from _prepare_retry(run, state, failures)):
            return


def _derived_state(value: Any) -> Generator[Command, Any, State[Any]]:
    """Return the state that a returned value stands for, after a wait for the futures in it."""
    for other in awaited_runs(value):
        if not other.done:
            yield Until(other.subscribe)
    return final_state(value)


def _failure(run: LiveTask, error: Exception) -> State[Any]:
    """Return the state of an attempt that ended with an exception."""
    if isinstance(
        error, CrashedRun
    ):  # the process died, which says nothing of the task
        return State("CRASHED", message=str(error), data=error)
    if error.__class__ is RunTimeoutError:
        _close_children(run)
        message = f"Task run exceeded timeout of {error.args[0]:g} second(s)"
        return State(_FAILED, "TimedOut", message, TaskRunTimeoutError(*error.args))
    message = f"Task run encountered an exception {describe(error)}"
    return State(_FAILED, "Failed", message, error)


def _close_children(run: LiveTask) -> None:
    """End the runs that the code of an attempt made which is cut off, and may still be going on in a thread."""
    for other in tuple(run.scope.live):
        if isinstance(other, LiveTask) and other.parent is run:
            _close_children(other)
            message = f"It did not end when {run.name} timed out."
            other.finish("CANCELLED", "Cancelled", None, message)


def _end_abruptly(run: LiveTask, error: BaseException) -> None:
    """End a run whose program was left by an interrupt, an exit or a defect."""
    limited.give_up(run)
    if run.done:
        return
    if is_interrupt(error):
        message = run.scope.stopping or "Interrupted."
        run.finish("CANCELLED", "Cancelled", error, message)
        return
    run.know(error=error_details(error))
    message = f"Execution was ended by {describe(error)}"
    run.finish("CRASHED", "Crashed", error, message)


def _retry_policy(run: LiveTask) -> RetryPolicy | None:
    if run.spec.retry_is_given:
        return run.spec.retry
    settings = get_current_settings()
    return retry_policy(
        settings.tasks_default_retries, settings.tasks_default_retry_delay_seconds
    )


def _prepare_retry(
    run: LiveTask, state: State[Any], failures: int
) -> Generator[Command, Any, bool]:
    """Wait for the next attempt and say that there is one, or end the run."""
    run.know(failures=failures)
    if run.scope.failures:
        run.know(flow_failures=run.scope.failures)
    retry = _retry_policy(run)
    again = (
        retry is not None
        and failures <= retry.retries
        and run.scope.stopping is None
        and not state.is_cancelled()
    )
    if retry is None or not again or not (yield from wants_retry(run, state)):
        yield from _fail(run, state)
        return False
    if run.scope.transactions:
        yield from _transactions().undo_attempt(run)
    delay = retry.delay(failures, run.scope.parts.random)
    start = f"in {delay:g} second(s)" if delay else "at once"
    message = f"{state.message or state.name}. Retry {failures}/{retry.retries} will start {start}."
    task_logger(run).warning("%s", message)
    if isinstance(state.data, BaseException):
        run.know(error=error_details(state.data))
    if delay:
        run.move(_SCHEDULED, "AwaitingRetry", message)
    if _is_durable(run):  # a try that failed counts, whatever becomes of the process
        run.record_late()
        with suppress(LedgerError):
            yield Durable(run.scope.journal)
    if delay:
        yield Sleep(delay)
    if run.scope.stopping is not None:
        message = f"Not retried: {run.scope.stopping}."
        run.finish("CANCELLED", "Cancelled", state.data, message)
        return False
    return True


def _succeed(
    run: LiveTask, keeping: Keeping | None, state: State[Any]
) -> Generator[Command, Any, None]:
    """Store what is to be stored and end the run well, or fail it when that cannot be done."""
    try:
        if run.scope.transactions and _transactions().takes_part(run):
            program: Generator[Command, Any, State[Any]] = _transactions().settle_run(
                run, state
            )
            state = yield from program
        elif keeping is not None and keeping.persists:
            yield Io(keeping.store, state.data)
    except (SerializationError, StorageError) as error:
        message = f"The result could not be stored: {error}"
        yield from _fail(run, State(_FAILED, "Failed", message, error))
        return
    data = state.data
    if keeping is not None and run.stored is not None and not run.spec.cache_in_memory:
        data = keeping.stored_value(run.stored)
    run.scope.origins.note(data, run)
    if run.scope.lineage is not None:
        run.scope.lineage.record(run, "succeeded")
    given = run.args, run.kwargs
    run.finish(_COMPLETED, state.name, data, state.message)
    if run.scope.transactions:
        _transactions().notice(run)
    yield from task_hooks(run, "completion", given)


def _fail(run: LiveTask, state: State[Any]) -> Generator[Command, Any, None]:
    """End the run badly."""
    if run.scope.transactions:
        yield from _transactions().abort_run(run)
    error = state.data
    if isinstance(error, BaseException):
        run.know(error=error_details(error))
        yield Io(keep_task_error, run, error)
    kind = state.type.value
    if kind in {"FAILED", "CRASHED"}:
        trace = user_traceback(error) if isinstance(error, BaseException) else ""
        task_logger(run).error("%s\n%s", state.message or state.name, trace)
        if not _is_durable(run):
            yield Io(_keep_inputs, run)
    if kind == _FAILED and run.scope.lineage is not None:
        run.scope.lineage.record(run, "failed")
    given = run.args, run.kwargs
    run.finish(kind, state.name, state.data, state.message)
    yield from task_hooks(
        run, {"CANCELLED": "cancellation"}.get(kind, "failure"), given
    )


def _is_durable(run: LiveTask) -> bool:
    flow = run.scope.spec
    return flow is not None and flow.durable


def _keep_inputs(run: LiveTask) -> None:
    from caudal.engine.inputs_kept import keep_inputs  # noqa: PLC0415 - only runs that fail need it

    keep_inputs(run)
