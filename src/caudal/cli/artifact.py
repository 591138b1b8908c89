"""``caudal artifact``: what runs kept for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from caudal.cli.output import (
    Cell,
    Column,
    Group,
    format_age,
    format_time,
    iso,
    limit_option,
    output_option,
    print_fields,
    print_heading,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from caudal.artifacts import Artifact

_COLUMNS = (
    Column("ID"),
    Column("Key"),
    Column("Type"),
    Column("Updated"),
    Column("Flow run"),
)


@click.group(cls=Group)
def artifact() -> None:
    """List artifacts, look at one, delete some."""


@artifact.command("ls")
@limit_option
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every version, newest first, and artifacts without a key; else the newest version of each key.",
)
@output_option
def list_artifacts(limit: int, output: str, *, every: bool) -> None:
    """List artifacts by key."""
    from caudal.client import get_client
    from caudal.clock import now

    client = get_client()
    found = (
        client.read_artifacts(limit=limit)
        if every
        else client.read_latest_artifacts(limit=limit)
    )
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("There are no artifacts yet.", err=True)
        return
    print_table(
        _COLUMNS,
        [
            [
                Cell(str(each.id), "bright_black"),
                each.key or "",
                each.type or "",
                format_age(each.updated, now()),
                Cell(str(each.flow_run_id or ""), "bright_black"),
            ]
            for each in found
        ],
    )
    if len(found) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@artifact.command()
@click.argument("key")
@limit_option
@output_option
def inspect(key: str, limit: int, output: str) -> None:
    """Show the versions of an artifact, newest first."""
    from caudal.client import get_client

    found = _of_key(get_client().read_artifacts(key=key, limit=limit), key)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    for place, each in enumerate(found):
        if place:
            click.echo()
        print_fields(
            [
                ("id", str(each.id)),
                ("key", each.key),
                ("type", each.type),
                ("description", each.description),
                ("created", format_time(each.created)),
                ("updated", format_time(each.updated)),
                ("flow run", str(each.flow_run_id or "")),
                ("task run", str(each.task_run_id or "")),
            ]
        )
        print_heading("Data")
        click.echo(each.data if isinstance(each.data, str) else json.dumps(each.data))


@artifact.command()
@click.argument("key", required=False)
@click.option("--id", "artifact_id", type=click.UUID, help="One version's id.")
def delete(key: str | None, artifact_id: Any) -> None:
    """Delete all versions of an artifact, given by its key, or one, given by its id."""
    from caudal.client import MAX_LIMIT, get_client

    if (key is None) == (artifact_id is None):
        raise click.UsageError("Give a key, or the id of one version with --id.")
    client = get_client()
    if key is None:
        client.delete_artifact(artifact_id)
        click.echo(f"Deleted artifact {artifact_id}.", err=True)
        return
    found = _of_key(client.read_artifacts(key=key, limit=MAX_LIMIT), key)
    while found:
        for each in found:
            each.delete()
        found = client.read_artifacts(key=key, limit=MAX_LIMIT)
    click.echo(f"Deleted artifact {key!r}.", err=True)


def _of_key(found: list[Artifact], key: str) -> list[Artifact]:
    from caudal.exceptions import ObjectNotFound

    if not found:
        raise ObjectNotFound("artifact", key)
    return found


def _record(each: Artifact) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "key": each.key,
        "type": each.type,
        "description": each.description,
        "data": each.data,
        "flow_run_id": None if each.flow_run_id is None else str(each.flow_run_id),
        "task_run_id": None if each.task_run_id is None else str(each.task_run_id),
        "created_at": iso(each.created),
        "updated_at": iso(each.updated),
    }
