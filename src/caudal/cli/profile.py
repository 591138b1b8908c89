"""``caudal profile``: named sets of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caudal.cli.config import text_of
from caudal.cli.output import (
    Cell,
    Column,
    Group,
    output_option,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=Group)
def profile() -> None:
    """Keep several sets of settings, and choose one.

    They are in profiles.toml in the home folder. CAUDAL_PROFILE or --profile chooses one for a command, "profile use" for all.
    """


@profile.command()
@output_option
def ls(output: str) -> None:
    """List the profiles."""
    from caudal.settings.profiles import Profiles

    home, in_use = _in_use()
    profiles = Profiles(home)
    if output == "json":
        print_json([_as_json(profiles.values(name), name, in_use) for name in profiles.names])  # fmt: skip
        return
    rows: list[list[str | Cell]] = [
        [
            Cell(name, "cyan" if name == in_use else ""),
            "yes" if name == in_use else "",
            str(len(profiles.values(name))),
        ]
        for name in profiles.names
    ]
    columns = [Column("Profile"), Column("In use"), Column("Settings", is_number=True)]
    print_table(columns, rows)


@profile.command()
@click.argument("name", required=False)
@output_option
def inspect(name: str | None, output: str) -> None:
    """List what a profile gives: the one in use, or NAME."""
    from caudal.settings.profiles import Profiles

    home, in_use = _in_use()
    name = name or in_use
    values = Profiles(home).values(name)
    if output == "json":
        print_json(_as_json(values, name, in_use))
    elif values:
        rows = [[key, text_of(value)] for key, value in values.items()]
        print_table([Column("Variable"), Column("Value")], rows)
    else:
        hint = f"caudal --profile {name} config set NAME=VALUE"
        click.echo(f"Profile {name!r} gives no setting. Add one: {hint}", err=True)


@profile.command()
@click.argument("name")
@click.option("--from", "copied", metavar="NAME", help="Copy the settings of this one.")
def create(name: str, copied: str | None) -> None:
    """Add a profile."""
    from caudal.settings.profiles import edited_profiles

    _check_name(name)
    with edited_profiles(_in_use()[0]) as profiles:
        profiles.create(name, copied)
    click.echo(f"Created profile {name!r}.")


@profile.command()
@click.argument("name")
def use(name: str) -> None:
    """Choose the profile for all commands from now on."""
    from caudal.settings.profiles import edited_profiles

    with edited_profiles(_in_use()[0]) as profiles:
        profiles.use(name)
    click.echo(f"Profile {name!r} is in use from now on.")
    in_use = _in_use()[1]
    if in_use != name:
        click.echo(f"Here CAUDAL_PROFILE says {in_use!r}, which wins over it.", err=True)  # fmt: skip


@profile.command()
@click.argument("name")
def delete(name: str) -> None:
    """Remove a profile."""
    from caudal.settings.profiles import DEFAULT_PROFILE, edited_profiles

    if name == DEFAULT_PROFILE:
        hint = f"caudal --profile {name} config unset NAME..."
        raise click.UsageError(f"The profile {name!r} is always there. Empty it: {hint}")  # fmt: skip
    home, in_use = _in_use()
    with edited_profiles(home) as profiles:
        profiles.delete(name, in_use)
    click.echo(f"Deleted profile {name!r}.")


@profile.command()
@click.argument("name")
@click.argument("new_name", metavar="NEW-NAME")
def rename(name: str, new_name: str) -> None:
    """Give a profile another name."""
    from caudal.settings.profiles import edited_profiles

    _check_name(new_name)
    with edited_profiles(_in_use()[0]) as profiles:
        profiles.rename(name, new_name)
    click.echo(f"Renamed profile {name!r} to {new_name!r}.")


def _in_use() -> tuple[Path, str]:
    """Return the home folder and the name of the profile in use, however wrong the settings are otherwise."""
    from caudal.settings.current import read_settings

    reading = read_settings()
    return reading.settings.home, reading.profile


def _check_name(name: str) -> None:
    if not name.strip():
        raise click.UsageError("A profile needs a name.")


def _as_json(values: dict[str, object], name: str, in_use: str) -> dict[str, object]:
    return {"name": name, "in_use": name == in_use, "settings": values}
