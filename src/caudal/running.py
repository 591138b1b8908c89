"""What calls of flows and tasks do; loaded with the engine when the first one is made, not when a function is decorated."""

from __future__ import annotations

import logging
from contextlib import aclosing
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from caudal.engine.calls import (
    acall_task,
    astream_task,
    call_task,
    stream_task,
    submit_task,
)
from caudal.engine.context import loading
from caudal.engine.dry_run import DryCall, Nodes, astreamed, dry_run, later
from caudal.engine.flow_calls import (
    acall_flow,
    astream_flow,
    call_flow,
    make_flow_run,
    stream_flow,
)
from caudal.engine.inputs import find, rebuild, resolve
from caudal.engine.validation import with_field_defaults
from caudal.exceptions import UpstreamTaskError
from caudal.futures import DistributedFuture, Future, FutureList
from caudal.mapping import mapped_calls
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from caudal.engine.dry_run import DryRun, Node
    from caudal.engine.flow_scope import FlowScope
    from caudal.model.signatures import Binder
    from caudal.model.specs import FlowSpec

_logger = logging.getLogger("caudal.running")


class Callee(Protocol):
    """A flow or a task, as far as a call of it goes."""

    @property
    def spec(self) -> Any:
        """What the engine knows of it."""
        ...

    @property
    def binder(self) -> Binder:
        """Knows the function's parameters."""
        ...


Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def run_task(
    task: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Task.__call__`` promises."""
    spec = task.spec
    task.binder.fits(args, kwargs)
    if spec.is_generator and not return_state:
        if dry_run() is not None:
            return _dry_stream(task, args, kwargs)
        stream = astream_task if spec.is_async else stream_task
        return stream(spec, args, kwargs, wait_for)
    if spec.is_async:
        return _arun_task(
            task, args, kwargs, return_state=return_state, wait_for=wait_for
        )
    try:
        run = call_task(spec, args, kwargs, wait_for)
    except DryCall:
        return _dry_node(task, args, kwargs).value
    return run.state() if return_state else run.outcome()


def _dry_node(
    callee: Any, args: Arguments, kwargs: Keywords, run: DryRun | None = None
) -> Node:
    """Return the node of the graph that a call is in a dry run."""
    run = run or dry_run()
    assert run is not None, "only calls of dry runs are nodes"
    given = callee.options.get("viz_return_value")
    return run.add(callee.spec.name, args, kwargs, given)


def _dry_stream(callee: Any, args: Arguments, kwargs: Keywords) -> Any:
    """Return what a generator function gives in a dry run: one item that stands for all."""
    value = _dry_node(callee, args, kwargs).value
    return astreamed(value) if callee.spec.is_async else iter([value])


async def _arun_task(
    task: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    try:
        run = await acall_task(task.spec, args, kwargs, wait_for)
    except DryCall:
        return _dry_node(task, args, kwargs).value
    return run.state() if return_state else run.outcome()


def submit(
    task: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Task.submit`` promises."""
    task.binder.fits(args, kwargs)
    try:
        future: Future[Any] = Future(submit_task(task.spec, args, kwargs, wait_for))
    except DryCall:
        return _dry_node(task, args, kwargs)
    if return_state:
        future.wait()
        return future.state
    return future


def delay(
    task: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    wait_for: Any,
    dependencies: dict[str, Any] | None = None,
) -> DistributedFuture[Any]:
    """Do what ``Task.apply_async`` promises."""
    from caudal.engine.background import Payload, delay_task  # noqa: PLC0415 - few programs delay tasks

    task.binder.fits(args, kwargs)
    dry = dry_run()
    if dry is not None:
        return cast("Any", _dry_node(task, args, kwargs, dry))
    given = Payload(_sendable(args), _sendable(kwargs), _sendable(wait_for))
    return DistributedFuture(UUID(bytes=delay_task(task.spec, given, dependencies)))


def _sendable(value: Any) -> Any:
    """Return a value with the results of this process's futures in their place; those of runs in the ledger stay."""
    if isinstance(value, DistributedFuture):
        return cast("DistributedFuture[Any]", value)
    if isinstance(value, Future):
        future = cast("Future[Any]", value)
        future.wait()
        return resolve(future)
    return rebuild(value, _sendable)


def submit_all(
    task: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
    deferred: bool,
) -> Any:
    """Do what ``Task.map`` promises."""
    dry = dry_run()
    if dry is not None:
        return Nodes([_dry_node(task, args, kwargs, dry)])
    spec, context = task.spec, copy_context()
    calls = mapped_calls(task.binder, args, kwargs)
    futures: FutureList[Any]
    if deferred:
        futures = FutureList(
            delay(task, values, named, wait_for=wait_for) for values, named in calls
        )
    else:
        futures = FutureList(
            Future(submit_task(spec, values, named, wait_for, context))
            for values, named in calls
        )
    if return_state:
        futures.wait()
        return [future.state for future in futures]
    return futures


def run_flow(
    flow: Callee,
    args: Arguments,
    kwargs: Keywords,
    *,
    return_state: bool,
    wait_for: Any,
) -> Any:
    """Do what ``Flow.__call__`` promises."""
    file = loading.get()
    if file is not None:
        return _skip(flow.spec, file)
    given = with_field_defaults(flow.binder.bind(args, kwargs))
    dry = dry_run()
    if dry is not None:
        return _dry_flow(flow, args, kwargs, dry)
    if flow.spec.is_generator and not return_state:
        stream = _astream_flow if flow.spec.is_async else _stream_flow
        return stream(flow, given, wait_for)
    try:
        parameters = _ready(given, wait_for)
    except UpstreamTaskError as error:
        if return_state:
            not_ready: State[Any] = State("PENDING", "NotReady", str(error), error)
            return not_ready
        raise
    scope = make_flow_run(flow.spec, parameters)
    return run_scope(flow.spec, scope, return_state=return_state)


def _dry_flow(flow: Callee, args: Arguments, kwargs: Keywords, dry: DryRun) -> Any:
    """Return what a child flow gives in a dry run: it is one node, and its code is not run."""
    if flow.spec.is_generator:
        return _dry_stream(flow, args, kwargs)
    value = _dry_node(flow, args, kwargs, dry).value
    return later(value) if flow.spec.is_async else value


def _stream_flow(flow: Callee, given: Keywords, wait_for: Any) -> Generator[Any]:
    scope = make_flow_run(flow.spec, _ready(given, wait_for))
    return (yield from stream_flow(scope))


async def _astream_flow(
    flow: Callee, given: Keywords, wait_for: Any
) -> AsyncGenerator[Any]:
    scope = make_flow_run(flow.spec, _ready(given, wait_for))
    async with aclosing(astream_flow(scope)) as items:
        async for item in items:
            yield item


def _ready(given: Keywords, wait_for: Any) -> Keywords:
    """Return a flow's parameters once the futures among them, and those to wait for, are done.

    Raises:
        UpstreamTaskError: One of them did not complete.
    """
    for future in find((wait_for, *given.values()), {}):
        if isinstance(future, Future):
            future.wait()
    resolve(wait_for)
    return resolve(given)


def _skip(spec: FlowSpec, file: str) -> Any:
    """Leave a flow alone that a file calls while it is loaded."""
    _logger.warning(
        "flow %r is not run while %s is loaded. Put the call under `if __name__ == '__main__':`.",
        spec.name,
        file,
    )
    return _nothing() if spec.is_async else None


async def _nothing() -> None:
    pass


def run_scope(spec: FlowSpec, scope: FlowScope, *, return_state: bool) -> Any:
    """Carry out a flow run that was made or claimed, as a call of the flow does."""
    if spec.is_async:
        return _arun_scope(scope, return_state=return_state)
    state = call_flow(scope)
    return state if return_state else state.get()


async def _arun_scope(scope: FlowScope, *, return_state: bool) -> Any:
    state = await acall_flow(scope)
    return state if return_state else state.get()
