"""The reference of the command line names every command and option, and none that is not there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from caudal.cli.main import caudal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()

_HEADING = re.compile(r"^## (caudal .*)$", re.MULTILINE)
_LINK = re.compile(r"\[`([^`]+)`\]\(#([^)]+)\)")
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, each with what is typed for it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, f"{path} {name}")


EVERYTHING = dict(walk(caudal, "caudal"))
COMMANDS = [path for path, found in EVERYTHING.items() if not isinstance(found, click.Group)]  # fmt: skip
_parts = _HEADING.split(PAGE)
SECTIONS = list(zip(_parts[1::2], _parts[2::2], strict=True))
TEXTS = dict(SECTIONS)


def section_of(path: str) -> str:
    """Return the heading under which a command stands: its own, or that of its group."""
    while path not in TEXTS:
        path = path.rpartition(" ")[0]
        assert path, "every command has a section"
    return path


def options_of(path: str) -> set[str]:
    """Return every way in which the options of a command are written."""
    return {
        name
        for parameter in EVERYTHING[path].params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def pieces(text: str) -> Iterator[tuple[str | None, set[str]]]:
    """Yield each piece of code in a text as the command that it names, if it does, and the options in it."""
    fenced = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    for piece in [*fenced, *_SPAN.findall(_FENCE.sub("", text))]:
        named = [path for path in COMMANDS if f"{path} " in f"{piece} "]
        yield max(named, key=len, default=None), set(_OPTION.findall(piece))


def union(groups: Iterable[set[str]]) -> set[str]:
    """Return what is in any of some sets."""
    return {name for group in groups for name in group}


def test_each_command_has_one_section_and_one_row() -> None:
    """Sections and rows of the table are the same, each there once, and name commands or groups that exist."""
    rows = _LINK.findall(PAGE.partition("## What all")[0])

    assert Counter(path for path, _ in rows) == Counter(path for path, _ in SECTIONS)
    assert len(SECTIONS) == len(TEXTS)
    assert set(TEXTS) <= set(EVERYTHING)
    assert all(anchor == path.replace(" ", "-") for path, anchor in rows)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_is_written_with_each_of_its_options(path: str) -> None:
    """Where several commands share a section, the one that is meant is named, or all of them are."""
    heading = section_of(path)
    written = union(
        options for named, options in pieces(TEXTS[heading]) if named in {None, path}
    )

    assert path in TEXTS[heading] or path == heading
    for parameter in EVERYTHING[path].params:
        if isinstance(parameter, click.Option):
            assert written & {*parameter.opts}, parameter.opts


@pytest.mark.parametrize("heading", TEXTS)
def test_no_option_is_written_that_is_not_there(heading: str) -> None:
    """An option belongs to the command that is written before it, or to one of the section."""
    shared = options_of("caudal")
    here = union(options_of(path) for path in COMMANDS if section_of(path) == heading)

    for named, options in pieces(TEXTS[heading]):
        known = here if named is None else options_of(named)
        assert options <= known | shared, (named, options)
