"""What calls of flows and tasks do; loaded with the engine when the first one is made, not when a function is decorated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.calls import (
    acall_flow,
    acall_task,
    call_flow,
    call_task,
    make_flow_run,
    submit_task,
)
from caudal.futures import Future, FutureList, resolve_futures_to_results, wait
from caudal.mapping import mapped_calls

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.flows import Flow
    from caudal.model.specs import FlowSpec
    from caudal.tasks import Task

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def run_task(
    task: Task[..., Any],
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Task.__call__`` promises."""
    spec = task.spec
    task.binder.fits(args, kwargs)
    if spec.is_async:
        return _arun_task(
            task, args, kwargs, return_state=return_state, wait_for=wait_for
        )
    run = call_task(spec, args, kwargs, wait_for)
    return run.state() if return_state else run.outcome()


async def _arun_task(
    task: Task[..., Any],
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    run = await acall_task(task.spec, args, kwargs, wait_for)
    return run.state() if return_state else run.outcome()


def submit(
    task: Task[..., Any],
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Task.submit`` promises."""
    task.binder.fits(args, kwargs)
    future: Future[Any] = Future(submit_task(task.spec, args, kwargs, wait_for))
    if return_state:
        future.wait()
        return future.state
    return future


def submit_all(
    task: Task[..., Any],
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Task.map`` promises."""
    spec = task.spec
    futures: FutureList[Any] = FutureList(
        Future(submit_task(spec, values, named, wait_for))
        for values, named in mapped_calls(task.binder, args, kwargs)
    )
    if return_state:
        futures.wait()
        return [future.state for future in futures]
    return futures


def run_flow(
    flow: Flow[..., Any],
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Flow.__call__`` promises."""
    parameters = resolve_futures_to_results(flow.binder.bind(args, kwargs))
    if wait_for is not None:
        wait(wait_for)
    scope = make_flow_run(flow.spec, parameters)
    return run_scope(flow.spec, scope, return_state=return_state)


def run_scope(spec: FlowSpec, scope: FlowScope, *, return_state: bool) -> Any:
    """Carry out a flow run that was made or claimed, as a call of the flow does."""
    if spec.is_async:
        return _arun_scope(scope, return_state=return_state)
    state = call_flow(scope)
    return state if return_state else state.get()


async def _arun_scope(scope: FlowScope, *, return_state: bool) -> Any:
    state = await acall_flow(scope)
    return state if return_state else state.get()
