"""The tables of names for those who come from Prefect say what is true."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from caudal import Flow, Task, flow, task

PAGE = Path(__file__).parents[2] / "docs/coming-from-prefect.md"

_SECTION = re.compile(r"^### (.*)$", re.MULTILINE)
_ROW = re.compile(r"^\| (`.*?) \| ([a-z ]+) \|", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_][\w.]*$")
THERE, MISSING = {"same", "better", "only here", "accepted"}, {"not there", "not yet"}


def rows() -> list[tuple[str, str, str]]:
    """Return title of the section, name and status of every name in the tables."""
    parts = _SECTION.split(PAGE.read_text().partition("## Differences")[0])[1:]
    found: list[tuple[str, str, str]] = []
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        for names, status in _ROW.findall(text):
            written = _CODE.findall(names)
            # A row that starts with a call is about members of what the call returns.
            if not written[0].endswith("()"):
                found += [(title, name, status) for name in written]
    return [row for row in found if _NAME.match(row[1])]


ROWS = rows()


def is_there(title: str, name: str) -> bool:
    """Say whether a name that stands in a section is there."""
    match title:
        case "Options of `@flow`":
            return name in Flow.defaults
        case "Options of `@task`":
            return name in Task.defaults
        case "`Flow`" | "`Task`":
            return hasattr(flow(rows) if "Flow" in title else task(rows), name)
        case _:
            return any(_found(f"{module}.{name}") for module in _modules(title))


def _members(place: str) -> set[str]:
    """Return the names of everything that the public classes of a module have; those of ``caudal`` have pages of their own."""
    if place == "caudal":
        return set()
    module = import_module(place)
    names = {*dir(module), *getattr(module, "__all__", ())}
    found = [getattr(module, name, None) for name in names]
    return {name for each in found if isinstance(each, type) for name in dir(each)}


def _modules(title: str) -> list[str]:
    """Return where names of a section may stand: in its modules, or below ``caudal`` where they name their module."""
    return ["caudal", *_CODE.findall(title)]


def _found(place: str) -> bool:
    """Say whether something stands at a place, or is a member of a class of the module there."""
    parts = place.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for name in parts[cut:]:
            if not hasattr(found, name):
                return len(parts) == cut + 1 and name in _members(".".join(parts[:cut]))
            found = getattr(found, name)
        return True
    return False


@pytest.mark.parametrize(
    ("title", "name"),
    [(title, name) for title, name, status in ROWS if status in THERE],
)
def test_a_name_that_is_said_to_be_there_is(title: str, name: str) -> None:
    """What is called the same, better or accepted exists."""
    assert is_there(title, name)


def test_every_row_has_a_status_that_the_page_explains() -> None:
    """There are no others."""
    assert {status for _, _, status in ROWS} <= THERE | MISSING
