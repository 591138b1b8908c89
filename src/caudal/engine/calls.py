"""What happens when a decorated function is called, submitted or mapped: the run is made, then its program carried out."""

from __future__ import annotations

import os
from contextlib import aclosing
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from caudal.clock import timestamp
from caudal.engine.commands import run_async, run_sync
from caudal.engine.composition import current_engine
from caudal.engine.context import added_tags, current
from caudal.engine.dispatcher import WINDOW
from caudal.engine.flow_run import flow_program
from caudal.engine.flow_scope import FlowScope
from caudal.engine.inputs import ATOMS, Pending, find
from caudal.engine.live_task import LiveTask
from caudal.engine.logs import capture_prints, flow_logger, install
from caudal.engine.names import random_name, run_name
from caudal.engine.recovery import had_parameters, load_recorded, record_parameters
from caudal.engine.streams import stream_async, stream_sync
from caudal.engine.task_run import task_program
from caudal.exceptions import CancelledRun, CaudalError, FlowRunNotResumableError
from caudal.model.ids import new_id
from caudal.model.jsonable import jsonable
from caudal.model.runs import Fence
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from contextvars import Context

    from caudal.engine.parts import Parts, Run
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import FlowSpec, TaskSpec
    from caudal.model.states import State


def call_task(
    spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any = None
) -> LiveTask:
    """Run a task in this thread and return its run, done."""
    run = make_task_run(spec, args, kwargs, wait_for)
    run_sync(task_program(run, run.scope.parts.local))
    return run


async def acall_task(
    spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any = None
) -> LiveTask:
    """Run a task on the running event loop and return its run, done."""
    run = make_task_run(spec, args, kwargs, wait_for)
    await run_async(task_program(run, run.scope.parts.local))
    return run


def stream_task(
    spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any = None
) -> Generator[Any]:
    """Run a generator function's task in this thread, yielding what it yields; return its result."""
    run = make_task_run(spec, args, kwargs, wait_for)
    yield from stream_sync(task_program(run, run.scope.parts.local, streams=True))
    return run.outcome()


async def astream_task(
    spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any = None
) -> AsyncGenerator[Any]:
    """Run an async generator function's task on the running event loop, yielding what it yields."""
    run = make_task_run(spec, args, kwargs, wait_for)
    program = task_program(run, run.scope.parts.local, streams=True)
    async with aclosing(stream_async(program, [])) as items:
        async for item in items:
            yield item
    run.outcome()


def submit_task(
    spec: TaskSpec,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    wait_for: Any = None,
    context: Context | None = None,
) -> LiveTask:
    """Hand a task to its flow's runner and return its run, which starts when its inputs are there.

    Args:
        spec: The task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        wait_for: Futures whose runs have to complete first.
        context: A copy of the caller's context, which many calls may share; None makes one.
    """
    run = make_task_run(spec, args, kwargs, wait_for)
    scope = run.scope
    if scope.dispatcher.open >= WINDOW:
        scope.dispatcher.make_room()
    run.context = context or copy_context()
    if (
        run.row is None and not run.deferred
    ):  # one that is on record may need no change at all
        run.deferred = True
        scope.journal.defer(run, run.created_at)
    scope.dispatcher.submit(run, run.upstream or [])
    return run


def make_task_run(
    spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any
) -> LiveTask:
    """Return a new task run, pending, in the run that is in charge here.

    Raises:
        LeaseLostError: This process may not go on with the flow run.
        CancelledRun: The flow run is being stopped.
        ResumeMismatchError: The call is not the one on record, and the settings ask for an error.
    """
    parent = current.get()
    if parent is None:
        parent = outside()
    scope = cast("FlowScope", parent.scope)
    if scope.stopping is not None:
        scope.check()
        raise CancelledRun(f"Task {spec.name!r} was not started: {scope.stopping}.")
    index = parent.next_index(spec.name)
    name = f"{spec.name}-{index}"
    path = f"{parent.path}/{name}" if parent is not scope else name
    row = None if scope.recorded is None else scope.recorded.meet(scope, path)
    run = LiveTask(spec, scope, parent, name, path, args, kwargs)
    scope.live.add(run)
    if row is not None:
        run.id, run.row = row.id, row
    _connect(run, args, kwargs, wait_for)
    tags = added_tags.get() | spec.tags | scope.tags
    if tags:
        run.know(tags=sorted(tags))
    return run


def _connect(
    run: LiveTask, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any
) -> None:
    """Find the runs that the new run takes its inputs from."""
    scope = run.scope
    values = [value for value in args if value.__class__ not in ATOMS]
    if kwargs:
        values += [value for value in kwargs.values() if value.__class__ not in ATOMS]
    if not values and wait_for is None:
        if run.spec.run_name is not None:
            run.upstream = []
        return
    found = find(args, kwargs)
    if wait_for is not None:
        run.after = wait_for
        found.extend(find((wait_for,), {}))
    origins = scope.origins.of(values)
    upstream = [item.run for item in found if isinstance(item, Pending)]
    if found or wait_for is not None or run.spec.run_name is not None:
        run.upstream = upstream
    edges = dict.fromkeys(other.id.hex() for other in (*upstream, *origins))
    if edges:
        run.know(upstream=list(edges))


def outside() -> FlowScope:
    """Return the scope of tasks that are called outside flows."""
    engine = current_engine()
    _install_logs(engine)
    capture_prints()
    return engine.outside


def _install_logs(parts: Parts) -> None:
    install(parts.settings.logging_level, parts.settings.logging_format)


def make_flow_run(spec: FlowSpec, parameters: dict[str, Any]) -> FlowScope:
    """Return a new flow run, its creation in the journal.

    A call by a flow that is run again goes on with the run that the call made before, if there is one.

    Args:
        spec: The flow.
        parameters: The call's arguments by name, not validated yet.
    """
    parent = current.get()
    if parent is None:
        return _new_flow_run(spec, parameters, current_engine(), None, None)
    outer = cast("FlowScope", parent.scope)
    path = _child_path(parent, spec)
    recorded = None if outer.recorded is None else outer.recorded.flow(path)
    return (
        recorded and go_on_with_child(spec, recorded, parameters, parent)
    ) or _new_flow_run(spec, parameters, outer.parts, parent, path)


def _new_flow_run(
    spec: FlowSpec,
    parameters: dict[str, Any],
    parts: Parts,
    parent: Run | None,
    path: str | None,
) -> FlowScope:
    now = timestamp()
    scope = FlowScope(
        parts,
        spec,
        new_id(now, os.urandom(8)),
        random_name(parts.random),
        parameters=parameters,
        fence=Fence(parts.owner, 1),
        parent=parent,
        runner=runner_of(spec, parts),
    )
    scope.tags = added_tags.get() | spec.tags
    _open(scope)
    if spec.run_name is not None:
        scope.name = run_name(spec, parameters)
    details: dict[str, Any] = {
        "entrypoint": spec.entrypoint,
        "version": spec.version,
        "path": path,
    }
    details |= record_parameters(scope)
    shown = {name: jsonable(value) for name, value in parameters.items()}
    scope.create(
        {name: value for name, value in details.items() if value is not None}, shown
    )
    return scope


def resume_flow_run(
    spec: FlowSpec,
    row: FlowRunRow,
    parameters: dict[str, Any],
    parts: Parts,
    parent: Run | None = None,
) -> FlowScope:
    """Return the scope of a flow run that this process has claimed, with what it did before.

    Args:
        spec: The flow, as it is in today's code.
        row: The claimed run.
        parameters: What it is called with now.
        parts: What it works with.
        parent: The run whose code made the call, None at the top.
    """
    scope = _scope_of(spec, row, parameters, parts, parent)
    _open(scope)
    load_recorded(scope)
    if not had_parameters(parts, row, parameters):
        shown = {name: jsonable(value) for name, value in parameters.items()}
        kept = {"parameters": None, "parameters_key": None} | record_parameters(scope)
        scope.know(kept, shown)
    return scope


def _scope_of(
    spec: FlowSpec,
    row: FlowRunRow,
    parameters: dict[str, Any],
    parts: Parts,
    parent: Run | None,
) -> FlowScope:
    """Return a flow run as its row says it is."""
    scope = FlowScope(
        parts,
        spec,
        row.id,
        row.name,
        parameters=parameters,
        fence=Fence(parts.owner, row.attempt),
        parent=parent,
        runner=runner_of(spec, parts),
    )
    scope.tags = frozenset(row.tags)
    scope.type, scope.state_name, scope.at = (
        row.state_type,
        row.state_name,
        row.state_at,
    )
    scope.message, scope.run_count = row.details.get("message"), row.run_count
    scope.resumed = True
    return scope


def go_on_with_child(
    spec: FlowSpec, row: FlowRunRow, parameters: dict[str, Any], parent: Run
) -> FlowScope | None:
    """Return the flow run that a call made in an earlier attempt: ended where its result was kept, else taken up again.

    None means that it is in other hands, and that the call makes a new run.
    """
    parts = cast("FlowScope", parent.scope).parts
    if row.state_type == "COMPLETED" and (spec.version == row.details.get("version")):
        key: str | None = row.details.get("result_key")
        if key is not None and had_parameters(parts, row, parameters):
            try:
                value = parts.results.load(key)
            except CaudalError as error:
                flow_logger(parent.scope).warning(
                    "a kept result cannot be used, flow run %r is run again: %s",
                    row.name,
                    error,
                )
            else:
                scope = _scope_of(spec, row, parameters, parts, parent)
                scope.data = value
                return scope
    try:
        claimed = parts.claim(row.id, again=True)
    except FlowRunNotResumableError:
        return None
    return resume_flow_run(spec, claimed, parameters, parts, parent)


def _open(scope: FlowScope) -> None:
    """Settle what a flow run's tasks inherit and make the engine know it."""
    parts, spec = scope.parts, scope.spec
    assert spec is not None, "only flows are opened"
    assert scope.id is not None, "only flows are opened"
    settings = get_current_settings()
    scope.persist = _first(
        spec.persist,
        scope.parent.scope.persist if scope.parent else None,
        settings.results_persist_by_default,
    )
    scope.storage = spec.storage
    if scope.storage is None and scope.parent is not None:
        scope.storage = cast("FlowScope", scope.parent.scope).storage
    scope.log_prints = _first(
        spec.log_prints,
        scope.parent.scope.log_prints if scope.parent else None,
        settings.logging_log_prints,
    )
    _install_logs(parts)
    capture_prints()
    parts.register(scope.id, scope)


def _first(*choices: bool | None) -> bool:
    return bool(next((choice for choice in choices if choice is not None), False))


def _child_path(parent: Run, spec: FlowSpec) -> str:
    own = f"{spec.name}-{parent.next_index(spec.name)}"
    return f"{parent.path}/{own}" if parent.path else own


def runner_of(spec: FlowSpec, parts: Parts) -> Any:
    """Return the runner for a flow's submitted tasks."""
    return parts.local if spec.runner is None else spec.runner.runner


def call_flow(scope: FlowScope) -> State[Any]:
    """Run a flow in this thread and return its last state."""
    return run_sync(flow_program(scope))


async def acall_flow(scope: FlowScope) -> State[Any]:
    """Run a flow on the running event loop and return its last state."""
    return await run_async(flow_program(scope))


def stream_flow(scope: FlowScope) -> Generator[Any]:
    """Run a generator function's flow in this thread, yielding what it yields; return its result."""
    state = yield from stream_sync(flow_program(scope))
    return state.get()


async def astream_flow(scope: FlowScope) -> AsyncGenerator[Any]:
    """Run an async generator function's flow on the running event loop, yielding what it yields."""
    ended: list[State[Any]] = []
    async with aclosing(stream_async(flow_program(scope), ended)) as items:
        async for item in items:
            yield item
    ended[0].get()


def observe_task(spec: TaskSpec) -> LiveTask:
    """Return a new task run whose work is done by something that caudal only watches.

    The caller moves it: ``move``, ``know``, and at the end ``finish``.
    """
    return make_task_run(spec, (), {}, None)
