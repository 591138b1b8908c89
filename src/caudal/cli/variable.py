"""``caudal variable``: named values that flows and people share."""

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
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from caudal.variables import Variable

_COLUMNS = (Column("Name"), Column("Value"), Column("Tags"), Column("Updated"))
#: Characters of a value that a list shows.
_SHOWN = 60


@click.group(cls=Group)
def variable() -> None:
    """List variables, read, set and unset them."""


@variable.command("ls")
@limit_option
@output_option
def list_variables(limit: int, output: str) -> None:
    """List variables by name."""
    from caudal.client import get_client
    from caudal.clock import now

    found = get_client().read_variables(limit)
    if output == "json":
        print_json([_record(each) for each in found])
        return
    if not found:
        click.echo("There are no variables yet. `caudal variable set` makes one.", err=True)  # fmt: skip
        return
    rows: list[list[str | Cell]] = [
        [
            each.name,
            _cut(_text(each.value)),
            ", ".join(each.tags),
            format_age(each.updated, now()),
        ]
        for each in found
    ]
    print_table(_COLUMNS, rows)
    if len(found) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@variable.command()
@click.argument("name")
@output_option
def inspect(name: str, output: str) -> None:
    """Show a variable."""
    found = _read(name)
    if output == "json":
        print_json(_record(found))
        return
    print_fields(
        [
            ("name", found.name),
            ("value", _text(found.value) or NOTHING),
            ("tags", ", ".join(found.tags)),
            ("created", format_time(found.created)),
            ("updated", format_time(found.updated)),
        ]
    )


@variable.command()
@click.argument("name")
def get(name: str) -> None:
    """Print the value of a variable: text as it is, anything else as JSON."""
    click.echo(_text(_read(name).value))


@variable.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--overwrite", is_flag=True, help="Replace the value that is there.")
@click.option("--tag", "tags", multiple=True, help="A tag. May be repeated.")
def set_variable(
    name: str, value: str, tags: tuple[str, ...], *, overwrite: bool
) -> None:
    """Set a variable; the value is read as JSON where it is JSON, else it is text."""
    from caudal.exceptions import ObjectAlreadyExists
    from caudal.variables import Variable

    try:
        read = json.loads(value, parse_constant=_no_number)
    except ValueError:
        read = value
    try:
        Variable[Any].set(name, read, list(tags), overwrite)
    except ObjectAlreadyExists as error:
        message = f"There is a variable {name!r} already. Replace it with --overwrite."
        raise click.UsageError(message) from error
    click.echo(f"Set variable {name!r}.", err=True)


@variable.command()
@click.argument("name")
def unset(name: str) -> None:
    """Delete a variable."""
    from caudal.client import get_client

    get_client().delete_variable_by_name(name)
    click.echo(f"Unset variable {name!r}.", err=True)


def _read(name: str) -> Variable[object]:
    from caudal.client import get_client
    from caudal.exceptions import ObjectNotFound

    found = get_client().read_variable_by_name(name)
    if found is None:
        raise ObjectNotFound("variable", name)
    return found


def _no_number(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are no JSON


def _record(each: Variable[object]) -> dict[str, Any]:
    return {
        "name": each.name,
        "value": each.value,
        "tags": each.tags,
        "created_at": iso(each.created),
        "updated_at": iso(each.updated),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
