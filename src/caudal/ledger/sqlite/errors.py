"""SQLite's errors in the ledger's words: what happened and what to do about it."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caudal.exceptions import LedgerBusyError, LedgerCorruptError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Generator

#: The primary code is the low byte (https://www.sqlite.org/rescode.html).
_PRIMARY = 0xFF

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

#: What the advice for a damaged or foreign file is.
CORRUPT_ADVICE = (
    "Move the file away to start with a fresh ledger, or put a backup in its place; "
    "`sqlite3 FILE .recover` can rescue what is still readable."
)

_REASONS = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Free some space; nothing that was recorded before is lost.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk reported an error",
        "Check the disk and that the folder is on a local file system.",
    ),
    sqlite3.SQLITE_READONLY: (
        "it may not be written",
        "Give yourself write permission to the file and its folder, or choose another folder with CAUDAL_HOME.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened",
        "Check that the path is a file and that you may write to its folder, or choose another folder with CAUDAL_HOME.",
    ),
    sqlite3.SQLITE_PERM: (
        "the file may not be opened",
        "Give yourself permission to the file, or choose another folder with CAUDAL_HOME.",
    ),
    sqlite3.SQLITE_TOOBIG: (
        "a value is larger than SQLite can keep",
        "Keep large values as results instead of parameters, messages or details.",
    ),
}
_OTHERWISE = (
    "SQLite refused the operation",
    "Please report this; the cause is in the exception above.",
)


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether another connection holds the file, so that a later try may succeed."""
    return _code(error) in _BUSY


@contextmanager
def translated(path: str) -> Generator[None]:
    """Turn the driver's errors into the ledger's.

    Raises:
        LedgerError: In place of every ``sqlite3.Error``.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error


def translate(error: sqlite3.Error, path: str) -> LedgerError:
    """Return the ledger's error for one of the driver's."""
    code = _code(error)
    if code in _BUSY:
        reason = "other processes kept it locked for longer than the busy timeout"
        advice = "See which processes write to it, or raise the timeout with CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS."
        return LedgerBusyError(path, reason, advice)
    if code in _CORRUPT:
        return LedgerCorruptError(path, f"it is damaged ({error})", CORRUPT_ADVICE)
    reason, advice = _REASONS.get(code, _OTHERWISE)
    return LedgerError(path, f"{reason} ({error})", advice)


def _code(error: sqlite3.Error) -> int:
    # Errors of the driver itself, such as a wrong number of parameters, carry no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
