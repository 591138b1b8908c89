"""Load: every mart as a Parquet and a CSV file, each replaced in one step.

A file is written under a temporary name beside its place and then renamed. So a reader sees the old file or the new
one, never a half, and a full disk leaves the old one as it was. Rows are written in a fixed order: the same data gives
the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from errors import ExportError
from warehouse import connect

from caudal.quality import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_FORMATS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER",
}


@dataclass(frozen=True, slots=True)
class ExportedMart:
    """A mart and its files."""

    name: str
    rows: int
    parquet: str
    csv: str
    #: SHA-256 of the CSV file: equal for equal data, whatever wrote it.
    content_hash: str


def list_marts(warehouse: Path) -> list[str]:
    """Return the names of all marts, in order."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'marts' ORDER BY 1"
    with connect(warehouse) as connection:
        return [name for (name,) in connection.execute(query).fetchall()]


def export_mart(name: str, warehouse: Path, folder: Path) -> ExportedMart:
    """Write a mart to ``<folder>/<name>.parquet`` and ``<name>.csv``.

    Raises:
        ExportError: A file could not be written; what was there before is untouched.
    """
    files = {suffix: folder / f"{name}.{suffix}" for suffix in _FORMATS}
    table = f"marts.{quote_identifier(name)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with connect(warehouse) as connection:
            for suffix, options in _FORMATS.items():
                target = str(_temporary(files[suffix])).replace("'", "''")
                connection.execute(
                    f"COPY (SELECT * FROM {table} ORDER BY ALL) TO '{target}' ({options})"
                )
            row = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        content = hashlib.sha256(_temporary(files["csv"]).read_bytes()).hexdigest()
        _put_in_place(list(files.values()))
    except (OSError, duckdb.Error) as error:
        raise ExportError(
            table, str(folder), str(error).strip().splitlines()[0]
        ) from error
    finally:
        _clean_up(list(files.values()))
    return ExportedMart(
        name,
        int(row[0]) if row else 0,
        str(files["parquet"]),
        str(files["csv"]),
        content,
    )


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step.

    Raises:
        ExportError: It could not be written; what was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _temporary(path).write_text(text, encoding="utf-8")
        _put_in_place([path])
    except OSError as error:
        raise ExportError(path.name, str(path), str(error)) from error
    finally:
        _clean_up([path])


def _temporary(path: Path) -> Path:
    """Return the name a file has while it is written; a killed run's leftover is overwritten by the next."""
    return path.with_name(f".{path.name}.tmp")


def _put_in_place(paths: Collection[Path]) -> None:
    """Give finished files their names, once all of them are safe on the disk."""
    for path in paths:
        with _temporary(path).open("rb") as file:
            os.fsync(file.fileno())
    for path in paths:
        _temporary(path).replace(path)


def _clean_up(paths: Collection[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            _temporary(path).unlink(missing_ok=True)
