"""``caudal config``: what is configured, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from caudal.cli.output import Cell, Column, output_option, print_json, print_table


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--sources", is_flag=True, help="Show where each value comes from.")
@output_option
def view(output: str, *, sources: bool) -> None:
    """List every setting and its value.

    Settings come from the defaults, then caudal.toml or [tool.caudal] of pyproject.toml in this folder or one above it, then variables
    such as CAUDAL_LOGGING_LEVEL; the last one counts.
    """
    from caudal.settings import SETTINGS, get_current_settings

    settings = get_current_settings()
    values = {name: getattr(settings, name) for name in SETTINGS}
    if output == "json":
        print_json(
            {
                name: {"value": _plain(value), "source": settings.source(name)}
                for name, value in values.items()
            }
        )
        return
    columns = [Column("Setting"), Column("Value")] + [Column("Source")] * sources
    rows: list[list[str | Cell]] = []
    for name, value in values.items():
        source = settings.source(name)
        style = "" if source == "default" else "cyan"
        rows.append([name, Cell(_text(value), style)] + [source] * sources)
    print_table(columns, rows)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)
