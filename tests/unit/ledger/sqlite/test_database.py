"""Answers that SQLite gives too early are asked for again."""

from __future__ import annotations

import sqlite3

import pytest

from caudal.ledger.sqlite.database import patiently


def failing(code: int, times: int) -> tuple[list[int], sqlite3.OperationalError]:
    """Return the tries that are left and the error of each."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = code
    return [0] * times, error


@pytest.mark.parametrize(
    "code",
    [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_PROTOCOL],
)
def test_a_busy_file_is_tried_again(code: int) -> None:
    """An action that fails because others hold the file is repeated until it succeeds."""
    tries, error = failing(code, 3)

    def action() -> str:
        if tries:
            tries.pop()
            raise error
        return "done"

    assert patiently(action, 60) == "done"


def test_patience_ends_with_the_time() -> None:
    """After the timeout the error is the caller's."""
    tries, error = failing(sqlite3.SQLITE_BUSY, 3)

    def action() -> None:
        tries.pop()
        raise error

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        patiently(action, 0)
    assert len(tries) == 2


def test_other_errors_are_not_tried_again() -> None:
    """Waiting does not mend a wrong statement."""
    tries, error = failing(sqlite3.SQLITE_ERROR, 3)

    def action() -> None:
        tries.pop()
        raise error

    with pytest.raises(sqlite3.OperationalError):
        patiently(action, 60)
    assert len(tries) == 2
