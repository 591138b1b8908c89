"""Brings a ledger file to the schema of this version, whoever else opens it at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.exceptions import LedgerCorruptError, LedgerVersionError
from caudal.ledger.sqlite.errors import CORRUPT_ADVICE
from caudal.ledger.sqlite.queries import FOLDER, split_script

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

#: Written into the file's header, so that no other program's database is taken for a ledger: "caud".
APPLICATION_ID = 0x63617564

#: The schema this code works with, kept in the file as ``user_version``.
VERSION = 1


def migrations() -> list[Path]:
    """Return the migration scripts from the first released schema on: the first leads to version 2, and so on."""
    return sorted((FOLDER / "migrations").glob("[0-9]*.sql"))


def ensure_schema(connection: Connection, path: str) -> None:
    """Create or upgrade the schema; nothing is written when it is up to date.

    Args:
        connection: A connection outside a transaction.
        path: The file, for messages.

    Raises:
        LedgerCorruptError: The file is another program's.
        LedgerVersionError: The file is newer than this code.
    """
    if _version(connection, path) == VERSION:
        return
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been quicker while this one waited for the lock.
    version = _version(connection, path)
    for script in _scripts_after(version):
        for statement in split_script(script.read_text(encoding="utf-8")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _scripts_after(version: int) -> list[Path]:
    return migrations()[version - 1 :] if version else [FOLDER / "schema.sql"]


def _version(connection: Connection, path: str) -> int:
    # The order matters: whoever sees the tables of a fresh ledger sees its id and version too.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (program,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and program != APPLICATION_ID:
        reason = "the file is another program's database"
        raise LedgerCorruptError(path, reason, CORRUPT_ADVICE)
    if version > VERSION:
        reason = f"a newer caudal wrote it (schema {version}, this one knows {VERSION})"
        advice = "Upgrade caudal, or choose another folder with CAUDAL_HOME."
        raise LedgerVersionError(path, reason, advice)
    return version if tables else 0
