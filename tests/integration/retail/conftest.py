"""Small retail sources with the tables and columns of the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "retail"
sys.path.insert(0, str(EXAMPLE))

import landing  # noqa: E402 - found in the folder added above
import validation  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEEKS = 40

#: Three stores sell three products every day, at noon and at 23:00 in New York; store 3 opens late. A ticket's number tells its day.
_SALES = """
CREATE TABLE transactions AS
SELECT
    (1 + (day * 3 + store + visit) % 20)::BIGINT AS household_id,
    store::BIGINT AS store_id,
    (day * 100 + store * 10 + visit)::BIGINT AS basket_id,
    (100 + line)::BIGINT AS product_id,
    (1 + (day + line) % 3)::BIGINT AS quantity,
    (5.25 + store + line + (day * 7 + line * 5) % 11)::DOUBLE AS sales_value,
    CASE WHEN (day + line) % 4 = 0 THEN 0.5 ELSE 0 END::DOUBLE AS retail_disc,
    0.0::DOUBLE AS coupon_disc,
    0.0::DOUBLE AS coupon_match_disc,
    (CASE WHEN day = 0 THEN 1 ELSE 2 + (day - 1) // 7 END)::BIGINT AS week,
    timezone('UTC', timezone('America/New_York',
        TIMESTAMP '2017-01-01 12:00:00' + to_days(day::INTEGER) + to_hours(11 * visit::INTEGER))) AS transaction_timestamp
FROM range({days}) AS days(day), range(1, 4) AS stores(store), range(2) AS visits(visit), range(3) AS lines(line)
WHERE store < 3 OR day > {days} - 60
"""

_REFERENCE = {
    "products": "SELECT (100 + i)::BIGINT AS product_id, 1::BIGINT AS manufacturer_id, "
    "['GROCERY', 'PRODUCE', 'DELI', 'PASTRY'][i + 1] AS department, 'National' AS brand, "
    "CASE WHEN i < 3 THEN 'FOOD' END AS product_category, 'TYPE' AS product_type, NULL::VARCHAR AS package_size FROM range(4) AS r(i)",
    "demographics": "SELECT 1::BIGINT AS household_id, '45-54' AS age, '35-49K' AS income, NULL::VARCHAR AS home_ownership, "
    "'Married' AS marital_status, '2' AS household_size, '2 Adults' AS household_comp, '0' AS kids_count",
    "campaigns": "SELECT c::BIGINT AS campaign_id, h::BIGINT AS household_id FROM range(1, 3) AS r(c), range(1, 8) AS s(h)",
    "campaign_descriptions": "SELECT 1::BIGINT AS campaign_id, 'Type A' AS campaign_type, TIMESTAMP '2017-03-01' AS start_date, "
    "TIMESTAMP '2017-03-28' AS end_date UNION ALL SELECT 2, 'Type B', TIMESTAMP '2017-01-05', TIMESTAMP '2017-02-05'",
    "coupons": "SELECT 5001::BIGINT AS coupon_upc, (100 + i)::BIGINT AS product_id, 1::BIGINT AS campaign_id FROM range(3) AS r(i)",
    "coupon_redemptions": "SELECT 2::BIGINT AS household_id, 5001::BIGINT AS coupon_upc, 1::BIGINT AS campaign_id, "
    "TIMESTAMP '2017-03-05' AS redemption_date",
}


class Source:
    """A folder of Parquet files that a test can change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection = duckdb.connect()

    def make(self, weeks: int = WEEKS) -> Source:
        """Make every table in memory, with sales of a number of weeks."""
        days = 1 + 7 * (weeks - 1)
        self._connection.execute(_SALES.format(days=days))
        for table, query in _REFERENCE.items():
            self._connection.execute(f"CREATE TABLE {table} AS {query}")
        return self

    def sql(self, statement: str) -> Source:
        """Change a table in memory; `write` brings the change to the files."""
        self._connection.execute(statement)
        return self

    def write(self, *, weekly: bool = True) -> Path:
        """Write all files, sales as one file for each week or as a single one, and return the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for table in _REFERENCE:
            self._copy(f"FROM {table}", self.folder / f"{table}.parquet")
        if not weekly:
            self._copy(
                "FROM transactions ORDER BY ALL", self.folder / "transactions.parquet"
            )
            return self.folder
        (self.folder / "transactions").mkdir(exist_ok=True)
        for (week,) in self._connection.execute(
            "SELECT DISTINCT week FROM transactions"
        ).fetchall():
            self._copy(
                f"FROM transactions WHERE week = {week} ORDER BY ALL", self.week(week)
            )
        return self.folder

    def week(self, number: int) -> Path:
        """Return the file of one week."""
        return self.folder / "transactions" / f"week={number:02}.parquet"

    def close(self) -> None:
        """Forget the tables in memory."""
        self._connection.close()

    def _copy(self, query: str, path: Path) -> None:
        self._connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """Return a source with six weeks of sales, not written yet."""
    made = Source(tmp_path / "source").make(weeks=6)
    yield made
    made.close()


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Return where the test's warehouse is to be."""
    return tmp_path / "output" / "warehouse.duckdb"


def land_all(folder: Path, warehouse: Path) -> list[landing.Landed]:
    """Land every drop of a source, eight at a time, as the pipeline does."""
    landings = landing.plan_landings(folder, warehouse)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda drop: landing.land_drop(drop, warehouse), landings))


@pytest.fixture
def land() -> Callable[[Path, Path], list[landing.Landed]]:
    """Return the function that lands a whole source."""
    return land_all


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse that went through extract, validate and dbt; tests read it only."""
    folder = tmp_path_factory.mktemp("built")
    warehouse = folder / "output" / "warehouse.duckdb"
    made = Source(folder / "source").make()
    made.sql(
        "UPDATE transactions SET quantity = 0 WHERE week = 9 AND store_id = 2 AND product_id = 101"
    )
    made.sql("UPDATE transactions SET sales_value = 1.25 WHERE week = 5")
    made.sql("UPDATE transactions SET sales_value = 40.5 WHERE week = 6")
    land_all(made.write(), warehouse)
    made.close()
    validation.validate(warehouse)
    run_dbt(warehouse)
    return warehouse


def run_dbt(warehouse: Path) -> None:
    """Build and test the dbt project in a process of its own."""
    project = str(EXAMPLE / "dbt")
    scratch = warehouse.parent / "dbt"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "RETAIL_WAREHOUSE": str(warehouse),
        "DBT_TARGET_PATH": str(scratch),
        "DBT_LOG_PATH": str(scratch),
    }
    command = [
        str(Path(sys.executable).with_name("dbt")),
        "build",
        "--project-dir",
        project,
        "--profiles-dir",
        project,
    ]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
