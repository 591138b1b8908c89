"""``caudal asset``: data that tasks made, and what it was made of."""

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
    from collections.abc import Iterable
    from datetime import datetime

    from caudal.model.views import AssetMaterialization

_COLUMNS = (Column("Asset"), Column("Last made"), Column("Outcome"), Column("Made of"))
_HISTORY = (Column("At"), Column("Outcome"), Column("Flow run"), Column("Metadata"))


@click.group(cls=Group)
def asset() -> None:
    """List assets, look at one."""


@asset.command("ls")
@limit_option
@output_option
def list_assets(limit: int, output: str) -> None:
    """List assets by key."""
    from caudal.client import get_client
    from caudal.clock import now

    found = get_client().read_assets(limit=limit)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("There are no assets yet. A task of @materialize makes one.", err=True)  # fmt: skip
        return
    print_table(_COLUMNS, [_row(each, now()) for each in found])
    if len(found) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@asset.command()
@click.argument("key")
@limit_option
@output_option
def inspect(key: str, limit: int, output: str) -> None:
    """Show an asset: what it is, what it was made of, and when it was made."""
    from caudal.client import get_client

    found = get_client().read_asset_materializations(key, limit=limit)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    newest = found[0]
    told = next((each.properties for each in found if each.properties), None) or {}
    print_fields(
        [
            ("key", newest.key),
            *((name, _text(value)) for name, value in told.items()),
            ("made by", newest.by),
            ("made of", "\n".join(newest.upstream)),
        ]
    )
    print_heading("Materializations")
    print_table(_HISTORY, _history(found))


def _row(each: AssetMaterialization, now: datetime) -> list[str | Cell]:
    return [
        each.key,
        format_age(each.created, now),
        _outcome(each),
        ", ".join(each.upstream),
    ]


def _history(found: Iterable[AssetMaterialization]) -> list[list[str | Cell]]:
    return [
        [
            format_time(each.created),
            _outcome(each),
            Cell(str(each.flow_run_id or ""), "bright_black"),
            _text(each.metadata) if each.metadata else "",
        ]
        for each in found
    ]


def _outcome(each: AssetMaterialization) -> Cell:
    return Cell(each.status, "green" if each.status == "succeeded" else "red")


def _record(each: AssetMaterialization) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "key": each.key,
        "status": each.status,
        "properties": each.properties,
        "upstream": each.upstream,
        "by": each.by,
        "metadata": each.metadata,
        "flow_run_id": None if each.flow_run_id is None else str(each.flow_run_id),
        "task_run_id": None if each.task_run_id is None else str(each.task_run_id),
        "created_at": iso(each.created),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
