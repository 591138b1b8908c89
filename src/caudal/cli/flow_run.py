"""``caudal flow-run``: what is on record about flow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caudal.cli.output import (
    Cell,
    Column,
    format_age,
    format_duration,
    format_time,
    output_option,
    print_fields,
    print_heading,
    print_json,
    print_table,
    state_cell,
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


@click.group("flow-run")
def flow_run() -> None:
    """List flow runs, look at one, go on with one.

    A run is named by its id, the start of its id, or its name.
    """


@flow_run.command("ls")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="The most runs to list.")
@click.option("--state", "states", multiple=True, help="Only runs in this state, such as failed or TimedOut. May be repeated.")
@click.option("--flow", "flow_name", help="Only runs of this flow.")
@output_option
def list_runs(limit: int, states: tuple[str, ...], flow_name: str | None, output: str) -> None:
    """List flow runs, newest first."""
    from caudal.cli.finding import read_states, short_ids
    from caudal.client import get_client
    from caudal.clock import now
    from caudal.engine.composition import current_engine

    kinds, names = read_states(states)
    current_engine().sweep()
    runs = get_client().read_flow_runs(flow_name=flow_name, state_types=kinds, state_names=names, limit=limit)
    if output == "json":
        from caudal.cli.records import flow_run_record

        print_json([flow_run_record(run) for run in runs])
        return
    if not runs:
        wanted = states or flow_name
        click.echo("No flow run fits." if wanted else "There are no flow runs yet. `caudal run FILE` makes one.", err=True)
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

    from caudal.cli.report import check_summary, print_groups
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
            ("attempts", str(run.attempt) if run.attempt > 1 else None),
            ("working on it", inspection.worker),
            ("parameters", json.dumps(run.parameters, ensure_ascii=False, default=str) if run.parameters else None),
            ("tags", ", ".join(run.tags)),
            ("file", run.details.get("entrypoint")),
            ("called by", inspection.parent),
        ]
    )
    print_heading("History")
    print_history(inspection)
    if progress.tasks or progress.children:
        print_heading("Tasks")
        print_groups(progress)
    _print_checks(inspection, check_summary(inspection.checks))
    print_error(inspection.error)
