"""The schema is one thing: in schema.sql, after all migrations, and in the model."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from caudal.ledger.sqlite import SqliteLedger, schema
from caudal.ledger.sqlite.queries import FOLDER
from caudal.model.documents import KINDS, Document
from caudal.model.limits import Holder, Limit
from caudal.model.runs import FlowRunRow, Lease, LogRow, TaskRunRow
from caudal.model.states import StateType
from caudal.testing.samples import SampleRun

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = (FOLDER / "schema.sql").read_text(encoding="utf-8")


def test_each_migration_leads_to_the_next_version() -> None:
    """Version 1 stands in schema.sql alone; the script of each later version bears its number."""
    numbers = [int(path.name.partition("_")[0]) for path in schema.migrations()]
    assert numbers == list(range(2, schema.VERSION + 1))


def test_the_checks_on_states_name_the_model_s_states() -> None:
    """The database takes the states that the model knows, and no others."""
    checks = re.findall(r"CHECK \(.*?state_type IN \((.*?)\)\)", SCHEMA, re.DOTALL)
    assert len(checks) == 2
    for check in checks:
        assert [kind.value for kind in StateType] == re.findall(r"'(\w+)'", check)


def test_the_check_on_documents_names_the_model_s_kinds() -> None:
    """The database takes the kinds of document that the model knows, and no others."""
    (check,) = re.findall(r"CHECK \(kind IN \((.*?)\)\)", SCHEMA)
    assert set(re.findall(r"'(\w+)'", check)) == KINDS


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        ("flow_run", FlowRunRow.__struct_fields__),
        ("task_run", TaskRunRow.__struct_fields__),
        ("lease", Lease._fields),
        ("concurrency_limit", Limit.__struct_fields__),
        ("limit_holder", Holder._fields),
        ("log", ("seq", *LogRow._fields)),
        ("document", Document.__struct_fields__),
    ],
)
def test_columns_are_the_fields_of_the_row(table: str, fields: tuple[str, ...]) -> None:
    """Rows are read and written by position, so the order counts."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    assert list(fields) == [column[1] for column in columns]


def test_an_older_ledger_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening runs the migrations that are missing, once, and keeps what is there."""
    path = tmp_path / "caudal.db"
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
    second = tmp_path / "0002_notes.sql"
    second.write_text(
        "-- More.\nCREATE TABLE note (text TEXT);\nCREATE INDEX n ON note (text);\n"
    )
    monkeypatch.setattr(schema, "VERSION", 2)
    before = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: [*before, second])
    for _ in range(2):
        with closing(SqliteLedger(path)) as ledger:
            writer = ledger._database._writer
            assert writer.execute("SELECT count(*) FROM note").fetchone() == (0,)
            assert writer.execute("PRAGMA user_version").fetchone() == (2,)
            assert ledger.flow_run(run.id) is not None


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-done upgrade is undone."""
    path, broken = tmp_path / "caudal.db", tmp_path / "0002_broken.sql"
    SqliteLedger(path).close()
    broken.write_text(
        "CREATE TABLE note (text TEXT);\nCREATE TABLE note (text TEXT);\n"
    )
    before = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: [*before, broken])
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", 2)
        with pytest.raises(Exception, match="already exists"):
            SqliteLedger(path)
    with closing(SqliteLedger(path)) as ledger:
        found = ledger._database._writer.execute("PRAGMA table_info(note)").fetchall()
    assert not found
