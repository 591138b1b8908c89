"""What a setting takes: each function turns what was written in a file or variable into a value.

A parser takes the value and the folder that relative paths start from. It raises ``ValueError`` with the words
for what it takes.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

#: The ledger path that keeps the ledger in memory.
IN_MEMORY = ":memory:"


def path(value: object, base: Path) -> Path:
    """Return a path; a relative one starts from ``base``."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("a path")
    try:
        return base / Path(value).expanduser()
    except RuntimeError:
        msg = "a path without '~', because this user has no home folder; set CAUDAL_HOME to a folder"
        raise ValueError(msg) from None


def ledger_path(value: object, base: Path) -> str:
    """Return the path of a ledger file, or ``:memory:``."""
    return IN_MEMORY if value == IN_MEMORY else str(path(value, base))


def text(value: object, _base: Path) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


class Hidden:
    """A text that is masked wherever it is shown."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "********"


def secret(value: object, _base: Path) -> Hidden | None:
    """Return a text that is not shown, or None."""
    if value is None or isinstance(value, Hidden):
        return value
    if value == "none":
        return None
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return Hidden(value)


def switch(value: object, _base: Path) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    match str(value).lower():
        case "true" | "yes" | "on" | "1":
            return True
        case "false" | "no" | "off" | "0":
            return False
        case _:
            raise ValueError("true or false")


def _whole(value: object, minimum: int, expected: str) -> int:
    try:
        number = int(value) if isinstance(value, (str, int)) else None
    except ValueError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        raise ValueError(expected)
    return number


def count(value: object, _base: Path) -> int:
    """Return a whole number, 0 or more."""
    return _whole(value, 0, "a whole number, 0 or more")


def workers(value: object, _base: Path) -> int | None:
    """Return a whole number above 0, or None."""
    if value is None or value == "none":
        return None
    return _whole(value, 1, "a whole number, 1 or more, or 'none' to let caudal choose")


def seconds(value: object, _base: Path) -> float:
    """Return a number of seconds, 0 or more."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) else None
    except ValueError:
        number = None
    if number is None or isinstance(value, bool) or not isfinite(number) or number < 0:
        raise ValueError("a number of seconds, 0 or more")
    return number


def positive_seconds(value: object, base: Path) -> float:
    """Return a number of seconds above 0."""
    expected = "a number of seconds above 0"
    try:
        number = seconds(value, base)
    except ValueError:
        raise ValueError(expected) from None
    if not number:
        raise ValueError(expected)
    return number


def delays(value: object, base: Path) -> float | list[float]:
    """Return a number of seconds, or a list of them."""
    if isinstance(value, str) and "," in value:
        value = value.split(",")
    try:
        if isinstance(value, (list, tuple)):
            items = cast("list[object]", value)
            return [seconds(item, base) for item in items]
        return seconds(value, base)
    except ValueError:
        msg = "a number of seconds, 0 or more, or a list of them such as 1,10,60"
        raise ValueError(msg) from None


def bucket(value: object, _base: Path) -> str | None:
    """Return the URL of a bucket; None is none."""
    if value is None or (isinstance(value, str) and "://" in value):
        return value
    raise ValueError("the URL of a bucket, such as 's3://bucket/prefix'")


def choice(*choices: str) -> Callable[[object, Path], str]:
    """Return a parser that takes one of some words, in upper or lower case."""
    by_folded_name = {choice.casefold(): choice for choice in choices}
    expected = "one of " + ", ".join(map(repr, choices))

    def parse(value: object, _base: Path) -> str:
        choice = by_folded_name.get(str(value).casefold())
        if choice is None:
            raise ValueError(expected)
        return choice

    return parse
