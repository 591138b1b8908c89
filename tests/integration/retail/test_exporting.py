"""Load: files appear whole or not at all."""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING

import duckdb
import exporting
import pytest
from errors import ExportError
from warehouse import connect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mart(warehouse: Path) -> Path:
    """Return a warehouse with one small mart whose rows lie in no order."""
    warehouse.parent.mkdir()
    with connect(warehouse) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.colours AS SELECT i AS id, 'name, ' || i AS name, i / 4 AS share FROM range(1000) AS r(i) ORDER BY hash(i)"
        )
    return warehouse


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def test_both_files_hold_the_mart(mart: Path, tmp_path: Path) -> None:
    """Parquet and CSV have every row, in order, and nothing else is left in the folder."""
    exported = exporting.export_mart("colours", mart, tmp_path / "marts")

    assert exported.rows == 1000
    assert names(tmp_path / "marts") == ["colours.csv", "colours.parquet"]
    for path in (exported.parquet, exported.csv):
        rows = duckdb.execute(f"SELECT id, name, share FROM '{path}'").fetchall()  # noqa: S608 - our own file
        assert rows == [(i, f"name, {i}", i / 4) for i in range(1000)]


def test_same_rows_give_the_same_bytes(mart: Path, tmp_path: Path) -> None:
    """The order of rows in the warehouse does not show in the files."""
    first = exporting.export_mart("colours", mart, tmp_path / "first")
    with connect(mart) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE marts.colours AS FROM marts.colours ORDER BY name DESC"
        )

    second = exporting.export_mart("colours", mart, tmp_path / "second")

    assert first.content_hash == second.content_hash
    for suffix in ("csv", "parquet"):
        one, two = (
            (tmp_path / folder / f"colours.{suffix}").read_bytes()
            for folder in ("first", "second")
        )
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def test_marts_are_listed_in_order(mart: Path) -> None:
    """Tables of the marts schema are what is exported."""
    with connect(mart) as connection:
        connection.execute("CREATE TABLE marts.a AS SELECT 1 AS id")
        connection.execute("CREATE TABLE other AS SELECT 1 AS id")

    assert exporting.list_marts(mart) == ["a", "colours"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_full_disk_leaves_the_old_files(
    mart: Path, tmp_path: Path, suffix: str
) -> None:
    """When either file cannot be written, both are as they were, and the error says what to do."""
    folder = tmp_path / "marts"
    exporting.export_mart("colours", mart, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with connect(mart) as connection:
        connection.execute("UPDATE marts.colours SET name = 'new'")
    (folder / f".colours.{suffix}.tmp").symlink_to("/dev/full")

    with pytest.raises(ExportError, match="No space left on device") as caught:
        exporting.export_mart("colours", mart, folder)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    text = str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 - our own bytes
    assert "What was there before is untouched" in text
    assert "disk has room" in text


def test_a_folder_that_cannot_be_made_is_named(mart: Path, tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ExportError, match=r"'.*taken/marts': .*Not a directory"):
        exporting.export_mart("colours", mart, tmp_path / "taken" / "marts")


def test_what_a_killed_run_left_behind_is_overwritten(
    mart: Path, tmp_path: Path
) -> None:
    """A half-written temporary file does no harm and does not stay."""
    folder = tmp_path / "marts"
    folder.mkdir()
    (folder / ".colours.csv.tmp").write_text("half a li")

    exporting.export_mart("colours", mart, folder)

    assert names(folder) == ["colours.csv", "colours.parquet"]


def test_text_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A text file that cannot be written keeps what it said."""
    path = tmp_path / "page.html"
    exporting.replace_text(path, "old")
    (tmp_path / ".page.html.tmp").symlink_to("/dev/full")

    with pytest.raises(ExportError, match="No space left on device"):
        exporting.replace_text(path, "new")

    assert path.read_text() == "old"
    assert names(tmp_path) == ["page.html"]
