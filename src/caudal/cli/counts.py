"""Prints how often each task and child flow ran, and what became of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.cli.output import Cell, Column, format_duration, print_table
from caudal.model.progress import Stage, outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.model.progress import RunGroup

#: Columns that are there when they have something to say.
_OCCASIONAL = (
    ("Waiting", Stage.WAITING),
    ("Running", Stage.RUNNING),
    ("Cancelled", Stage.CANCELLED),
    ("Not started", Stage.BLOCKED),
)


def label(group: RunGroup, depth: int = 0) -> str:
    """Return what a group is called where it stands in a list.

    Args:
        group: The group.
        depth: How many calls deep it is.
    """
    return "  " * depth + ("flow " if group.is_flow else "") + group.name


def print_groups(root: RunGroup, *, err: bool = False) -> None:
    """Print a table of everything that a flow run called.

    Args:
        root: The flow run's own group.
        err: Print it on stderr.
    """
    groups = list(outline(root))
    occasional = [
        (title, stage)
        for title, stage in _OCCASIONAL
        if any(group.counts[stage] for _, group in groups)
    ]
    titles = [
        "Runs",
        "Completed",
        "Cached",
        "Failed",
        *(title for title, _ in occasional),
        "Run time",
    ]
    columns = [Column("Task"), *(Column(title, is_number=True) for title in titles)]
    stages = [stage for _, stage in occasional]
    print_table(
        columns, [_row(depth, group, stages) for depth, group in groups], err=err
    )


def _row(depth: int, group: RunGroup, stages: Sequence[Stage]) -> list[str | Cell]:
    failed = group.counts[Stage.FAILED]
    return [
        label(group, depth),
        str(group.total),
        str(group.completed),
        str(group.counts[Stage.CACHED]),
        Cell(str(failed), "red" if failed else ""),
        *(str(group.counts[stage]) for stage in stages),
        format_duration(group.seconds),
    ]
