"""The DuckDB warehouse: how it is opened, and the tables that land in its ``raw`` schema.

DuckDB lets one process at a time open a file for writing. So every step opens the warehouse, does its work and
closes it again; the threads of one process share it.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from errors import WarehouseError

from caudal.quality import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRANSACTIONS = "transactions"

#: The source's contract: every table that lands, with its columns and their types.
TABLES: Mapping[str, Mapping[str, str]] = {
    TRANSACTIONS: {
        "household_id": "BIGINT",
        "store_id": "BIGINT",
        "basket_id": "BIGINT",
        "product_id": "BIGINT",
        "quantity": "BIGINT",
        "sales_value": "DOUBLE",
        "retail_disc": "DOUBLE",
        "coupon_disc": "DOUBLE",
        "coupon_match_disc": "DOUBLE",
        "week": "BIGINT",
        "transaction_timestamp": "TIMESTAMP",
    },
    "products": {
        "product_id": "BIGINT",
        "manufacturer_id": "BIGINT",
        "department": "VARCHAR",
        "brand": "VARCHAR",
        "product_category": "VARCHAR",
        "product_type": "VARCHAR",
        "package_size": "VARCHAR",
    },
    "demographics": {
        "household_id": "BIGINT",
        "age": "VARCHAR",
        "income": "VARCHAR",
        "home_ownership": "VARCHAR",
        "marital_status": "VARCHAR",
        "household_size": "VARCHAR",
        "household_comp": "VARCHAR",
        "kids_count": "VARCHAR",
    },
    "campaigns": {"campaign_id": "BIGINT", "household_id": "BIGINT"},
    "campaign_descriptions": {
        "campaign_id": "BIGINT",
        "campaign_type": "VARCHAR",
        "start_date": "TIMESTAMP",
        "end_date": "TIMESTAMP",
    },
    "coupons": {
        "coupon_upc": "BIGINT",
        "product_id": "BIGINT",
        "campaign_id": "BIGINT",
    },
    "coupon_redemptions": {
        "household_id": "BIGINT",
        "coupon_upc": "BIGINT",
        "campaign_id": "BIGINT",
        "redemption_date": "TIMESTAMP",
    },
}

_MANAGED = "raw", "validated", "quarantine", "marts"


@contextmanager
def connect(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for the length of a ``with`` block; what is not committed then is undone.

    Raises:
        WarehouseError: The file is in use by another process, damaged, or cannot be written to.
    """
    try:
        with duckdb.connect(path) as connection:
            yield connection
    except duckdb.Error as error:
        if str(path) not in str(error):
            raise  # it is about something else than the warehouse's file
        reason = str(error).strip().splitlines()[0]
        raise WarehouseError(str(path), reason, _advice(reason)) from error


def _advice(reason: str) -> str:
    if "lock" in reason:
        return "Wait for the other run to end, or give this one another output folder."
    if "write" in reason:
        return "Make room on its disk and run again: what was loaded before is still there."
    return "Check that its folder can be written to; if the file is damaged, delete it: the next run builds it anew."


def prepare_warehouse(path: Path) -> str:
    """Make the warehouse and its raw tables where they are missing, and return the warehouse's identity.

    The identity is drawn once for each file: what a cache knows about a deleted warehouse is not believed of the
    one that replaces it.

    Raises:
        WarehouseError: The warehouse cannot be made here.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        advice = "Choose an output folder that can be written to."
        raise WarehouseError(str(path), str(error), advice) from error
    with connect(path) as connection:
        for schema in _MANAGED:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table, columns in TABLES.items():
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS raw.{table} ({_column_list(columns)}, "
                "_drop VARCHAR NOT NULL, _source VARCHAR NOT NULL, _loaded_at TIMESTAMPTZ NOT NULL)"
            )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw._drops (name VARCHAR NOT NULL, table_name VARCHAR NOT NULL, source VARCHAR NOT NULL, "
            "fingerprint VARCHAR NOT NULL, load_number BIGINT NOT NULL, row_count BIGINT NOT NULL, loaded_at TIMESTAMPTZ NOT NULL)"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw._identity (id VARCHAR NOT NULL)"
        )
        row = connection.execute("SELECT id FROM raw._identity").fetchone()
        if row is None:
            row = (secrets.token_hex(8),)
            connection.execute("INSERT INTO raw._identity VALUES (?)", row)
        return str(row[0])


def count_table(path: Path, table: str) -> int:
    """Return the number of rows of a table whose name is quoted already."""
    with connect(path) as connection:
        row = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def fetch_dicts(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: list[Any] | None = None,
) -> list[dict[str, Any]]:
    """Return a query's rows as dictionaries."""
    cursor = connection.execute(query, parameters or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]
) -> None:
    """Append rows to a table, all at once: a hundred times faster than row by row."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(
            f"INSERT INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}",
            columns,
        )


def _column_list(columns: Mapping[str, str]) -> str:
    return ", ".join(
        f"{quote_identifier(name)} {kind}" for name, kind in columns.items()
    )
