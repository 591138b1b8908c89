"""An SQLite ledger whose file cannot be written every other time, and a caller who tries again.

The faults are those of real disks and neighbours. Where the system can be made to produce one it does: a limit on the pages of the file is a
full disk to SQLite, a limit on the size of files is an error of the device, and a thread that keeps taking the file is a busy neighbour. The
others are raised where SQLite reports them: at the start of a transaction, in its middle, and at its commit, done or not.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from caudal.exceptions import LedgerError
from caudal.ledger.port import Stamp
from caudal.ledger.sqlite import SqliteLedger
from caudal.ledger.sqlite.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from caudal.ledger.port import Batch, Receipt

#: Times that a caller gives the same batch; every other one fails.
TRIES = 200


class Fault:
    """Something that goes wrong in every other transaction; the subclasses say what."""

    #: Whether only commits of batches are hit: a caller cannot know what became of anything else.
    only_batches = False
    #: The connection that it strikes.
    connection: sqlite3.Connection

    def __init__(self) -> None:
        self.armed = False
        self._turns = count()
        self._hits = False
        #: How often it struck.
        self.struck = 0

    def before(self, connection: sqlite3.Connection, sql: str) -> None:
        """Go wrong before a statement is carried out."""
        self.connection = connection
        if sql.startswith("BEGIN"):
            self._hits = self.armed and next(self._turns) % 2 == 0
            if self._hits:
                self.at_begin()
        elif self._hits and sql == "COMMIT":
            self.at_commit()
        elif self._hits:
            self.at_statement()

    def after(self, sql: str) -> None:
        """Go wrong after a statement was carried out."""
        if self._hits and sql == "COMMIT":
            self.after_commit()
            self._hits = False

    def over(self) -> None:
        """Learn that a transaction was rolled back."""

    def at_begin(self) -> None:
        """Go wrong at the start."""

    def at_statement(self) -> None:
        """Go wrong at a statement."""

    def at_commit(self) -> None:
        """Go wrong before the commit."""

    def after_commit(self) -> None:
        """Go wrong after it."""

    def strike(self, code: int, text: str) -> None:
        """Raise what SQLite would."""
        self._hits = False
        self.struck += 1
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error


class ErrorAtBegin(Fault):
    """The device fails when the transaction starts."""

    def at_begin(self) -> None:
        """Fail."""
        self.strike(sqlite3.SQLITE_IOERR_READ, "disk I/O error")


class ErrorAtStatement(Fault):
    """The device fails at one of the first statements."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0

    def at_begin(self) -> None:
        """Choose the statement."""
        self._left = self.struck % 4

    def at_statement(self) -> None:
        """Fail when it is reached."""
        self._left -= 1
        if self._left < 0:
            self.strike(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error")


class FullAtCommit(Fault):
    """There is no room for what is committed."""

    def at_commit(self) -> None:
        """Fail."""
        self.strike(sqlite3.SQLITE_FULL, "database or disk is full")


class ErrorAfterCommit(Fault):
    """The batch is written, and the caller sees an error."""

    only_batches = True

    def after_commit(self) -> None:
        """Fail."""
        self.strike(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error")


class Busy(Fault):
    """Another process holds the file and SQLite says so without waiting."""

    def at_begin(self) -> None:
        """Fail."""
        self.strike(sqlite3.SQLITE_BUSY_RECOVERY, "database is locked")


class NoMorePages(Fault):
    """The file may not grow: a full disk, as SQLite itself finds it."""

    def at_begin(self) -> None:
        """Forbid new pages."""
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages}")

    def over(self) -> None:
        """Allow them again."""
        self.connection.execute("PRAGMA max_page_count = 1000000")
        self.struck += self._hits
        self._hits = False


class NoWrites(Fault):
    """The system refuses to write behind the end of the log: an error of the device, as SQLite itself meets it."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def at_begin(self) -> None:
        """Forbid to write."""
        size = self._log.stat().st_size if self._log.exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self._limits[1]))

    def after_commit(self) -> None:
        """There was room enough in a log that starts anew."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    def over(self) -> None:
        """Allow it again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        self.struck += self._hits
        self._hits = False


class _Connection(sqlite3.Connection):
    """A connection on which a fault may strike."""

    fault: Fault

    def execute(self, sql: str, /, *values: Any) -> sqlite3.Cursor:
        self.fault.before(self, sql)
        cursor = super().execute(sql, *values)
        self.fault.after(sql)
        return cursor

    def cursor(self, *_: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)

    def rollback(self) -> None:
        super().rollback()
        self.fault.over()


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, /, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
        connection: Any = self.connection
        connection.fault.before(connection, sql)
        return super().execute(sql, *values)


class Insistent:
    """A ledger that is called again after an error, as the journal does with batches.

    Args:
        ledger: The ledger, or a part of it.
        fault: What strikes it.
    """

    def __init__(self, ledger: Any, fault: Fault) -> None:
        self._ledger, self._fault = ledger, fault
        self._threads = threading.local()

    def commit(self, batch: Batch) -> Receipt:
        """Give a batch until there is a receipt."""
        if batch.stamp is not None:
            return self._insist(self._ledger.commit, batch)
        threads = self._threads
        if not hasattr(threads, "writer"):
            threads.writer, threads.numbers = os.urandom(16), count(1)
        batch.stamp = Stamp(threads.writer, next(threads.numbers), 0.0)
        try:
            return self._insist(self._ledger.commit, batch)
        finally:
            batch.stamp = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._ledger, name)
        if name in {"control", "documents", "inputs", "limits"}:
            return Insistent(value, self._fault)
        if name == "close" or not callable(value):
            return value
        return lambda *args, **kwargs: self._insist(value, *args, **kwargs)

    def _insist(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_batch = getattr(call, "__name__", "") == "commit"
        self._fault.armed = is_batch or not self._fault.only_batches
        for _ in range(TRIES - 1):
            with suppress(LedgerError):
                return call(*args, **kwargs)
        return call(*args, **kwargs)


def strike_connections(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fault strike the connections that ledgers make from here on, once it is armed."""

    def connect(database: Database) -> sqlite3.Connection:
        connection = sqlite3.connect(
            database.location,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        connection.fault = fault
        return connection

    monkeypatch.setattr(Database, "_connect", connect)


@contextmanager
def faulty_ledger(
    path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Insistent]:
    """Give an empty ledger that a fault strikes."""
    strike_connections(fault, monkeypatch)
    ledger = SqliteLedger(path)
    yield Insistent(ledger, fault)
    fault.armed = False
    ledger.close()


@contextmanager
def storm(path: Path) -> Iterator[None]:
    """Have two neighbours take the file again and again."""
    ended = threading.Event()

    def take() -> None:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        while not ended.is_set():
            connection.execute("BEGIN IMMEDIATE")
            ended.wait(0.001)
            connection.execute("COMMIT")
            ended.wait(0.0005)
        connection.close()

    neighbours = [threading.Thread(target=take) for _ in range(2)]
    for neighbour in neighbours:
        neighbour.start()
    yield
    ended.set()
    for neighbour in neighbours:
        neighbour.join()
