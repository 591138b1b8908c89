"""Bulk statements take any number of rows, in few pieces, in order."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.ledger.sqlite.bulk import MAX_ROWS, BulkStatement, split_sizes
from caudal.ledger.sqlite.queries import load_queries

#: Parameters of a statement, at most (https://www.sqlite.org/limits.html, 9).
MAX_PARAMETERS = 32_766


@given(st.integers(0, 5000))
def test_pieces_cover_all_rows_once(number: int) -> None:
    """Pieces reach to the last row, are few, and waste at most a quarter."""
    pieces = list(split_sizes(number))
    end = sum(pieces)
    assert number <= end
    assert end - number < (pieces[-1] if pieces else 1)
    assert 3 * (end - number) <= max(number, 1)
    assert all(size <= MAX_ROWS and size & (size - 1) == 0 for size in pieces)
    assert len(pieces) <= number // MAX_ROWS + 6


def test_the_longest_statement_stays_within_the_limit() -> None:
    """No table has so many columns that a full statement has too many parameters."""
    for text in load_queries().values():
        assert max(text.count("?") * MAX_ROWS, 0) <= MAX_PARAMETERS


@pytest.mark.parametrize("number", [0, 1, 5, 511, 512, 513, 700, 800, 1030])
def test_rows_are_written_in_order(number: int) -> None:
    """What comes out is what went in, without the padding."""
    rows = [(place, f"text {place}") for place in range(number)]
    insert = (
        "INSERT INTO t (a, b) SELECT * FROM (VALUES (?, ?)) WHERE column1 IS NOT NULL"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        BulkStatement(insert).run(connection.cursor(), rows)
        found = connection.execute("SELECT a, b FROM t ORDER BY rowid").fetchall()
    assert rows == found


def test_a_query_returns_the_rows_of_all_its_pieces() -> None:
    """A search for many keys finds all of them."""
    keys = [(place,) for place in range(700)]
    query = BulkStatement("SELECT a FROM t WHERE a IN (VALUES (?))")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", keys)
        assert sorted(query.run(connection.cursor(), keys)) == keys
