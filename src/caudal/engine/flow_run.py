"""The program of a flow run, from its parameters to its last state; written once, for threads and event loops alike."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.blame import failure_facts
from caudal.engine.commands import Durable, Io
from caudal.engine.context import current
from caudal.engine.errors_kept import keep_flow_error
from caudal.engine.hooks import flow_hooks
from caudal.engine.logs import flow_logger
from caudal.engine.recovery import load_recorded
from caudal.engine.returns import awaited_runs, describe, final_state, is_interrupt
from caudal.engine.stopping import GRACE_SECONDS, SUSPENDED, FlowCall
from caudal.engine.tracebacks import user_traceback
from caudal.engine.validation import Validator
from caudal.exceptions import (
    CancelRequested,
    ConfigurationError,
    FlowRunTimeoutError,
    LeaseLostError,
    LedgerError,
    ParameterError,
    Pause,
    RunTimeoutError,
    SerializationError,
    StorageError,
)
from caudal.model.ids import format_id
from caudal.model.retries import retry_policy
from caudal.model.states import State, is_terminal
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.commands import Command
    from caudal.engine.flow_scope import FlowScope

_MOMENTS = {
    "COMPLETED": "completion",
    "FAILED": "failure",
    "CANCELLED": "cancellation",
    "CRASHED": "crashed",
}


def flow_program(scope: FlowScope) -> Generator[Command, Any, State[Any]]:
    """Return the program of a flow run; it returns the run's last state, which is durable by then unless ``durability`` is ``async``.

    Interrupts and exits come out of it after the run's end has been recorded. A run that somebody cancelled or suspended ends as others do.

    Args:
        scope: The flow run, created in the journal.
    """
    assert scope.spec is not None, "the scope of tasks outside flows has no program"
    if is_terminal(scope.type):  # an earlier attempt of the parent has its result
        return scope.state()
    try:
        scope.parameters = _validated(scope)
        if scope.spec.durable and scope.parent is None and not scope.resumed:
            # So that nothing is done that nobody would go on with.
            yield Durable(scope.journal)
        state = yield from _attempts(scope)
        yield from _close(scope, state)
    except ParameterError as error:
        message = f"Validation of flow parameters failed: {error}"
        yield from _close(scope, State("FAILED", message=message, data=error))
    except (LeaseLostError, LedgerError) as error:
        yield from _stop_tasks(scope, f"it cannot be recorded: {error}", interrupt=True)
        raise
    except Pause:
        yield from _suspend(scope)
    except BaseException as error:
        yield from _interrupted(scope, error)
        if not (isinstance(error, CancelRequested) and scope.stop.is_outermost):
            raise
    finally:
        if scope.id is not None:
            scope.parts.forget(scope.id)
    return scope.state()


def _validated(scope: FlowScope) -> dict[str, Any]:
    spec = scope.spec
    if spec is None or not spec.validates or not scope.parameters:
        return scope.parameters
    if spec.validator is None:
        spec.validator = Validator(spec.fn, spec.name)
    checked = spec.validator(scope.parameters)
    while spec.validator.doubts:
        flow_logger(scope).warning("%s", spec.validator.doubts.pop())
    return checked


def _attempts(scope: FlowScope) -> Generator[Command, Any, State[Any]]:
    """Call the flow's function until it succeeds or no retry is left, and return the state it ended in."""
    spec = scope.spec
    assert spec is not None, "only flows are called"
    settings = get_current_settings()
    retry = spec.retry
    if not spec.retry_is_given:
        retry = retry_policy(
            settings.flows_default_retries, settings.flows_default_retry_delay_seconds
        )
    is_retry = False
    while True:
        scope.check()
        scope.stop.check()
        if is_retry or not scope.resumed:
            scope.move("RUNNING", "Retrying" if is_retry else "Running")
        if scope.parent is None or not is_retry:
            flow_logger(scope).info(
                "%s flow run %r for flow %r",
                "Resuming"
                if scope.resumed and scope.fence.attempt > 1
                else "Beginning",
                scope.name,
                spec.name,
            )
        yield from flow_hooks(scope, "running")
        state = yield from _attempt(scope)
        if (
            not state.is_failed()
            or retry is None
            or scope.failures >= retry.retries
            or scope.lost is not None
        ):
            return state
        is_retry = True
        scope.failures = failures = scope.failures + 1
        scope.know(details={"failures": failures})
        delay = retry.delay(failures, scope.parts.random)
        message = f"{state.message}. Retry {failures}/{retry.retries} will start in {delay:g} second(s)."
        flow_logger(scope).warning("%s", message)
        if delay:
            waits = retry.facts(failures, timestamp() + delay, state.message)
            scope.move("SCHEDULED", "AwaitingRetry", message, {"retry": waits})
            yield scope.stop.until(partial(scope.parts.timers.after, delay))
        scope.begin_retry()
        yield Io(load_recorded, scope)


def _attempt(scope: FlowScope) -> Generator[Command, Any, State[Any]]:
    """Call the flow's function once, wait for the tasks it submitted, and return the state that follows."""
    spec = scope.spec
    assert spec is not None, "only flows are called"
    try:
        args, kwargs = spec.unbind(scope.parameters)
        value = yield FlowCall(scope.parts.local, spec, args, kwargs, current, scope)
        for run in awaited_runs(value):
            if not run.done:
                yield scope.stop.until(run.subscribe)
        if scope.dispatcher.open:
            yield scope.stop.until(scope.dispatcher.when_drained)
        scope.check()
        scope.stop.check()
        if scope.recorded is not None:
            scope.recorded.conclude(scope, failed=False)
        return final_state(value)
    except (LeaseLostError, LedgerError):
        raise
    except Exception as error:  # noqa: BLE001 - the user's code failed: that is what states are for
        scope.stop.check()
        if error.__class__ is RunTimeoutError:
            reason = "the flow run exceeded its timeout"
            yield from _stop_tasks(scope, reason, interrupt=True)
            message = f"Flow run exceeded timeout of {error.args[0]:g} second(s)"
            error = FlowRunTimeoutError(*error.args)
            return State("FAILED", "TimedOut", message, error)
        flow_logger(scope).error(
            "Encountered exception during execution: %s\n%s",
            describe(error),
            user_traceback(error),
        )
        yield from _stop_tasks(scope, "the flow run failed", interrupt=False)
        if scope.recorded is not None:
            scope.recorded.conclude(scope, failed=True)
        message = f"Flow run encountered an exception: {describe(error)}"
        return State("FAILED", message=message, data=error)


def _close(scope: FlowScope, state: State[Any]) -> Generator[Command, Any, None]:
    """Store the result, record the last state, wait until it is durable where that is asked for, and run the hooks."""
    scope.close_tasks("the flow run ended")
    details: dict[str, Any] = {}
    if state.is_completed() and scope.persist:
        key = f"flow-run-{format_id(scope.id)}" if scope.id else ""
        try:
            stored = yield Io(_store, scope, state.data, key)
            details["result_key"] = stored.key
        except (SerializationError, StorageError, ConfigurationError) as error:
            state = State(
                "FAILED", message=f"The result could not be stored: {error}", data=error
            )
    if not state.is_completed():
        details |= failure_facts(scope, state.data)
    if state.is_failed() and (scope.persist or scope.resumed):
        details["error_key"] = yield Io(keep_flow_error, scope, state)
    if scope.restored:
        details["restored_task_runs"] = scope.restored
    scope.stop.check()
    scope.data = state.data
    scope.move(state.type.value, state.name, state.message, details or None)
    _log_end(scope, state)
    if scope.parts.settings.durability != "async" or (scope.spec and scope.spec.hooks):
        yield Durable(scope.journal)
    if scope.stop.refused:
        raise CancelRequested
    scope.check()
    yield from _last_hooks(scope)


def _suspend(scope: FlowScope) -> Generator[Command, Any, None]:
    """Let the tasks that execute end, record that the run is suspended, and wait until that is durable."""
    yield from _stop_tasks(scope, SUSPENDED, interrupt=False)
    assert scope.stop.pause is not None, "runs are suspended for a reason"
    details, message = scope.stop.pause
    if scope.stop.reason is None:
        how = f"Go on with: caudal flow-run resume {scope.name}"
        scope.move("PAUSED", "Suspended", message or how, details)
        yield Durable(scope.journal)
        scope.check()
    if scope.stop.reason is not None:
        yield from _interrupted(scope, CancelRequested())
    else:
        flow_logger(scope).info("Finished in state %s", scope.state())


def _store(scope: FlowScope, value: Any, key: str) -> Any:
    assert scope.spec is not None, "only flows have results"
    results = scope.parts.results
    place = results.place(scope.storage)
    return results.write(
        value, key, scope=scope, serializer=scope.spec.serializer, place=place
    )


def _log_end(scope: FlowScope, state: State[Any]) -> None:
    logger = flow_logger(scope)
    if state.is_completed():
        logger.info("Finished in state %s", state)
    else:
        logger.error("Finished in state %s", state)


def _interrupted(
    scope: FlowScope, error: BaseException
) -> Generator[Command, Any, None]:
    """Record that the run was ended from outside its code, after its tasks were told."""
    scope.stop.heard = True
    cancelled = is_interrupt(error)
    reason = _reason(scope, error)
    yield from _stop_tasks(scope, reason, interrupt=True)
    if scope.lost is not None or (is_terminal(scope.type) and not scope.stop.refused):
        return
    scope.data = None
    kind, name = ("CANCELLED", "Cancelled") if cancelled else ("CRASHED", "Crashed")
    scope.move(
        kind,
        name,
        reason[0].upper() + reason[1:] + ".",
        failure_facts(scope, error),
    )
    flow_logger(scope).error("Finished in state %s", scope.state())
    try:
        yield Durable(scope.journal)
        yield from _last_hooks(scope)
    except LedgerError as failure:
        flow_logger(scope).error(
            "the end of the run could not be recorded: %s", failure
        )


def _reason(scope: FlowScope, error: BaseException) -> str:
    """Return why a run ended that was ended from outside its code."""
    if scope.stop.reason is not None:
        return scope.stop.reason
    if isinstance(error, CancelRequested):
        return "the flow run that called it was cancelled"
    if is_interrupt(error):
        return "the flow run was interrupted"
    return f"the flow run was ended by {describe(error)}"


def _stop_tasks(
    scope: FlowScope, reason: str, *, interrupt: bool
) -> Generator[Command, Any, None]:
    """Have a flow run's tasks end: those not started do not start, those that execute are interrupted or waited for.

    Interrupted ones that do not end within the grace time are left behind, and recorded as cancelled.
    """
    scope.stopping = reason
    scope.dispatcher.stop(interrupt=interrupt)
    drained = threading.Event()
    scope.dispatcher.when_drained(drained.set)
    try:
        yield Io(drained.wait, GRACE_SECONDS if interrupt else None)
    except BaseException as again:
        drained.set()
        if not interrupt or not is_interrupt(
            again
        ):  # who interrupts twice does not want to wait
            raise
    scope.close_tasks(reason)


def _last_hooks(scope: FlowScope) -> Generator[Command, Any, None]:
    """Run the user's hooks of the state in which a run has ended, and wait until what they recorded is durable."""
    if (yield from flow_hooks(scope, _MOMENTS.get(scope.type, ""))):
        yield Durable(scope.journal)
