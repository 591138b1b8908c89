"""Statements that take any number of rows at once.

The driver gives up the interpreter lock for every statement it runs and for every row of ``executemany``, and in a
process with busy threads getting it back takes up to the switch interval, 5 ms. So a batch must be a handful of statements whatever
its size. A template with one group of question marks is written out for 1, 2, 4, ... rows; a run picks the sizes that fit, and
pads the last one with rows of NULLs, which every template ignores, when that saves statements and wastes little.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from caudal.ledger.encoding import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from sqlite3 import Cursor

T = TypeVar("T")

#: Rows of the longest statement: twenty-two columns stay below SQLite's 32,766 parameters
#: (https://www.sqlite.org/limits.html, 9), and it compiles in a few milliseconds.
MAX_ROWS = 512

_GROUP = re.compile(r"\(\?(?:, \?)*\)")


class BulkStatement:
    """A statement for any number of rows.

    Args:
        template: SQL with one group of question marks, the place of a row.
    """

    __slots__ = ("_columns", "_group", "_head", "_tail", "_texts")

    def __init__(self, template: str) -> None:
        groups = list(_GROUP.finditer(template))
        assert len(groups) == 1, template
        place = groups[0]
        self._head, self._tail = template[: place.start()], template[place.end() :]
        self._group = place.group()
        self._columns = self._group.count("?")
        self._texts: dict[int, str] = {}

    def run(
        self,
        cursor: Cursor,
        items: Collection[T],
        values_of: Callable[[T], Sequence[Any]] = tuple,
    ) -> list[Any]:
        """Run the statement for all items and return what it selects.

        Args:
            cursor: Of the transaction.
            items: What the rows are made of.
            values_of: Returns the values of an item's row.
        """
        selected: list[Any] = []
        rows = map(
            values_of, items
        )  # each lives until the next: thousands at once would keep the garbage collector busy
        for size in split_sizes(len(items)):
            values = list(chain.from_iterable(islice(rows, size)))
            values += (None,) * (size * self._columns - len(values))
            selected += self._execute(cursor, size, values).fetchall()
        return selected

    def text(self, size: int) -> str:
        """Return the statement for a number of rows."""
        text = self._texts.get(size)
        if text is None:
            groups = ", ".join([self._group] * size)
            text = self._texts[size] = f"{self._head}{groups}{self._tail}"
        return text

    def _execute(self, cursor: Cursor, size: int, values: list[Any]) -> Cursor:
        try:
            return cursor.execute(self.text(size), values)
        except UnicodeEncodeError:
            clean = [clean_text(v) if isinstance(v, str) else v for v in values]
            return cursor.execute(self.text(size), clean)


def split_sizes(number: int) -> Iterator[int]:
    """Yield how many rows each statement takes, padding included, for a number of rows."""
    left = number
    while left > 0:
        size = min(1 << (left.bit_length() - 1), MAX_ROWS)
        if size < left < 2 * size <= MAX_ROWS and 2 * left > 3 * size:
            size *= 2
        yield size
        left -= size
