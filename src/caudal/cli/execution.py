"""Carries out a flow for the command line: shows its progress, records its end, says what to do next."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import click

from caudal.cli.display import make_display
from caudal.cli.finding import handle_of
from caudal.cli.following import Follower, ProgressReader
from caudal.cli.parameters import read_parameters
from caudal.cli.report import print_next, print_report, print_result
from caudal.cli.status import FAILED, SIGNAL_BASE
from caudal.cli.stopping import Signals
from caudal.client import get_client
from caudal.engine.composition import current_engine
from caudal.engine.flow_calls import make_flow_run
from caudal.engine.parameters import recorded_parameters
from caudal.exceptions import FlowRunNotResumableError
from caudal.resume import (
    check_flow,
    load_recorded_flow,
    paths_to_run_again,
    resume_flow_run,
    retry_flow_run,
)
from caudal.running import run_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import TextIO

    from caudal.flows import Flow
    from caudal.model.runs import FlowRunRow
    from caudal.states import State


class Job(NamedTuple):
    """A flow run that is ready to be carried out."""

    flow_run_id: bytes
    is_async: bool
    #: Does it and returns the last state, or an awaitable of it.
    start: Callable[[], Any]


def new_job(flow: Flow[..., Any], texts: Mapping[str, str]) -> Job:
    """Return a job for a new run of a flow.

    Args:
        flow: The flow.
        texts: Its parameters as they were written.

    Raises:
        ParameterError: The flow does not accept the parameters; nothing was recorded.
    """
    scope = make_flow_run(flow.spec, read_parameters(flow, texts, {}))
    assert scope.id is not None, "flow runs have ids"
    return Job(
        scope.id,
        flow.spec.is_async,
        lambda: run_scope(flow.spec, scope, return_state=True),
    )


def resumed_job(
    flow: Flow[..., Any],
    row: FlowRunRow,
    texts: Mapping[str, str],
    *,
    force: bool = False,
) -> Job:
    """Return a job that takes a flow run up again.

    Args:
        flow: The flow, as it is in today's code.
        row: The flow run.
        texts: Parameters to use instead of the recorded ones, as they were written.
        force: Whether to go on with a durable run that was given up.

    Raises:
        ParameterError: The flow does not accept the parameters; nothing was recorded.
        FlowRunNotResumableError: It is a run of another flow, or its parameters were not kept and none are given.
    """
    check_flow(flow, row)
    try:
        recorded = recorded_parameters(current_engine(), row)
    except FlowRunNotResumableError:
        if not texts:
            raise
        recorded = {}  # its message asks for all parameters
    parameters = read_parameters(flow, texts, recorded)
    return Job(
        row.id,
        flow.spec.is_async,
        lambda: resume_flow_run(flow, UUID(bytes=row.id), parameters, force=force),
    )


def retried_job(
    row: FlowRunRow, texts: Mapping[str, str], from_tasks: Sequence[str]
) -> Job:
    """Return a job that runs a flow run again from what failed, or from chosen tasks.

    Args:
        row: The flow run.
        texts: Parameters to change, as they were written.
        from_tasks: Task runs or tasks that are to be done again.

    Raises:
        ParameterError: The flow does not accept the parameters; nothing was recorded.
        ObjectNotFound: The run has no such task.
    """
    flow = load_recorded_flow(row)
    recorded: dict[str, Any] = {}
    with suppress(FlowRunNotResumableError):  # it is raised below unless all are given
        recorded = recorded_parameters(current_engine(), row)
    used = read_parameters(flow, texts, recorded) if texts else {}
    again = paths_to_run_again(row, from_tasks)
    if again:
        click.echo(f"To be done again: {', '.join(again)}.", err=True)
    return Job(
        row.id,
        flow.spec.is_async,
        lambda: retry_flow_run(
            UUID(bytes=row.id), from_tasks=from_tasks, parameters=used, flow=flow
        ),
    )


def carry_out(job: Job, results: TextIO | None) -> int:
    """Run a job to its end, with its progress on stderr, and return the exit status.

    Args:
        job: What to do.
        results: Where to print the outcome as JSON; None prints a summary for people instead.
    """
    engine = current_engine()
    signals = Signals(is_async=job.is_async)
    display = make_display(engine.settings, lambda: signals.received is not None)
    reader = ProgressReader(engine.ledger, job.flow_run_id)
    state: State[Any] | None = None
    stop: BaseException | None = None
    with signals, display, Follower(reader, display.show):
        try:
            state = _start(job)
        except (
            KeyboardInterrupt,
            SystemExit,
        ) as error:  # the run's end is recorded by now
            stop = error
    client = get_client()
    run = client.read_flow_run(UUID(bytes=job.flow_run_id))
    progress = reader.read()
    with _perhaps_unread():
        display.finish(progress)
        if results is None:
            checks = client.read_checks(run.id)
            print_report(run, progress, checks, _failure(state, stop))
            print_next(run, handle_of(run))
    if results is not None:
        print_result(run, progress, state, results)
    if isinstance(stop, KeyboardInterrupt):
        return SIGNAL_BASE + (signals.received or signal.SIGINT)
    return 0 if run.state.is_completed() or run.state.is_paused() else FAILED


@contextmanager
def results_apart(output: str) -> Generator[TextIO | None]:
    """Keep stdout for the outcome when programs read it: what anything else prints goes to stderr.

    Args:
        output: ``text`` changes nothing and yields None; ``json`` yields a stream to the real stdout.
    """
    if output != "json":
        yield None
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w") as results:
        os.dup2(2, 1)
        sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        try:
            yield results
        finally:
            sys.stdout.flush()
            os.dup2(results.fileno(), 1)


@contextmanager
def _perhaps_unread() -> Generator[None]:
    """Print on stderr what nobody may read any more (``2>&1 | head``): that is no failure of the run."""
    try:
        yield
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _start(job: Job) -> Any:
    outcome = job.start()
    if not job.is_async:
        return outcome
    import asyncio

    return asyncio.run(outcome)


def _failure(
    state: State[Any] | None, stop: BaseException | None
) -> BaseException | None:
    """Return what made a run end without a result, unless somebody interrupted it."""
    if state is not None and (state.is_failed() or state.is_crashed()):
        return state.exception()
    return stop if isinstance(stop, SystemExit) else None
