"""Takes a flow run up again: where it stopped, or from a task that is to be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from caudal.engine.composition import current_engine
from caudal.engine.finding import find_flow_run
from caudal.engine.flow_calls import resume_flow_run as make_resumed
from caudal.engine.parameters import recorded_parameters
from caudal.engine.recovery import recorded_runs
from caudal.exceptions import (
    FlowRunNotResumableError,
    ObjectNotFound,
    ScriptError,
)
from caudal.flows import load_flow_from_entrypoint
from caudal.ledger.takeover import was_cut_off
from caudal.model.downstream import Again, calls_of, named, to_run_again
from caudal.running import run_scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from caudal.flows import Flow
    from caudal.model.runs import FlowRunRow


def resume_flow_run(
    flow: Flow[..., Any],
    given: UUID | str,
    parameters: dict[str, Any] | None = None,
    *,
    force: bool = False,
) -> Any:
    """Run a flow again as a new attempt at an earlier run, and return its last state.

    Task runs of the earlier attempt whose results were stored (``persist_result=True``) return them; the
    rest run again. A coroutine function's flow returns an awaitable.

    Args:
        flow: The flow, as it is in today's code.
        given: The flow run: its id, the start of its id, or its name.
        parameters: Parameters to use instead of the recorded ones.
        force: Go on with a durable run that was given up, because its process was lost too often.

    Raises:
        ObjectNotFound: There is no such run.
        FlowRunNotResumableError: It completed, a live process works on it, it was given up, or it is a run of another flow.
        ParameterBindError: The flow cannot be called with the parameters.
    """
    engine = current_engine()
    row = find_flow_run(engine, given)
    used = recorded_parameters(engine, row) if parameters is None else parameters
    bound = _bound(flow, row, used)
    again = force and row.state_type != "COMPLETED"
    goes_on = was_cut_off(row) and not again
    claimed = engine.claim(row.id, again=again)
    scope = make_resumed(flow.spec, claimed, bound, engine, goes_on=goes_on)
    return run_scope(flow.spec, scope, return_state=True)


def retry_flow_run(
    given: UUID | str,
    *,
    from_tasks: Sequence[str] = (),
    parameters: dict[str, Any] | None = None,
    flow: Flow[..., Any] | None = None,
) -> Any:
    """Run a flow run again from what failed, or from chosen tasks, and return its last state.

    It is the next attempt at the same run. Tasks that did not complete run again, and those whose inputs or source have changed. Of the others,
    the chosen ones run again and what follows from them, although their results are stored. A run that completed needs a choice or a parameter.

    Args:
        given: The flow run: its id, the start of its id, or its name.
        from_tasks: What is to be done again: task runs (``load-0``) or tasks, all of whose runs are meant (``load``). What the flow does not call itself
            is looked for in the flows that it called; a path (``child-0/load-0``) says where.
        parameters: Parameters that change; the others are those on record.
        flow: The flow, as it is in today's code; None loads it from the file on record.

    Raises:
        ObjectNotFound: There is no such run, or it has no such task.
        FlowRunNotResumableError: A live process works on it, it is a run of another flow, or it completed and nothing is to be done again.
        ParameterBindError: The flow cannot be called with the parameters.
        ScriptError: The file on record does not hold the flow any more.
    """
    engine = current_engine()
    row = find_flow_run(current_engine(), given)
    flow = flow or load_recorded_flow(row)
    changed = parameters or {}
    try:
        recorded = recorded_parameters(engine, row)
    except FlowRunNotResumableError:
        if not changed:
            raise
        recorded = {}  # its message asks for all parameters
    bound = _bound(flow, row, {**recorded, **changed})
    if row.state_type == "COMPLETED" and not from_tasks and not changed:
        reason = (
            "it completed, so nothing has to be done again. Say from which task on (--from TASK, from_tasks=[...]), "
            "or change a parameter (-p NAME=VALUE, parameters={...})."
        )
        raise FlowRunNotResumableError(row.name, reason)
    again = _to_run_again(row, from_tasks)
    claimed = engine.claim(row.id, again=True)
    scope = make_resumed(flow.spec, claimed, bound, engine, again=again)
    return run_scope(flow.spec, scope, return_state=True)


def paths_to_run_again(row: FlowRunRow, from_tasks: Sequence[str]) -> list[str]:
    """Return the paths of the runs in a flow run that are to run again when it is retried from some tasks.

    Args:
        row: The flow run.
        from_tasks: Task runs or tasks; see `retry_flow_run`.

    Raises:
        ObjectNotFound: The flow run has none of a name.
    """
    again = _to_run_again(row, from_tasks)
    return [] if again is None else sorted(_shown(again))


def _shown(again: Again) -> Iterator[str]:
    yield from cast("frozenset[str]", again.paths)
    for path, inner in again.within.items():
        yield from (f"{path}/{each}" for each in _shown(inner))


def _to_run_again(row: FlowRunRow, from_tasks: Sequence[str]) -> Again | None:
    """Return what is to run again of a flow run, None when nothing was chosen.

    Raises:
        ObjectNotFound: The flow run has none of a name.
    """
    if not from_tasks:
        return None
    found: set[str] = set()
    again = _chosen(row.id, from_tasks, "", found)
    for name in from_tasks:
        if name not in found:
            raise ObjectNotFound("task run", name, row.name)
    return again


def _chosen(
    flow_run_id: bytes, names: Sequence[str], prefix: str, found: set[str]
) -> Again:
    """Return what of a flow run is to run again when some names are chosen.

    Args:
        flow_run_id: The flow run.
        names: What to look for; in the flows that it called, what it has not itself.
        prefix: Where its calls are, seen from the outermost flow run: nothing there, or a path that ends with a slash.
        found: Names that mean something are added here.
    """
    tasks, flows = recorded_runs(current_engine(), flow_run_id)
    calls = calls_of(tasks, flows)
    chosen: set[str] = set()
    left: list[str] = []
    for name in names:
        paths = named(calls, name) | named(calls, name.removeprefix(prefix))
        chosen |= paths
        if paths:
            found.add(name)
        else:
            left.append(name)
    inner: dict[str, Again] = {}
    for flow in flows if left else ():
        path: str | None = flow.details.get("path")
        if path is not None and path not in chosen:
            again = _chosen(flow.id, left, f"{prefix}{path}/", found)
            if again.paths or again.within:
                inner[path] = again
    paths = to_run_again(calls, chosen, inner)
    within = {path: again for path, again in inner.items() if path not in paths}
    return Again(paths, within)


def load_recorded_flow(row: FlowRunRow) -> Flow[..., Any]:
    """Return the flow of a recorded run, loaded from the file that it was started from.

    Raises:
        ScriptError: The file does not hold it any more, or none is recorded.
    """
    entrypoint: str | None = row.details.get("entrypoint")
    if entrypoint is None:
        reason = f"flow run {row.name!r} does not say which file its flow is from. Use `caudal run FILE:FLOW --resume {row.name}`."
        raise ScriptError("", reason)
    if row.details.get("as_prefect"):
        from caudal import compat  # noqa: PLC0415 - only pipelines written for Prefect need it

        compat.install()
    file, _, _ = entrypoint.rpartition(":")
    return load_flow_from_entrypoint(f"{file}:{row.flow_name}")


def _bound(
    flow: Flow[..., Any], row: FlowRunRow, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Return what a flow is to be called with; before a claim, so that what does not fit leaves the run alone."""
    check_flow(flow, row)
    return flow.spec.bind((), parameters)


def check_flow(flow: Flow[..., Any], row: FlowRunRow) -> None:
    """Do nothing for a run of the flow.

    Raises:
        FlowRunNotResumableError: It is a run of another flow.
    """
    if row.flow_name != flow.name:
        raise FlowRunNotResumableError(
            row.name,
            f"it is a run of flow {row.flow_name!r}, and the flow given is {flow.name!r}. Name the right flow.",
        )
