"""``caudal flow-run``: what is on record about flow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caudal.cli.output import (
    Cell,
    Column,
    Group,
    follow_option,
    format_age,
    format_duration,
    format_time,
    level_option,
    limit_option,
    output_option,
    print_fields,
    print_heading,
    print_json,
    print_table,
    state_cell,
    state_option,
)

if TYPE_CHECKING:
    from datetime import datetime

    from caudal.cli.inspection import FlowRunInspection
    from caudal.model.views import FlowRun

_COLUMNS = (
    Column("ID"),
    Column("Name"),
    Column("Flow"),
    Column("State"),
    Column("Started"),
    Column("Took", is_number=True),
    Column("Tasks", is_number=True),
)


@click.group("flow-run", cls=Group)
def flow_run() -> None:
    """List flow runs, look at one, go on with one.

    A run is named by its id, the start of its id, or its name.
    """


@flow_run.command("ls")
@limit_option
@state_option
@click.option("--flow", "flow_name", help="Only runs of this flow.")
@output_option
def list_runs(
    limit: int, states: tuple[str, ...], flow_name: str | None, output: str
) -> None:
    """List flow runs, newest first."""
    from caudal.cli.finding import read_states, short_ids
    from caudal.client import get_client
    from caudal.clock import now
    from caudal.engine.composition import current_engine

    kinds, names = read_states(states)
    current_engine().sweep()
    runs = get_client().read_flow_runs(
        flow_name=flow_name, state_types=kinds, state_names=names, limit=limit
    )
    if output == "json":
        from caudal.cli.records import flow_run_record

        print_json([flow_run_record(run) for run in runs])
        return
    if not runs:
        wanted = states or flow_name
        click.echo(
            "No flow run fits."
            if wanted
            else "There are no flow runs yet. `caudal run FILE` makes one.",
            err=True,
        )
        return
    ids = short_ids([run.id for run in runs])
    print_table(_COLUMNS, [_row(run, ids[run.id], now()) for run in runs])
    if len(runs) == limit:
        click.echo(f"The newest {limit}; --limit shows more.", err=True)


def _row(run: FlowRun, short_id: str, now: datetime) -> list[str | Cell]:
    failed = f" ({run.task_failed} failed)" if run.task_failed else ""
    return [
        Cell(short_id, "bright_black"),
        run.name,
        run.flow_name,
        state_cell(run.state_type, run.state_name),
        format_age(run.start_time or run.created, now),
        format_duration(_seconds(run, now)),
        Cell(f"{run.task_completed}/{run.task_count}{failed}", "red" if failed else ""),
    ]


def _seconds(run: FlowRun, now: datetime) -> float | None:
    if run.start_time is None or run.end_time is not None:
        return run.duration_seconds
    return (now - run.start_time).total_seconds()


@flow_run.command()
@click.argument("run", metavar="RUN")
@output_option
def inspect(run: str, output: str) -> None:
    """Show what is on record about a flow run: states, parameters, tasks, checks, error."""
    from caudal.cli.inspection import inspect_flow_run

    inspection = inspect_flow_run(run)
    if output == "json":
        print_json(inspection.as_record())
    else:
        _print_inspection(inspection)


def _print_inspection(inspection: FlowRunInspection) -> None:
    import json

    from caudal.cli.counts import print_groups
    from caudal.cli.inspection import parent_of
    from caudal.cli.report import check_summary, print_error, print_history
    from caudal.clock import now

    run, progress = inspection.run, inspection.progress
    print_fields(
        [
            ("id", str(run.id)),
            ("name", run.name),
            ("flow", run.flow_name),
            ("state", state_cell(run.state_type, run.state_name)),
            ("message", run.state.message),
            ("started", format_time(run.start_time)),
            ("ended", format_time(run.end_time)),
            ("took", format_duration(_seconds(run, now()))),
            ("attempt", str(run.attempt) if run.attempt > 1 else None),
            ("runs in", inspection.worker),
            ("waits for", inspection.waits_for),
            ("called by", parent_of(run)),
            (
                "parameters",
                json.dumps(run.parameters, ensure_ascii=False, default=str)
                if run.parameters
                else None,
            ),
            ("tags", ", ".join(run.tags)),
            ("file", run.details.get("entrypoint")),
        ]
    )
    print_heading("History")
    print_history(progress.history)
    if progress.root.members:
        print_heading("Tasks")
        print_groups(progress.root)
    if inspection.failed:
        print_heading("Failed task runs")
        print_fields(
            [
                (failed.name, failed.state.message or failed.state_name)
                for failed in inspection.failed
            ]
        )
    if inspection.checks:
        print_heading(check_summary(inspection.checks))
        print_fields(
            [
                (f"{check.asset} {check.check}", check.message)
                for check in inspection.checks
                if not check.passed
            ]
        )
    print_error(run)


@flow_run.command()
@click.argument("run", metavar="RUN")
@output_option
def explain(run: str, output: str) -> None:
    """Say why a flow run waits, failed or crashed, and what came from the cache."""
    from caudal.cli.explanation import print_explanation
    from caudal.client import get_client
    from caudal.engine.composition import current_engine
    from caudal.explain import explain_flow_run

    current_engine().sweep()
    print_explanation(explain_flow_run(get_client().find_flow_run(run)), output)


@flow_run.command()
@click.argument("run", metavar="RUN")
@follow_option
@level_option
@output_option
def logs(run: str, level: str, output: str, *, follow: bool) -> None:
    """Print what a flow run and its task runs logged; JSON output has one object a line."""
    from caudal.cli.log_lines import print_logs
    from caudal.client import get_client

    client = get_client()
    found = client.read_flow_run(run)

    def has_ended() -> bool:
        return client.read_flow_run(found.id).state.is_final()

    print_logs(
        {"flow_run_id": found.id},
        level,
        output,
        has_ended=has_ended,
        follow=follow,
    )


@flow_run.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--input",
    "run_input",
    metavar="JSON",
    help="What a paused run waits for: an object of its fields, or the value alone.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Go on with a durable run that was given up after its process was lost too often.",
)
@output_option
@click.pass_context
def resume(
    ctx: click.Context, run: str, run_input: str | None, output: str, *, force: bool
) -> None:
    """Go on with a flow run that is paused or suspended, or that failed, crashed or was cancelled.

    A run that waits in its process goes on there. Any other one goes on here: its flow is loaded from the file on record and called with the parameters on
    record; task runs that completed and whose results were stored are not run again. Exit status as of `caudal run`.
    """
    from uuid import UUID

    from caudal.answers import answer
    from caudal.cli.execution import carry_out, results_apart, resumed_job
    from caudal.cli.parameters import read_input
    from caudal.client import get_client
    from caudal.resume import load_recorded_flow

    client = get_client()
    row = client.find_flow_run(run)
    if answer(row, read_input(run_input), force=force):
        _print_asked(
            client.read_flow_run(UUID(bytes=row.id)), output, "goes on in its process"
        )
        return
    with results_apart(output) as results:
        job = resumed_job(load_recorded_flow(row), row, {}, force=force)
        ctx.exit(carry_out(job, results))


@flow_run.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--from",
    "from_tasks",
    multiple=True,
    metavar="TASK",
    help="Do this again, and what follows from it: a task run (load-0) or a task (load). May be repeated.",
)
@click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter to change, as JSON or as plain text. May be repeated.",
)
@output_option
@click.pass_context
def retry(
    ctx: click.Context,
    run: str,
    from_tasks: tuple[str, ...],
    parameters: tuple[str, ...],
    output: str,
) -> None:
    """Run a flow run again, from what failed or from a chosen task.

    It is the next attempt at the same run: task runs whose results are stored, and whose inputs and source are the same, are not run again
    unless --from says so. A run that completed can be retried with --from or -p. Exit status as of `caudal run`.
    """
    from caudal.cli.execution import carry_out, results_apart, retried_job
    from caudal.cli.parameters import split_parameters
    from caudal.client import get_client

    row = get_client().find_flow_run(run)
    with results_apart(output) as results:
        job = retried_job(row, split_parameters(parameters), from_tasks)
        ctx.exit(carry_out(job, results))


@flow_run.command()
@click.option(
    "--watch", is_flag=True, help="Keep looking for such runs until interrupted."
)
@click.option(
    "--give-up",
    metavar="RUN",
    help="Leave this run as it is instead: a call with the same parameters starts a new one.",
)
@click.pass_context
def recover(ctx: click.Context, give_up: str | None, *, watch: bool) -> None:
    """Go on with durable flow runs whose process died, each in a process of its own.

    Runs of every flow are taken up whose file is on this machine, with this command's environment. Those that were given up after
    `recovery_limit` losses are left: see `caudal flow-run resume --force`. Exit status: 0 all completed, 1 one did not.
    """
    from caudal.cli.recovery import give_up_run, recover_runs

    if give_up is not None and watch:
        raise click.UsageError("Give --watch or --give-up, not both.")
    if give_up is not None:
        give_up_run(give_up)
    else:
        ctx.exit(recover_runs(watch=watch))


@flow_run.command()
@click.argument("run", metavar="RUN")
@output_option
def suspend(run: str, output: str) -> None:
    """Have a flow run stop at its next call of a task, to be resumed later.

    Tasks that execute are waited for. When no process works on the run, it is suspended at once.
    """
    from caudal.client import get_client
    from caudal.flow_runs import suspend_flow_run

    client = get_client()
    found = client.read_flow_run(run)
    suspend_flow_run(flow_run_id=found.id)
    _print_asked(client.read_flow_run(found.id), output, "stops at its next task")


@flow_run.command()
@click.argument("run", metavar="RUN")
@output_option
def cancel(run: str, output: str) -> None:
    """Have a flow run end, with the flow runs that it called.

    The process that works on it notices within about a second, interrupts its tasks and records the end; when there is no such process, the run
    is cancelled at once.
    """
    from caudal.client import get_client

    found = get_client().cancel_flow_run(run)
    is_over = found.state.is_cancelled()
    what = "is cancelled" if is_over else "is being cancelled by its process"
    _print_asked(found, output, what)


def _print_asked(run: FlowRun, output: str, what: str) -> None:
    """Say what becomes of a run of which something was asked."""
    if output == "json":
        from caudal.cli.records import flow_run_record

        print_json(flow_run_record(run))
    else:
        click.echo(f"Flow run {run.name!r} {what}.")
