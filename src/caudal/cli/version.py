"""``caudal version``: what is installed here."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from caudal import __version__
from caudal.cli.output import output_option, print_fields, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@output_option
def version(output: str) -> None:
    """Show the versions of caudal and of what it runs on.

    It works with settings that do not: the ledger's line then says what is wrong.
    """
    facts = _facts()
    if output == "json":
        print_json(facts)
    else:
        print_fields(facts.items())


def _facts() -> Mapping[str, str]:
    import sqlite3

    system = os.uname()
    return {
        "caudal": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{system.sysname} {system.release} {system.machine}",
        "sqlite": sqlite3.sqlite_version,
        "ledger": _ledger(),
    }


def _ledger() -> str:
    from caudal.exceptions import ConfigurationError
    from caudal.settings import get_current_settings

    try:
        return get_current_settings().ledger_path
    except ConfigurationError as error:
        return f"unknown: {error}"
