"""``caudal block``: named configuration; secrets are never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from caudal.cli.output import (
    NOTHING,
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
    from caudal.model.views import BlockDocument

_COLUMNS = (Column("ID"), Column("Block"), Column("Updated"))
_TYPE_COLUMNS = (Column("Type"), Column("Blocks", is_number=True))

_id_option = click.option("--id", "block_id", type=click.UUID, help="The block's id.")


@click.group(cls=Group)
def block() -> None:
    """List blocks, look at one, delete one.

    A block is named by its type and name, such as secret/api-key.
    """


@block.command("ls")
@limit_option
@output_option
def list_blocks(limit: int, output: str) -> None:
    """List blocks, newest first."""
    from caudal.client import get_client
    from caudal.clock import now

    found = get_client().read_block_documents(limit=limit)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("There are no blocks yet.", err=True)
        return
    print_table(
        _COLUMNS,
        [
            [
                Cell(str(each.id), "bright_black"),
                f"{each.block_type_slug}/{each.name}",
                format_age(each.updated, now()),
            ]
            for each in found
        ],
    )
    if len(found) == limit:
        click.echo(f"The newest {limit}; --limit shows more.", err=True)


@block.command()
@click.argument("slug", required=False, metavar="[TYPE/NAME]")
@_id_option
@output_option
def inspect(slug: str | None, block_id: Any, output: str) -> None:
    """Show a block, given by type and name or by id, with a mask in place of each secret."""
    found = _find(slug, block_id)
    if output == "json":
        print_json(_record(found))
        return
    print_fields(
        [
            ("id", str(found.id)),
            ("type", found.block_type_slug),
            ("name", found.name),
            ("created", format_time(found.created)),
            ("updated", format_time(found.updated)),
        ]
    )
    print_heading("Fields")
    print_fields((name, _text(value) or NOTHING) for name, value in found.data.items())


@block.command()
@click.argument("slug", required=False, metavar="[TYPE/NAME]")
@_id_option
def delete(slug: str | None, block_id: Any) -> None:
    """Delete a block, given by type and name or by id."""
    from caudal.client import get_client

    found = _find(slug, block_id)
    get_client().delete_block_document(found.id)
    click.echo(f"Deleted block '{found.block_type_slug}/{found.name}'.", err=True)


@block.group("type", cls=Group)
def block_type() -> None:
    """Look at the types of blocks."""


@block_type.command("ls")
@output_option
def list_types(output: str) -> None:
    """List the types that have blocks, and those that come with caudal."""
    from caudal.blocks.registry import SYSTEM
    from caudal.client import get_client

    counts = {**dict.fromkeys(SYSTEM, 0), **get_client().read_block_types()}
    in_order = sorted(counts.items())
    if output == "json":
        print_json([{"slug": slug, "blocks": number} for slug, number in in_order])
        return
    print_table(_TYPE_COLUMNS, [[slug, str(number)] for slug, number in in_order])


def _find(slug: str | None, block_id: Any) -> BlockDocument:
    from caudal.client import get_client

    if (slug is None) == (block_id is None):
        raise click.UsageError("Give type and name, such as secret/api-key, or --id.")
    client = get_client()
    if slug is None:
        return client.read_block_document(block_id)
    type_slug, slash, name = slug.partition("/")
    if not slash:
        raise click.UsageError(f"{slug!r} is not of the form TYPE/NAME.")
    return client.read_block_document_by_name(name, type_slug)


def _record(each: BlockDocument) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "type": each.block_type_slug,
        "name": each.name,
        "data": each.data,
        "created_at": iso(each.created),
        "updated_at": iso(each.updated),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
