"""A small warehouse to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a warehouse with a clean table of products and a dirty one of sales."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute(
            "CREATE TABLE raw.products AS SELECT unnest([1, 2, 3])::BIGINT AS product_id"
        )
        connection.execute(
            "CREATE TABLE raw.sales (basket BIGINT, product_id BIGINT, quantity INTEGER, price DOUBLE, sold_at TIMESTAMP)"
        )
        connection.execute(
            "INSERT INTO raw.sales VALUES "
            "(1, 1, 2, 1.5, '2017-01-01 12:00:00'), (1, 2, 0, 2.5, '2017-01-01 12:00:00'), (2, 9, 1, -1, NULL), "
            "(2, 9, 1, 3, '2017-01-02 12:00:00'), (3, NULL, -4, NULL, '2017-01-03 12:00:00')"
        )
        yield connection
