"""The ledger's file: opened by any number of processes at once, written by one connection, read by another.

SQLite lets one process write at a time and makes the others wait, up to the busy timeout. There are moments in which it answers
"database is locked" without waiting: the switch to write-ahead logging, recovery after a crash, the last connection cleaning up.
``patiently`` covers those, so that this answer reaches nobody before the timeout is over.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from caudal.exceptions import LedgerError
from caudal.ledger.sqlite.errors import is_busy, translated
from caudal.ledger.sqlite.schema import ensure_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

T = TypeVar("T")

#: ``async`` and ``commit`` differ in what the journal waits for, not in the file.
Durability = Literal["async", "commit", "sync"]

_SYNCHRONOUS = {"async": "NORMAL", "commit": "NORMAL", "sync": "FULL"}


class Database:
    """One connection that writes and one that reads; safe to use from several threads.

    Args:
        path: The file; it and its folder are made when they are missing.
        busy_timeout_seconds: How long to wait for other processes.
        durability: What a commit survives.

    Raises:
        LedgerError: The file cannot be used.
    """

    location: str

    def __init__(
        self, path: Path, busy_timeout_seconds: float, durability: Durability
    ) -> None:
        self.location = str(path)
        self._timeout = busy_timeout_seconds
        self._write_lock, self._read_lock = Lock(), Lock()
        self._reader: sqlite3.Connection | None = None
        self._closed = False
        _make_folder(path)
        with translated(self.location):
            self._writer = self._connect()
            try:
                patiently(
                    lambda: self._prepare(_SYNCHRONOUS[durability]), self._timeout
                )
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Cursor]:
        """Give a cursor whose writes become visible together at the end, or not at all after an exception.

        Raises:
            LedgerError: The file cannot be written.
        """
        with self._write_lock, translated(self.location):
            self._check_open()
            writer = self._writer
            try:
                # At once as a writer: a reader that becomes one later would be refused without waiting.
                patiently(lambda: writer.execute("BEGIN IMMEDIATE"), self._timeout)
                yield writer.cursor()
                writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    writer.rollback()
                raise

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query.

        Raises:
            LedgerError: The file cannot be read.
        """
        with self._read_lock, translated(self.location):
            self._check_open()
            if self._reader is None:
                self._reader = self._connect()
            cursor = self._reader.cursor()
            return patiently(
                lambda: cursor.execute(statement, values).fetchall(), self._timeout
            )

    def close(self) -> None:
        """Close both connections; a second call does nothing."""
        with self._write_lock, self._read_lock, translated(self.location):
            self._closed = True
            if self._reader is not None:
                self._reader.close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.location,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _prepare(self, synchronous: str) -> None:
        try:
            ensure_schema(self._writer, self.location)
        except sqlite3.Error:
            self._writer.rollback()
            raise
        self._writer.execute(f"PRAGMA synchronous = {synchronous}")

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerError(self.location, "it is closed", "Open it again.")


def patiently(action: Callable[[], T], seconds: float) -> T:
    """Return what an action returns, trying again while another process holds the file.

    Args:
        action: What to do; it must be harmless to repeat.
        seconds: For how long.
    """
    deadline = monotonic() + seconds
    tries = 0
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or monotonic() >= deadline:
                raise
        tries = min(tries + 1, 10)
        # Processes that started together would meet again; their ids differ.
        sleep(tries * (1 + os.getpid() % 7) / 1000)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"its folder cannot be made: {error.strerror}"
        advice = "Choose a folder you may write to with CAUDAL_HOME."
        raise LedgerError(str(path), reason, advice) from error
