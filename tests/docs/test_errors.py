"""The page on errors lists each of them once, and says what is true of it."""

from __future__ import annotations

import builtins
import re
from collections import Counter
from pathlib import Path

import pytest

from caudal import exceptions
from caudal.exceptions import CaudalError
from caudal.integrations import dbt

PAGE = (Path(__file__).parents[2] / "docs/reference/errors.md").read_text()

_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| .*\|$", re.MULTILINE)
_ALSO = re.compile(r"(?:also an?|it is an?|; an?) `(\w+)`")
_NEXT = re.compile(r"base of the next (\w+)")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

ERRORS: dict[str, type[BaseException]] = {
    name: found
    for module in (exceptions, dbt)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, CaudalError)
}
ROWS = _ROW.findall(PAGE)


def kind_of(name: str) -> type[BaseException]:
    """Return an exception of caudal or of Python by its name."""
    found = ERRORS.get(name) or getattr(builtins, name)
    assert isinstance(found, type)
    return found


def test_each_error_has_one_row() -> None:
    """Rows belong to a table, and there are none of errors that do not exist."""
    listed = Counter(name for name, _ in ROWS)

    assert listed == Counter(ERRORS.keys() - {"CaudalError"})
    assert re.search(r"\n\n\|(?![^\n]*\n\| ---)", PAGE) is None


@pytest.mark.parametrize("name", [name for name, said in ROWS if _ALSO.search(said)])
def test_an_error_is_what_the_page_calls_it(name: str) -> None:
    """Who catches the other exception catches this one."""
    for other in _ALSO.findall(dict(ROWS)[name]):
        assert issubclass(ERRORS[name], kind_of(other))


@pytest.mark.parametrize("name", [name for name, said in ROWS if _NEXT.search(said)])
def test_a_base_is_followed_by_what_derives_from_it(name: str) -> None:
    """As many rows as are said, and not one more."""
    names = [name for name, _ in ROWS]
    said = _NEXT.findall(dict(ROWS)[name])[0]
    count = _NUMBERS.index(said) + 1
    after = names[names.index(name) + 1 :]

    derived = [issubclass(ERRORS[other], ERRORS[name]) for other in after]
    assert derived[: count + 1] == [True] * count + [False] * (len(derived) > count)
