"""The tables of names for those who come from Prefect say what is true."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from caudal import Flow, Task, flow, task
from caudal.client import SyncClient
from caudal.compat import _NAMES, MODULES  # pyright: ignore[reportPrivateUsage]

PAGE = Path(__file__).parents[2] / "docs/coming-from-prefect.md"
LIST = Path(__file__).with_name("prefect_names.txt")

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
            return any(map(_found, _places(title, name)))


def _places(title: str, name: str) -> list[str]:
    """Return where a name of a section may stand: in its modules, or below ``caudal`` where it names one of them."""
    modules = _CODE.findall(title)
    ours = _NAMES.get(name, name)
    places = [f"{module}.{ours}" for module in modules]
    whole = f"caudal.{ours}"
    if any(whole.startswith(f"{module}.") for module in modules):
        places.append(whole)
    return places


def _found(place: str) -> bool:
    """Say whether something stands at a place, or is a member of a client."""
    parts = place.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        if ".".join(parts[:cut]) == "caudal.client" and hasattr(SyncClient, parts[cut]):
            return True
        for name in parts[cut:]:
            if not hasattr(found, name):
                return False
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


@pytest.mark.parametrize(
    ("title", "name"),
    [(title, name) for title, name, status in ROWS if status in MISSING],
)
def test_a_name_that_is_said_to_be_missing_is(title: str, name: str) -> None:
    """What has come to be there has to be said."""
    assert not is_there(title, name)


def test_no_name_stands_twice() -> None:
    """Nor is one both there and missing."""
    places = Counter((title, name) for title, name, _ in ROWS)
    assert [place for place, count in places.items() if count > 1] == []


def _listed() -> list[tuple[str, str]]:
    """Return module and name of each public name of Prefect's."""
    listed: list[tuple[str, str]] = []
    module = ""
    for line in LIST.read_text().splitlines():
        if line.startswith(" "):
            listed += [(module, name) for name in line.split()]
        elif not line.startswith("#"):
            module = line.rstrip(":")
    return listed


@pytest.mark.parametrize("module", dict(_listed()))
def test_every_public_name_of_prefect_has_a_row(module: str) -> None:
    """In a section of its module, or of the one that has it here."""
    ours = _ours(module)
    homes = [ours]
    while homes[-1].count(".") > 1:  # a section is often of a whole package
        homes.append(homes[-1].rpartition(".")[0])
    stands = {
        place
        for title, name, _ in ROWS
        for place in (*_places(title, name), f"{title.strip('`')}.{name}")
    }
    names = [name for place, name in _listed() if place == module]
    missing = [
        name
        for name in names
        if not any(f"{home}.{_NAMES.get(name, name)}" in stands for home in homes)
    ]
    assert missing == []


def _ours(module: str) -> str:
    """Return the module, or the class, that has what a module of Prefect's has."""
    if module.endswith((".Flow", ".Task")):
        return module.rpartition(".")[2]
    if module.startswith("prefect.client.orchestration"):
        return "caudal.client"
    if module == "prefect.types.entrypoint":
        return "caudal.types"
    return MODULES.get(module, module.replace("prefect", "caudal", 1))


def test_the_table_of_modules_is_what_as_prefect_does() -> None:
    """Each module that has another place stands in it."""
    written = {
        path: row[1]
        for row in re.findall(r"^\| (`prefect[^|]*) \| `([\w.]+)` \|", PAGE.read_text(), re.MULTILINE)
        for path in _CODE.findall(row[0])
    }  # fmt: skip
    assert written == MODULES
