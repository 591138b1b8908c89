"""What happens when a task is called, submitted or mapped: the run is made, then its program carried out."""

from __future__ import annotations

from contextlib import aclosing
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.commands import run_async, run_sync
from caudal.engine.composition import current_engine
from caudal.engine.context import added_tags, caller, current
from caudal.engine.flow_scope import FlowScope
from caudal.engine.inputs import ATOMS, Pending, find
from caudal.engine.live_task import LiveTask
from caudal.engine.logs import capture_prints, install
from caudal.engine.streams import stream_async, stream_sync
from caudal.engine.task_run import task_program
from caudal.exceptions import (
    CancelledRun,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from contextvars import Context

    from caudal.engine.lineage import Lineage
    from caudal.engine.parts import Run
    from caudal.model.specs import TaskSpec


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
    if scope.dispatcher.open >= scope.dispatcher.window:
        scope.dispatcher.make_room()
    run.context = context or copy_context()
    if run.row is None:  # one that is on record may need no change at all
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
        parent = _let_call(parent, spec)
        scope = cast("FlowScope", parent.scope)
    index = parent.next_index(spec.name)
    name = f"{spec.name}-{index}"
    path = f"{parent.path}/{name}" if parent is not scope else name
    row = None if scope.recorded is None else scope.recorded.meet(scope, path)
    run = LiveTask(spec, scope, parent, name, path, args, kwargs)
    scope.live.add(run)
    if row is not None:
        run.id, run.row = row.id, row
    if spec.assets is not None and scope.lineage is None:
        scope.lineage = new_lineage()
    _connect(run, args, kwargs, wait_for)
    added = added_tags.get()
    if added or spec.tags or scope.tags:
        run.tags = added | spec.tags | scope.tags
        run.know(tags=sorted(run.tags))
    return run


def _let_call(parent: Run, spec: TaskSpec) -> Run:
    """Return the run that a call belongs to which is made while its flow run starts no further task, if it may be made: by a hook.

    Raises:
        LeaseLostError: This process may not go on with the flow run.
        CancelledRun: The flow run is being stopped.
    """
    instead = caller()
    if instead is not parent:
        parent = instead or outside()
    scope = cast("FlowScope", parent.scope)
    if scope.stopping is None:
        return parent
    scope.check()
    if parent is scope:
        scope.stop.check_pause()
    raise CancelledRun(f"Task {spec.name!r} was not started: {scope.stopping}.")


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
        if scope.lineage is not None:
            scope.lineage.connect(run, ())
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
    if scope.lineage is not None:
        scope.lineage.connect(run, (other.id for other in (*upstream, *origins)))


def new_lineage() -> Lineage:
    """Return what keeps track of a flow run's assets."""
    from caudal.engine.lineage import Lineage  # noqa: PLC0415 - few flows make assets

    return Lineage()


def outside() -> FlowScope:
    """Return the scope of tasks that are called outside flows."""
    engine = current_engine()
    install(engine.settings.logging_level, engine.settings.logging_format)
    capture_prints()
    return engine.outside


def observe_task(spec: TaskSpec) -> LiveTask:
    """Return a new task run whose work is done by something that caudal only watches.

    The caller moves it: ``move``, ``know``, and at the end ``finish``.
    """
    return make_task_run(spec, (), {}, None)
