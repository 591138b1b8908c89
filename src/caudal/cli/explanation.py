"""Prints an explanation: reasons, and below each what is behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caudal.cli.output import print_json, state_cell, styled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caudal.explain import Explanation, Reason


def print_explanation(explanation: Explanation, output: str) -> None:
    """Print an explanation as text, or as a JSON object."""
    if output == "json":
        print_json(explanation.as_dict())
        return
    state = styled(state_cell(explanation.state_type, explanation.state_name))
    click.echo(f"{click.style(explanation.name, bold=True)}  {state}")
    _print_reasons(explanation.reasons, "")
    if explanation.commands:
        click.echo()
    for command in explanation.commands:
        click.echo(f"  {command}")


def _print_reasons(reasons: Iterable[Reason], indent: str) -> None:
    for reason in reasons:
        first, *rest = reason.text.splitlines() or [""]
        click.echo(f"{indent}- {first}")
        for line in rest:
            click.echo(f"{indent}  {line}")
        _print_reasons(reason.causes, f"{indent}  ")
