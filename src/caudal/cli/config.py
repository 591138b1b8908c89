"""``caudal config``: what is configured, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from caudal.cli.output import (
    Cell,
    Column,
    Group,
    output_option,
    print_error,
    print_json,
    print_table,
)
from caudal.cli.status import WRONG_USAGE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@click.group(cls=Group)
def config() -> None:
    """Look at the settings and change those of the profile in use."""


@config.command()
@click.option("--sources", is_flag=True, help="Show where each value comes from.")
@output_option
@click.pass_context
def view(ctx: click.Context, output: str, *, sources: bool) -> None:
    """List every setting and its value.

    Settings come from the defaults, then the profile in use, then caudal.toml or [tool.caudal] of pyproject.toml in this folder or one above
    it, then the file .env, then variables such as CAUDAL_LOGGING_LEVEL; the last one counts. What is wrong with them is told at the end.
    """
    from caudal.settings import SETTINGS
    from caudal.settings.current import read_settings

    settings, *_, errors = read_settings()
    values = {key: getattr(settings, key) for key in SETTINGS}
    if output == "json":
        print_json(
            {
                key: {"value": _plain(value), "source": settings.source(key)}
                for key, value in values.items()
            }
        )
    else:
        columns = [Column("Setting"), Column("Value")] + [Column("Source")] * sources
        rows: list[list[str | Cell]] = []
        for key, value in values.items():
            source = settings.source(key)
            style = "" if source == "default" else "cyan"
            rows.append([key, Cell(text_of(value), style)] + [source] * sources)
        print_table(columns, rows)
    _report(ctx, errors)


@config.command("set")
@click.argument("assignments", metavar="NAME=VALUE...", nargs=-1, required=True)
def set_(assignments: tuple[str, ...]) -> None:
    """Give settings a value in the profile in use.

    NAME is a setting, such as logging_level or CAUDAL_LOGGING_LEVEL. Relative paths start from this folder.
    """
    from caudal.settings import SETTINGS
    from caudal.settings.declared import Given, setting_key, working_directory
    from caudal.settings.profiles import check_profile_entry, edited_profiles

    place = "the command line"
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, is_assigned, text = assignment.partition("=")
        if not is_assigned:
            raise click.UsageError(f"{assignment!r} is not of the form NAME=VALUE.")
        key = setting_key(name.strip(), place)
        found = Given(text, place, working_directory())
        check_profile_entry(key, found)
        value = _plain(SETTINGS[key].read(found))
        values[SETTINGS[key].name] = "none" if value is None else value
    home, profile = _profile_in_use()
    with edited_profiles(home) as profiles:
        profiles.values(profile).update(values)
    for name, value in values.items():
        click.echo(f"Set {name} to {text_of(value)} in profile {profile!r}.")
    _tell_stronger(values)


@config.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def unset(names: tuple[str, ...]) -> None:
    """Take settings out of the profile in use."""
    from caudal.settings.profiles import edited_profiles, written_name

    home, profile = _profile_in_use()
    written = [written_name(name) for name in names]
    with edited_profiles(home) as profiles:
        values = profiles.values(profile)
        for name in written:
            if name not in values:
                message = f"{name} is not set in profile {profile!r}. See: caudal profile inspect"
                raise click.UsageError(message)
            del values[name]
    for name in written:
        click.echo(f"Removed {name} from profile {profile!r}.")
    _tell_stronger(written)


@config.command()
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Tell everything that is wrong with the settings, those of all profiles included."""
    import os

    from caudal.exceptions import ConfigurationError
    from caudal.settings.current import read_settings
    from caudal.settings.profiles import Profiles
    from caudal.settings.sources import PROFILE_VARIABLE

    reading = read_settings()
    errors: list[ConfigurationError] = list(reading.errors)
    try:
        names = Profiles(reading.settings.home).names
    except ConfigurationError:  # it is among them
        names = []
    for name in names:
        errors += read_settings({**os.environ, PROFILE_VARIABLE: name}).errors
    _report(ctx, {str(error): error for error in errors}.values())
    click.echo("The settings are valid.")


def text_of(value: Any) -> str:
    """Return a setting's value as people write it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)


def _profile_in_use() -> tuple[Path, str]:
    """Return the home folder and the name of the profile to change, however wrong the settings are otherwise.

    Raises:
        ProfileNotFoundError: There is no profile of the name.
        SettingsFileError: The file of the profiles cannot be read.
    """
    from caudal.settings.current import read_settings
    from caudal.settings.profiles import Profiles

    reading = read_settings()
    Profiles(reading.settings.home).values(reading.profile, reading.chosen_by)
    return reading.settings.home, reading.profile


def _plain(value: Any) -> Any:
    """Return a setting's value as a file holds it."""
    return str(value) if isinstance(value, Path) else value


def _report(ctx: click.Context, errors: Iterable[Exception]) -> None:
    """Print errors, and end the command if there are any."""
    found = list(errors)
    for error in found:
        print_error(error)
    if found:
        ctx.exit(WRONG_USAGE)


def _tell_stronger(names: Collection[str]) -> None:
    """Say which of some settings have another value than the profile's, because something wins over it."""
    from caudal.settings import SETTINGS
    from caudal.settings.current import read_settings

    settings = read_settings().settings
    for setting in SETTINGS.values():
        name, source = setting.name, settings.source(setting.key)
        if name in names and not source.startswith(("default", "profile ")):
            click.echo(f"{name} has another value here, from {source}, which wins over profiles.", err=True)  # fmt: skip
