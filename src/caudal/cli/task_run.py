"""``caudal task-run``: what is on record about task runs."""

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

    from caudal.cli.inspection import TaskRunInspection
    from caudal.model.views import TaskRun

_COLUMNS = (
    Column("Name"),
    Column("State"),
    Column("Started"),
    Column("Took", is_number=True),
    Column("ID"),
)

_flow_run_option = click.option(
    "--flow-run",
    metavar="RUN",
    help="The flow run it belongs to, by its id, the start of it, or its name.",
)


@click.group("task-run", cls=Group)
def task_run() -> None:
    """List task runs, look at one.

    A run is named by its id, or by its name where --flow-run says which flow run it belongs to.
    """


@task_run.command("ls")
@click.option(
    "--flow-run", metavar="RUN", help="Only runs of this flow run, oldest first."
)
@click.option("--task", "task_name", help="Only runs of this task.")
@state_option
@limit_option
@output_option
def list_runs(
    flow_run: str | None,
    task_name: str | None,
    states: tuple[str, ...],
    limit: int,
    output: str,
) -> None:
    """List task runs: those of one flow run oldest first, others newest first."""
    from caudal.cli.finding import read_states
    from caudal.client import get_client
    from caudal.clock import now
    from caudal.engine.composition import current_engine

    kinds, names = read_states(states)
    current_engine().sweep()
    runs = get_client().read_task_runs(
        flow_run_id=flow_run,
        task_name=task_name,
        state_types=kinds,
        state_names=names,
        limit=limit,
    )
    if output == "json":
        from caudal.cli.records import task_run_record

        print_json([task_run_record(run) for run in runs])
        return
    if not runs:
        click.echo(
            "No task run fits."
            if states or task_name or flow_run
            else "There are no task runs yet.",
            err=True,
        )
        return
    print_table(_COLUMNS, [_row(run, now()) for run in runs])
    if len(runs) == limit:
        click.echo(
            f"The {'first' if flow_run else 'newest'} {limit}; --limit shows more.",
            err=True,
        )


def _row(run: TaskRun, now: datetime) -> list[str | Cell]:
    return [
        run.name,
        state_cell(run.state_type, run.state_name),
        format_age(run.start_time or run.created, now),
        format_duration(_seconds(run, now)),
        Cell(str(run.id), "bright_black"),
    ]


def _seconds(run: TaskRun, now: datetime) -> float | None:
    if run.start_time is None or run.end_time is not None:
        return run.duration_seconds
    return (now - run.start_time).total_seconds()


@task_run.command()
@click.argument("run", metavar="RUN")
@_flow_run_option
@output_option
def inspect(run: str, flow_run: str | None, output: str) -> None:
    """Show what is on record about a task run: states, inputs, keys, error."""
    from caudal.cli.inspection import inspect_task_run

    inspection = inspect_task_run(run, flow_run)
    if output == "json":
        print_json(inspection.as_record())
    else:
        _print_inspection(inspection)


def _print_inspection(inspection: TaskRunInspection) -> None:
    from caudal.cli.report import print_attempts, print_error, print_history
    from caudal.clock import now

    run, owner = inspection.run, inspection.flow_run
    print_fields(
        [
            ("id", str(run.id)),
            ("name", run.name),
            ("task", run.task_name),
            ("flow run", f"{owner.name} ({owner.id})" if owner else None),
            ("state", state_cell(run.state_type, run.state_name)),
            ("message", run.state.message),
            ("started", format_time(run.start_time)),
            ("ended", format_time(run.end_time)),
            ("took", format_duration(_seconds(run, now()))),
            ("tries", str(run.run_count) if run.run_count > 1 else None),
            (
                "takes results of",
                ", ".join(other.name for other in inspection.upstream),
            ),
            ("cache key", run.cache_key),
            ("result", run.details.get("result_key")),
            ("tags", ", ".join(run.tags)),
        ]
    )
    if inspection.attempts:
        print_heading("Attempts")
        print_attempts(inspection.attempts)
    print_heading("History")
    print_history(inspection.history)
    print_error(run)


@task_run.command()
@click.argument("run", metavar="RUN")
@_flow_run_option
@output_option
def explain(run: str, flow_run: str | None, output: str) -> None:
    """Say why a task run waits or failed, or where its result came from.

    Where the cache did not have the result, the closest run that kept one is named, and which parts of the cache key differ.
    """
    from caudal.cli.explanation import print_explanation
    from caudal.cli.finding import find_task_run
    from caudal.engine.composition import current_engine
    from caudal.explain import explain_task_run

    engine = current_engine()
    engine.sweep()
    row = engine.ledger.task_run(find_task_run(run, flow_run).id.bytes)
    assert row is not None, "it was found"
    print_explanation(explain_task_run(row), output)


@task_run.command()
@click.argument("run", metavar="RUN")
@_flow_run_option
@follow_option
@level_option
@output_option
def logs(
    run: str, flow_run: str | None, level: str, output: str, *, follow: bool
) -> None:
    """Print what a task run logged; JSON output has one object a line."""
    from caudal.cli.finding import find_task_run
    from caudal.cli.log_lines import print_logs
    from caudal.client import get_client

    client = get_client()
    found = find_task_run(run, flow_run)

    def has_ended() -> bool:
        state = client.read_task_run(found.id).state
        return state.is_final() or state.name == "NotReady"

    print_logs(
        {"task_run_id": found.id},
        level,
        output,
        has_ended=has_ended,
        follow=follow,
    )


@task_run.command()
@click.argument("run", metavar="RUN")
@_flow_run_option
@click.option(
    "--pdb", is_flag=True, help="Look around in the debugger when it fails again."
)
@click.pass_context
def replay(ctx: click.Context, run: str, flow_run: str | None, *, pdb: bool) -> None:
    """Run one recorded task run again, here, with the inputs it had.

    Inputs are on record when the run failed or its flow is durable. Today's code of the task is called, once: no retries, time-out or cache. The call is recorded as a task run of its own. Exit status 0: it
    completed.
    """
    from caudal.cli.finding import find_task_run
    from caudal.cli.replaying import replay_and_show
    from caudal.engine.composition import current_engine

    row = current_engine().ledger.task_run(find_task_run(run, flow_run).id.bytes)
    assert row is not None, "it was found"
    ctx.exit(replay_and_show(row, debug=pdb))
