"""Shows how far a flow run is while it runs: redrawn in place on a terminal, a few plain lines elsewhere.

Both displays write to stderr; stdout belongs to what the flow prints.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from caudal.cli.counts import label
from caudal.cli.log_lines import LEVEL_STYLES
from caudal.cli.output import (
    STATE_STYLES,
    format_duration,
    format_moment,
    stderr_console,
)
from caudal.clock import timestamp
from caudal.engine.logs import console as log_console
from caudal.model.progress import Stage, outline
from caudal.model.views import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console, RenderableType
    from rich.live import Live

    from caudal.model.progress import Progress, RunGroup
    from caudal.settings import Settings

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR_WIDTH = 24
#: Lines of a terminal that are left to what the flow logs.
_SPARE_LINES = 6
#: Seconds between two plain lines about a task that is not done.
_REPEAT_SECONDS = 10.0
#: Seconds without a new run after which a task counts as done.
_SETTLE_SECONDS = 1.0
_NOTES = (
    (Stage.RUNNING, "running", "cyan"),
    (Stage.FAILED, "failed", "red"),
    (Stage.CANCELLED, "cancelled", "yellow"),
    (Stage.BLOCKED, "not started", "yellow"),
    (Stage.CACHED, "cached", "bright_black"),
)


class Display(Protocol):
    """Something that shows progress within a ``with`` block."""

    def show(self, progress: Progress) -> None:
        """Show how far the run is now."""
        ...

    def __enter__(self) -> Self:
        """Start to show."""
        ...

    def __exit__(self, *error: object) -> None:
        """Stop, and leave nothing behind that is not finished."""
        ...

    def finish(self, progress: Progress) -> None:
        """Say how far the run got, if the display is still to be seen; called once, after the block."""
        ...


def make_display(settings: Settings, stopping: Callable[[], bool]) -> Display:
    """Return the display that fits where stderr goes.

    Args:
        settings: How log lines are to look.
        stopping: Says whether the run was interrupted and is about to end.
    """
    if settings.logging_format == "json":
        return Silence()
    if sys.stderr.isatty() and not stderr_console().is_dumb_terminal:
        return LiveDisplay(stopping, colors=settings.logging_colors)
    return PlainDisplay()


class Silence:
    """Shows nothing: whoever reads JSON lines wants no others among them."""

    def show(self, progress: Progress) -> None:
        """Do nothing."""

    def finish(self, progress: Progress) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Told(NamedTuple):
    """What the last line about a task said."""

    text: str
    done: int
    was_open: bool
    at: float


class PlainDisplay:
    """Prints a line about a task when all its runs so far are done, and now and then while they are not."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}
        #: Since when a task has had its number of ended runs.
        self._settled: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, progress: Progress) -> None:
        """Print what is due."""
        now = timestamp()
        for name, group in _of_flows(progress.root):
            if self._is_due(name, group, now):
                self._print(name, group, now)

    def finish(self, progress: Progress) -> None:
        """Print what became of the tasks whose last line is not true any more."""
        for name, group in _of_flows(progress.root):
            told = self._told.get(name)
            if told is not None and told.text != describe(group):
                self._print(name, group, timestamp())

    def _is_due(self, name: str, group: RunGroup, now: float) -> bool:
        settled, since = self._settled.get(name, (-1, now))
        if settled != group.done:
            self._settled[name] = group.done, now
        told = self._told.get(name)
        if group.done == (0 if told is None else told.done):
            return False
        at = (group.started_at or now) if told is None else told.at
        if now - at >= _REPEAT_SECONDS:
            return True
        is_idle = (
            not group.open and settled == group.done and now - since >= _SETTLE_SECONDS
        )
        return is_idle and (told is None or told.was_open)

    def _print(self, name: str, group: RunGroup, now: float) -> None:
        text = describe(group)
        self._told[name] = _Told(text, group.done, group.open > 0, now)
        stamp = format_moment(utc(now))[11:]
        sys.stderr.write(f"{stamp} | TASKS   | {name} - {text}\n")
        sys.stderr.flush()


def _of_flows(group: RunGroup, prefix: str = "") -> Iterator[tuple[str, RunGroup]]:
    """Yield what flows call with its name; what tasks call is left to their own lines."""
    for member in group.in_order():
        if member.total:
            yield f"{prefix}{member.name}", member
        if member.is_flow:
            yield from _of_flows(member, f"{prefix}{member.name} / ")


def describe(group: RunGroup) -> str:
    """Return the counts of a group in one line."""
    notes = "".join(f", {count} {word}" for word, _, count in _notes(group))
    if group.open:
        return f"{group.done} of {group.total} done{notes}"
    return f"{group.total} done in {format_duration(_span(group, 0))}{notes}"


def _notes(group: RunGroup) -> Iterable[tuple[str, str, int]]:
    for stage, word, style in _NOTES:
        count = group.counts[stage]
        if count:
            yield word, style, count


def _span(group: RunGroup, now: float) -> float | None:
    """Return the seconds from a group's first start to its end, or to now while it is open."""
    if group.started_at is None:
        return None if group.open else 0.0
    end = now if group.open or group.ended_at is None else group.ended_at
    return end - group.started_at


class LiveDisplay:
    """Draws a line for each task at the bottom of the terminal; log lines and prints scroll by above it.

    Args:
        stopping: Says whether the run was interrupted and is about to end.
        colors: Whether log lines are coloured by level.
    """

    def __init__(self, stopping: Callable[[], bool], *, colors: bool) -> None:
        self._stopping, self._colors = stopping, colors
        self._started_at = timestamp()
        self._live: Live | None = None
        self._breakpoint_hook = sys.breakpointhook

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def show(self, progress: Progress) -> None:
        """Draw the lines anew."""
        live = self._live
        if live is None:
            live = self._open()
        live.update(
            render(
                progress,
                live.console,
                timestamp(),
                self._started_at,
                stopping=self._stopping(),
            ),
            refresh=True,
        )

    def finish(self, progress: Progress) -> None:
        """Do nothing: it is not to be seen any more."""

    def _open(self) -> Live:
        from rich.live import Live

        live = self._live = Live(
            console=stderr_console(),
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        live.start()
        log_console.write_line = self._print_line
        sys.breakpointhook = self._break
        return live

    def _close(self) -> None:
        log_console.write_line = None
        sys.breakpointhook = self._breakpoint_hook
        if self._live is not None:
            self._live.stop()

    def _break(self, *args: Any, **kwargs: Any) -> Any:
        """Make room for a debugger."""
        self._close()
        self.show = lambda progress: None  # noqa: ARG005 - a display's method
        return self._breakpoint_hook(*args, **kwargs)

    def _print_line(self, line: str, level: int) -> None:
        from rich.text import Text

        assert self._live is not None, "lines come here once the display is open"
        style = LEVEL_STYLES.get(level, "") if self._colors else ""
        self._live.console.print(Text(line, style), soft_wrap=True)


def render(
    progress: Progress,
    console: Console,
    now: float,
    started_at: float,
    *,
    stopping: bool,
) -> RenderableType:
    """Return what a terminal shows of a run.

    Args:
        progress: How far it is.
        console: Where it is shown.
        now: Seconds since the epoch.
        started_at: When this process began to work on it.
        stopping: Whether it was interrupted and is about to end.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    lines: list[RenderableType] = [
        _heading(progress, console, now, now - started_at, stopping=stopping)
    ]
    groups = list(outline(progress.root))
    shown = _most_telling(groups, max(console.height - _SPARE_LINES, 3))
    if shown:
        table = Table.grid(padding=(0, 2, 0, 0))
        for depth, group in shown:
            table.add_row(*_line(group, depth, console, now))
        lines.append(table)
    if len(shown) < len(groups):
        lines.append(Text(f"  and {len(groups) - len(shown)} more", "bright_black"))
    return Group(*lines)


def _heading(
    progress: Progress, console: Console, now: float, elapsed: float, *, stopping: bool
) -> RenderableType:
    from rich.text import Text

    is_ascii = console.options.ascii_only
    spinner = "*" if is_ascii else _SPINNER[int(now * 5) % len(_SPINNER)]
    dot = " - " if is_ascii else " · "
    about = f"{dot}flow {progress.flow_name}{dot}{format_duration(elapsed)}"
    heading = Text.assemble(
        (spinner, "cyan"), " ", (progress.name, "bold"), (about, "bright_black")
    )
    if stopping:
        note = "stopping, its running tasks get a few seconds to end (Ctrl-C again: do not wait)"
        heading.append(dot + note, "yellow")
    elif progress.state_name != "Running":
        heading.append(dot + progress.state_name, STATE_STYLES[progress.state_type])
    return heading


def _line(
    group: RunGroup, depth: int, console: Console, now: float
) -> list[RenderableType]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    is_mapped = group.peak > 1
    bar = (
        ProgressBar(
            group.total,
            group.done,
            width=min(_BAR_WIDTH, max(console.width - 60, 8)),
            complete_style="cyan",
            finished_style="red" if group.counts[Stage.FAILED] else "green",
        )
        if is_mapped
        else ""
    )
    numbers = f"{group.done}/{group.total}" if group.total > 1 else ""
    notes = Text("  ").join(
        Text(f"{count} {word}", style) for word, style, count in _notes(group)
    )
    return [
        _mark(group, is_ascii=console.options.ascii_only),
        Text(label(group, depth), no_wrap=True, overflow="ellipsis"),
        bar,
        Text(numbers, justify="right", no_wrap=True),
        Text(
            format_duration(_span(group, now)),
            "bright_black",
            justify="right",
            no_wrap=True,
        ),
        notes,
    ]


def _mark(group: RunGroup, *, is_ascii: bool) -> RenderableType:
    from rich.text import Text

    if group.counts[Stage.RUNNING]:
        return Text("  >" if is_ascii else "  ▸", "cyan")
    if group.open:
        return Text("  ." if is_ascii else "  ·", "bright_black")
    if group.completed == group.total:
        return Text("  +" if is_ascii else "  ✓", "green")
    return Text("  x" if is_ascii else "  ✗", "red")


def _most_telling(
    groups: list[tuple[int, RunGroup]], limit: int
) -> list[tuple[int, RunGroup]]:
    """Return the groups that fit, in their order: those at work, then those that failed, then the latest."""
    if len(groups) <= limit:
        return groups

    def weight(place: int) -> tuple[bool, bool, bool, int]:
        _, group = groups[place]
        is_running = group.counts[Stage.RUNNING] > 0
        return is_running, group.open > 0, group.counts[Stage.FAILED] > 0, place

    places = sorted(range(len(groups)), key=weight, reverse=True)[:limit]
    return [groups[place] for place in sorted(places)]
