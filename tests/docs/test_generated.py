"""Tables of the documentation that are made from the code stay equal to it.

``.venv/bin/python tests/docs/test_generated.py`` writes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caudal.model.states import NAMES, REOPENINGS, TERMINAL, TRANSITIONS, StateType
from caudal.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.settings import Setting

DOCS = Path(__file__).parents[2] / "docs"


def settings_table() -> str:
    """Return the table of all settings."""
    rows = [
        (
            f"`{name}`",
            f"`{setting.name}`",
            _default(setting),
            f"{setting.description} Takes {_takes(setting)}.",
        )
        for name, setting in SETTINGS.items()
    ]
    return _table(("setting", "variable", "default", "meaning"), rows)


def _default(setting: Setting[Any]) -> str:
    match setting.default():
        case None:
            return "`none`"
        case bool(switch):
            return f"`{str(switch).lower()}`"
        case default:
            return f"`{default}`"


def _takes(setting: Setting[Any]) -> str:
    """Return the words with which a setting refuses what it does not take."""
    try:
        setting.parse(object(), Path("/"))
    except ValueError as refusal:
        return str(refusal).replace("'", "`")
    raise AssertionError(setting.key)


def names_table() -> str:
    """Return the table of all kinds of state and the names within them."""
    rows = [
        (
            f"`{kind.value}`",
            ", ".join(f"`{name}`" for name in NAMES[kind]),
            "yes" if kind in TERMINAL else "",
        )
        for kind in StateType
    ]
    return _table(("kind", "names", "ended"), rows)


def transitions_table() -> str:
    """Return the table of all moves: those a run makes itself, and those of a resume or a retry."""
    rows = [
        (
            f"`{source.value}`",
            *(_mark(source, target) for target in StateType),
        )
        for source in StateType
    ]
    return _table(("from \\ to", *(f"`{kind.value}`" for kind in StateType)), rows)


def _mark(source: StateType, target: StateType) -> str:
    if target in TRANSITIONS[source]:
        return "yes"
    return "again" if target in REOPENINGS.get(source, ()) else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell or ' ' for cell in line)} |\n" for line in lines
    )


#: Where each table stands: page, name in its markers, and what makes it.
TABLES: list[tuple[str, str, Callable[[], str]]] = [
    ("reference/settings.md", "settings", settings_table),
    ("explanation/lifecycle.md", "names", names_table),
    ("explanation/lifecycle.md", "transitions", transitions_table),
]


def find_table(text: str, name: str) -> tuple[int, int]:
    """Return where the table between the markers of a name starts and ends."""
    found = re.search(rf"<!-- {name} -->\n(.*)<!-- end of {name} -->", text, re.DOTALL)
    assert found is not None, f"the markers of {name!r} are missing"
    return found.span(1)


@pytest.mark.parametrize(
    ("page", "name", "make"), TABLES, ids=[name for _, name, _ in TABLES]
)
def test_table_is_what_the_code_says(
    page: str, name: str, make: Callable[[], str]
) -> None:
    """A table in the documentation equals what is made from the code."""
    text = (DOCS / page).read_text()
    start, end = find_table(text, name)

    assert text[start:end] == f"\n{make()}\n", (
        f"write it anew with: .venv/bin/python {Path(__file__).relative_to(DOCS.parent)}"
    )


def write_tables() -> None:
    """Write all tables into their pages."""
    for page, name, make in TABLES:
        file = DOCS / page
        text = file.read_text()
        start, end = find_table(text, name)
        file.write_text(f"{text[:start]}\n{make()}\n{text[end:]}")


if __name__ == "__main__":
    write_tables()
