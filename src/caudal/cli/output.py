"""How commands print: tables and colours for people, JSON for programs.

On a terminal tables are drawn by rich. Elsewhere they are plain columns, complete and without colours, and rich is
not imported.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

C = TypeVar("C", bound="Callable[..., Any] | click.Command")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: More columns than anything takes.
_WIDEST = 100_000

#: Style of each kind of state.
STATE_STYLES = {
    "COMPLETED": "green",
    "FAILED": "red",
    "CRASHED": "magenta",
    "CANCELLED": "yellow",
    "CANCELLING": "yellow",
    "RUNNING": "cyan",
    "PAUSED": "blue",
    "PENDING": "bright_black",
    "SCHEDULED": "bright_black",
}

#: What stands where a text is shown that is empty.
NOTHING = '""'


class Group(click.Group):
    """A group of commands whose help has the whole first sentence of each; click would cut it to a line."""

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands."""
        rows = [
            (name, command.get_short_help_str(_WIDEST))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Option(Protocol):
    """Adds an option to a command."""

    def __call__(self, command: C, /) -> C:
        """Return the command with the option."""
        ...


output_option: Option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="text for people (default), json for programs.",
)

follow_option: Option = click.option(
    "-f", "--follow", is_flag=True, help="Go on with new lines until the run has ended."
)
level_option: Option = click.option(
    "--level",
    type=click.Choice(
        ["debug", "info", "warning", "error", "critical"], case_sensitive=False
    ),
    default="debug",
    help="Leave out less severe lines.",
)
limit_option: Option = click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="The most rows to list.",
)
state_option: Option = click.option(
    "--state",
    "states",
    multiple=True,
    help="Only runs in this state, such as failed or TimedOut. May be repeated.",
)


class Cell(NamedTuple):
    """A table's cell with a style."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """A table's column."""

    title: str
    #: Whether it holds numbers, which align at their end.
    is_number: bool = False


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_error(error: Exception) -> None:
    """Print an error's message on stderr."""
    click.echo(f"{click.style('Error', fg='red', bold=True)}: {error}", err=True)


def print_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    *,
    err: bool = False,
) -> None:
    """Print a table: drawn on a terminal, else in plain columns.

    Args:
        columns: What it shows.
        rows: A cell for each column.
        err: Print it on stderr.
    """
    cells = [
        [cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows
    ]
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        _draw(columns, cells, err=err)
    else:
        click.echo(_plain(columns, cells), err=err)


def print_fields(fields: Iterable[tuple[str, str | Cell | None]]) -> None:
    """Print names and values, one a line; those that are None or empty are left out."""
    shown = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        label = click.style(f"{name:<{width}}", fg="bright_black")
        text = styled(value) if isinstance(value, Cell) else value
        assert text is not None, "empty values were left out"
        click.echo(f"{label}  {text.replace(chr(10), chr(10) + ' ' * (width + 2))}")


def print_heading(text: str, *, err: bool = False) -> None:
    """Print an empty line and a heading."""
    click.echo(f"\n{click.style(text, bold=True)}", err=err)


def styled(cell: Cell) -> str:
    """Return a cell's text with its colour as a terminal's escape codes; ``click.echo`` drops them elsewhere."""
    return click.style(cell.text, fg=cell.style) if cell.style else cell.text


def state_cell(state_type: str, state_name: str) -> Cell:
    """Return a state's name in its colour."""
    return Cell(state_name, STATE_STYLES[state_type])


def stderr_console() -> Console:
    """Return rich's console on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def format_duration(seconds: float | None) -> str:
    """Return a duration for people, such as ``85ms``, ``2.4s``, ``3m 05s`` or ``2h 04m``; empty for None."""
    if seconds is None:
        return ""
    if round(seconds, 3) < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR:02}h"


def format_age(at: datetime | None, now: datetime) -> str:
    """Return how long ago something was, such as ``12s ago`` or ``3d ago``; empty for None."""
    if at is None:
        return ""
    seconds = int((now - at).total_seconds())
    for unit, length in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{max(seconds, 0)}s ago"


def format_time(at: datetime | None) -> str:
    """Return a time in this machine's time zone; empty for None."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_moment(at: datetime) -> str:
    """Return a time in this machine's time zone, to the millisecond."""
    return at.astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]


def iso(at: datetime | None) -> str | None:
    """Return a time as programs write it: ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat()


def _draw(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, err: bool
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    console = Console(stderr=err)
    widths = _widths(columns, rows, console.width)
    for (title, is_number), width in zip(columns, widths, strict=True):
        table.add_column(title, justify="right" if is_number else "left", width=width)
    for row in rows:
        table.add_row(*(Text(text, style) for text, style in row))
    Console(stderr=err, width=max(console.width, _total(widths))).print(table)


def _widths(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int
) -> list[int]:
    """Return how wide columns are drawn: texts are wrapped where there is no room, but no id or name is broken."""
    from rich.cells import cell_len

    widths: list[int] = []
    least: list[int] = []
    for place, (title, _) in enumerate(columns):
        texts = [title, *(row[place].text for row in rows)]
        widths.append(
            max(cell_len(line) for text in texts for line in text.split("\n"))
        )
        least.append(
            max(cell_len(word) for text in texts for word in [*text.split(), ""])
        )
    while _total(widths) > room and widths != least:
        spare = [width - word for width, word in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1) + 1


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    titles = [Cell(title.upper()) for title, _ in columns]
    lines = [titles, *rows]
    widths = [
        max(len(line[place].text) for line in lines) for place in range(len(columns))
    ]
    return "\n".join(
        "  ".join(
            f"{text:>{width}}" if column.is_number else f"{text:<{width}}"
            for (text, _), width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )
