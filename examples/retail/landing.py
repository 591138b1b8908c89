"""Extract: drops land unchanged in the ``raw`` schema, each in one transaction, and never twice.

``raw._drops`` remembers what each drop looked like when it landed. From it, `plan_landings` gives every drop a key
that stays the same until its content changes, so that a cache can answer for a week that is already there. The load
number in the key tells a week that was changed and changed back from one that never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from errors import SourceError
from sources import Drop, list_drops, read_error
from warehouse import TABLES, connect, fetch_dicts, prepare_warehouse

from caudal.quality import quote_columns, quote_identifier

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "read_parquet(?, hive_partitioning = false)"
_NOTHING_LOADED = "Deliver it as before, then run again: nothing of it was loaded."

#: Types that become another without loss.
_ACCEPTED_TYPES = {
    "BIGINT": {
        "BIGINT",
        "INTEGER",
        "SMALLINT",
        "TINYINT",
        "UINTEGER",
        "USMALLINT",
        "UTINYINT",
    },
    "DOUBLE": {"DOUBLE", "FLOAT"},
    "TIMESTAMP": {"TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"},
}


@dataclass(frozen=True, slots=True)
class Landing:
    """A drop, and which load of it this is."""

    drop: Drop
    #: How often the drop has landed with other content before, plus one.
    load_number: int
    #: Identity of the warehouse it lands in.
    warehouse_id: str

    @property
    def name(self) -> str:
        """The drop's name."""
        return self.drop.name

    @property
    def key(self) -> str:
        """What a cache may know the landing by: the warehouse, the drop, its content and its load number."""
        return f"retail-{self.warehouse_id}-{self.name}-{self.load_number}-{self.drop.fingerprint}"


@dataclass(frozen=True, slots=True)
class Landed:
    """What landed."""

    name: str
    table: str
    rows: int
    #: Columns of the file that the warehouse has no place for.
    ignored_columns: tuple[str, ...] = ()


def plan_landings(folder: Path, warehouse: Path) -> list[Landing]:
    """Return a landing for every drop of a source, in order.

    Drops that are no longer in the source leave the warehouse, so that it holds what the source holds.

    Raises:
        SourceError: A file is missing or cannot be read.
        WarehouseError: The warehouse cannot be opened.
    """
    drops = list_drops(folder)
    identity = prepare_warehouse(warehouse)
    with connect(warehouse) as connection:
        there = {
            row["name"]: row
            for row in fetch_dicts(connection, "SELECT * FROM raw._drops")
        }
        for name in there.keys() - {drop.name for drop in drops}:
            _remove_drop(connection, name, there[name]["table_name"])
    landings: list[Landing] = []
    for drop in drops:
        digest, number = drop.fingerprint, 1
        if drop.name in there:
            digest, number = (
                there[drop.name]["fingerprint"],
                there[drop.name]["load_number"],
            )
        number += digest != drop.fingerprint
        landings.append(Landing(drop, number, identity))
    return landings


def land_drop(landing: Landing, warehouse: Path) -> Landed:
    """Copy a drop's rows into its raw table, in place of what an earlier load of it left there.

    Raises:
        SourceError: The file cannot be read, lacks a column, or has one of another type.
        WarehouseError: The warehouse cannot be opened.
    """
    drop = landing.drop
    with connect(warehouse) as connection:
        found = _read_schema(connection, drop)
        _check_schema(drop, found)
        _check_week(connection, drop)
        try:
            rows = _replace_rows(connection, landing)
        except duckdb.TransactionException:
            raise  # the warehouse could not take it
        except duckdb.Error as error:
            if str(warehouse) in str(error):
                raise
            raise read_error(drop.path, error) from error
    ignored = tuple(column for column in found if column not in TABLES[drop.table])
    return Landed(drop.name, drop.table, rows, ignored)


def _read_schema(connection: duckdb.DuckDBPyConnection, drop: Drop) -> dict[str, str]:
    try:
        rows = connection.execute(
            f"DESCRIBE SELECT * FROM {_FILE}", [drop.path]
        ).fetchall()
    except duckdb.Error as error:
        raise read_error(drop.path, error) from error
    return {row[0]: row[1] for row in rows}


def _check_schema(drop: Drop, found: dict[str, str]) -> None:
    for column, wanted in TABLES[drop.table].items():
        if column not in found:
            raise SourceError(drop.path, f"has no column {column!r}", _NOTHING_LOADED)
        if found[column] not in _ACCEPTED_TYPES.get(wanted, {wanted}):
            problem = (
                f"holds {found[column]} in column {column!r} where {wanted} belongs"
            )
            raise SourceError(drop.path, problem, _NOTHING_LOADED)


def _check_week(connection: duckdb.DuckDBPyConnection, drop: Drop) -> None:
    """Refuse a file of one week that holds rows of another."""
    if drop.week is None or drop.is_shared_file:
        return
    query = f"SELECT COUNT(*) FROM {_FILE} WHERE week IS DISTINCT FROM ?"
    row = connection.execute(query, [drop.path, drop.week]).fetchone()
    if row and row[0]:
        problem = f"holds {row[0]:,} rows that are not of week {drop.week}"
        raise SourceError(drop.path, problem, _NOTHING_LOADED)


def _replace_rows(connection: duckdb.DuckDBPyConnection, landing: Landing) -> int:
    """Put a drop's rows in place of those it had, in one transaction; leaving the connection undoes a part."""
    drop = landing.drop
    columns = quote_columns(TABLES[drop.table])
    chosen, week = ("WHERE week = ?", [drop.week]) if drop.is_shared_file else ("", [])
    connection.execute("BEGIN")
    _remove_drop(connection, drop.name, drop.table)
    row = connection.execute(
        f"INSERT INTO raw.{quote_identifier(drop.table)} SELECT {columns}, ?, ?, now() FROM {_FILE} {chosen}",
        [drop.name, drop.path, drop.path, *week],
    ).fetchone()
    rows = int(row[0]) if row else 0
    connection.execute(
        "INSERT INTO raw._drops VALUES (?, ?, ?, ?, ?, ?, now())",
        [drop.name, drop.table, drop.path, drop.fingerprint, landing.load_number, rows],
    )
    connection.execute("COMMIT")
    return rows


def _remove_drop(connection: duckdb.DuckDBPyConnection, name: str, table: str) -> None:
    connection.execute(
        f"DELETE FROM raw.{quote_identifier(table)} WHERE _drop = ?", [name]
    )
    connection.execute("DELETE FROM raw._drops WHERE name = ?", [name])
