"""What happens when a flow is called: its run is made, found in an earlier attempt, or taken over, then its program carried out."""

from __future__ import annotations

import os
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from caudal.clock import timestamp
from caudal.engine.commands import run_async, run_sync
from caudal.engine.composition import AS_PREFECT, current_engine
from caudal.engine.context import added_tags, caller
from caudal.engine.flow_run import flow_program
from caudal.engine.flow_scope import FlowScope
from caudal.engine.logs import capture_prints, flow_logger, install
from caudal.engine.names import random_name, run_name
from caudal.engine.parameters import (
    had_owner,
    had_parameters,
    owner_details,
    record_parameters,
)
from caudal.engine.recorded import is_forgotten
from caudal.engine.recovery import forget_results, load_recorded
from caudal.engine.streams import stream_async, stream_sync
from caudal.exceptions import (
    CaudalError,
    DurableParametersError,
    FlowRunNotResumableError,
)
from caudal.model.downstream import Again
from caudal.model.ids import new_id
from caudal.model.jsonable import jsonable
from caudal.model.runs import Fence
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from caudal.engine.parts import Parts, Run
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import FlowSpec
    from caudal.model.states import State

#: Frames of caudal around the code of a flow that a flow calls.
_FRAMES = 12
#: Nested flows for which there is room beyond Python's own limit; more would use up the thread's stack.
_DEEPEST = 500
#: Facts that are those of an attempt alone.
_OF_AN_ATTEMPT = ("failures", "restored_task_runs")
_RECURSION_LIMIT = sys.getrecursionlimit()


def make_flow_run(spec: FlowSpec, parameters: dict[str, Any]) -> FlowScope:
    """Return a new flow run, its creation in the journal.

    A call by a flow that is run again goes on with the run that the call made before, if there is one, and a call of a durable flow
    with one that a dead process left.

    Args:
        spec: The flow.
        parameters: The call's arguments by name, not validated yet.
    """
    parent = caller()
    if parent is None:
        parts = current_engine()
        if spec.durable:
            from caudal.engine.durable import take_lost_run  # noqa: PLC0415 - hashing costs 10 ms

            row = take_lost_run(spec, parameters, parts)
            if row is not None:
                return resume_flow_run(spec, row, parameters, parts, goes_on=True)
        return _new_flow_run(spec, parameters, parts, None, None)
    outer = cast("FlowScope", parent.scope)
    path = _child_path(parent, spec)
    recorded = None
    if outer.recorded is not None:
        recorded = outer.recorded.flow(path)
        if spec.is_generator:
            recorded = None
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
        "as_prefect": AS_PREFECT in os.environ or None,
        **owner_details(spec),
    }
    try:
        details |= record_parameters(scope)
    except DurableParametersError:
        parts.forget(scope.uuid.bytes if scope.uuid else b"")
        raise
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
    *,
    again: Again | None = None,
    goes_on: bool = False,
) -> FlowScope:
    """Return the scope of a flow run that this process has claimed, with what it did before.

    Args:
        spec: The flow, as it is in today's code.
        row: The claimed run.
        parameters: What it is called with now.
        parts: What it works with.
        parent: The run whose code made the call, None at the top.
        again: What is to be done again, although it was done before.
        goes_on: Whether it was cut off, so that failed tries count.
    """
    scope = _scope_of(spec, row, parameters, parts, parent)
    _open(scope)
    scope.goes_on = goes_on
    stale = [name for name in _OF_AN_ATTEMPT if row.details.get(name)]
    if goes_on and "failures" in stale:
        stale.remove("failures")
        scope.failures = row.details["failures"]
    if stale:
        scope.know(details=dict.fromkeys(stale, 0))
    if again is not None:
        forget_results(scope, row.id, again)
    load_recorded(scope)
    if scope.durable_key is not None and scope.durable_key == row.durable_key:
        return scope  # it has the same parameters
    if scope.durable_key is not None:
        scope.know(durable_key=scope.durable_key)
    if not had_parameters(parts, row, parameters):
        shown = {name: jsonable(value) for name, value in parameters.items()}
        kept = {"parameters": None, "parameters_key": None} | record_parameters(scope)
        scope.know(details=kept, parameters=shown)
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
    scope.enter(row)
    scope.pauses = list(row.details.get("pauses", ()))
    scope.lost_pause = row.details.get("pause")
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
        if (
            key is not None
            and had_owner(spec, row)
            and had_parameters(parts, row, parameters)
        ):
            try:
                storage = spec.storage or cast("FlowScope", parent.scope).storage
                value = parts.results.load(key, parts.results.place(storage))
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
    again: Again | None = None
    if is_forgotten(row.details) and not row.details.get("forgotten_in_part"):
        again = Again(_Everything(), {})
    goes_on = cast("FlowScope", parent.scope).goes_on
    return resume_flow_run(
        spec, claimed, parameters, parts, parent, again=again, goes_on=goes_on
    )


class _Everything:
    """Contains everything."""

    def __contains__(self, _: object) -> bool:
        return True


def _open(scope: FlowScope) -> None:
    """Settle what a flow run's tasks inherit and make the engine know it."""
    parts, spec = scope.parts, scope.spec
    assert spec is not None, "only flows are opened"
    assert scope.id is not None, "only flows are opened"
    settings = get_current_settings()
    scope.persist = _first(
        spec.persist,
        spec.durable or None,
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
    install(parts.settings.logging_level, parts.settings.logging_format)
    capture_prints()
    parts.register(scope.id, scope)
    if spec.durable and scope.parent is None:
        from caudal.engine.durable import durable_key  # noqa: PLC0415 - hashing costs 10 ms

        scope.durable_key = durable_key(spec, scope.parameters)
        if spec.entrypoint is not None:
            parts.recover_file(spec.entrypoint.rpartition(":")[0])


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
    if scope.parent is not None:
        _allow_depth(scope.parent)
    return run_sync(flow_program(scope))


def _allow_depth(above: Any) -> None:
    """Leave the code of a nested flow the room on the stack that it would have without caudal's frames around it."""
    depth = 0
    while above is not None:
        depth += above is above.scope
        above = above.parent
    needed = _RECURSION_LIMIT + min(depth, _DEEPEST) * _FRAMES
    if needed > sys.getrecursionlimit():
        sys.setrecursionlimit(needed)


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
