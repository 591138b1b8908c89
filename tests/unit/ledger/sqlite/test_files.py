"""Files that cannot be used, and files that others use: what the ledger says about them."""

from __future__ import annotations

import os
import pickle
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from caudal.exceptions import (
    LedgerBusyError,
    LedgerCorruptError,
    LedgerError,
    LedgerVersionError,
)
from caudal.ledger.port import RunFilter
from caudal.ledger.sqlite import SqliteLedger
from caudal.ledger.sqlite.errors import translate
from caudal.model.runs import LogRow
from caudal.testing.samples import START, SampleRun, lease_of, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is to be."""
    return tmp_path / "caudal.db"


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder in which this process has no more rights than its permissions say."""
    with TemporaryDirectory() as folder:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if is_root:
                os.seteuid(0)
            Path(folder).chmod(0o700)


def test_the_folder_of_a_fresh_ledger_is_made(tmp_path: Path) -> None:
    """A home that does not exist yet is no error."""
    path = tmp_path / "a" / "b" / "caudal.db"
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.location == str(path)
        SampleRun().start(ledger)


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    """A file without content is as good as none."""
    path.touch()
    with closing(SqliteLedger(path)) as ledger:
        SampleRun().start(ledger)


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    """A ledger outlives the object."""
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        expected = ledger.flow_run(run.id)
    with closing(SqliteLedger(str(path))) as ledger:
        assert expected == ledger.flow_run(run.id)


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    """The error says that the file is damaged and what to do, and the file stays as it is."""
    content = b"precious notes, no database\n" * 100
    path.write_bytes(content)
    with pytest.raises(LedgerCorruptError, match=r"damaged.*Move the file away"):
        SqliteLedger(path)
    assert content == path.read_bytes()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """A database that is no ledger is not taken for one."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (text)")
    content = path.read_bytes()
    with pytest.raises(LedgerCorruptError, match="another program's database"):
        SqliteLedger(path)
    assert content == path.read_bytes()


@pytest.mark.parametrize("part", [0.05, 0.5, 0.9])
def test_a_truncated_ledger_is_an_error(path: Path, part: float) -> None:
    """A file that lost its end says so when the missing part is needed, at the latest."""
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        ledger.commit(run.batch(*(run.task("COMPLETED") for _ in range(1000))))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(LedgerCorruptError, match="damaged"):
        read_everything(path)


def test_overwritten_pages_are_an_error(path: Path) -> None:
    """Garbage in the middle of the file is found when it is read."""
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        ledger.commit(run.batch(*(run.task("COMPLETED") for _ in range(1000))))
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(LedgerCorruptError, match="damaged"):
        read_everything(path)


def read_everything(path: Path) -> None:
    """Open a ledger and read what is in it."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.flow_runs(RunFilter())
        ledger.task_runs(RunFilter(), limit=10_000)
        ledger.events(limit=10_000)


def test_a_newer_ledger_is_left_alone(path: Path) -> None:
    """A schema this code does not know is not touched."""
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerVersionError, match=r"schema 99.*Upgrade caudal"):
        SqliteLedger(path)


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    """A path that is a folder cannot be opened."""
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqliteLedger(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The error names the reason and the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"folder cannot be made.*CAUDAL_HOME"):
        SqliteLedger(tmp_path / "file" / "home" / "caudal.db")


def test_a_read_only_home_is_an_error(ordinary_user: Path) -> None:
    """A fresh ledger in a folder without write permission says what to change."""
    ordinary_user.chmod(0o500)
    with pytest.raises(LedgerError, match=r"cannot be opened.*write to its folder"):
        SqliteLedger(ordinary_user / "caudal.db")


def test_a_read_only_ledger_is_an_error(ordinary_user: Path) -> None:
    """A ledger without write permission says what to change, at the first write at the latest."""
    path = ordinary_user / "caudal.db"
    SqliteLedger(path).close()
    path.chmod(0o400)
    with (
        pytest.raises(LedgerError, match="may not be written"),
        closing(SqliteLedger(path)) as ledger,
    ):
        SampleRun().start(ledger)


def test_a_writer_waits_for_another_one(path: Path) -> None:
    """A lock that is given up within the timeout is no error."""
    with closing(SqliteLedger(path)) as ledger, closing(locked(path)) as other:
        begun = Event()

        def write() -> None:
            begun.set()
            SampleRun().start(ledger)

        thread = Thread(target=write)
        thread.start()
        begun.wait()
        other.execute("COMMIT")
        thread.join()
        assert len(ledger.events()) == 1


def test_a_lock_that_stays_is_an_error_after_the_timeout(path: Path) -> None:
    """The error says that others hold the file; nothing was written, and the next try works."""
    run = SampleRun()
    with closing(SqliteLedger(path, busy_timeout_seconds=0.05)) as ledger:
        with closing(locked(path)):
            for call in (
                lambda: run.start(ledger),
                lambda: ledger.renew(lease_of(run.owner, moment())),
                lambda: ledger.claim(run.id, run.owner, moment(), lambda _: True),
            ):
                with pytest.raises(LedgerBusyError, match="busy timeout"):
                    call()
            assert ledger.flow_run(run.id) is None
        run.start(ledger)


def test_readers_do_not_wait_for_writers(path: Path) -> None:
    """Lists work while another process writes."""
    with closing(SqliteLedger(path, busy_timeout_seconds=0)) as ledger:
        run = SampleRun().start(ledger)
        with closing(locked(path)):
            assert ledger.flow_run(run.id) is not None
            assert len(ledger.events()) == 1


def locked(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the write lock."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_full_disk_loses_nothing_that_was_there(path: Path) -> None:
    """A batch that does not fit is left out whole, and the ledger goes on when there is room again."""
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        writer = ledger._database._writer
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        batch = run.batch(*(run.task("COMPLETED") for _ in range(1000)))
        with pytest.raises(LedgerError, match=r"disk is full.*Free some space"):
            ledger.commit(batch)
        assert not ledger.task_runs(RunFilter())
        assert len(ledger.events()) == 1
        writer.execute("PRAGMA max_page_count = 1000000")
        assert ledger.commit(batch).last_seq == 1001


#: Writes until the file may not grow any more.
FILLER = """
import resource, signal, sys
from caudal.exceptions import LedgerError
from caudal.ledger.sqlite import SqliteLedger
from caudal.testing.samples import SampleRun

ledger = SqliteLedger(sys.argv[1])
run = SampleRun().start(ledger)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    while True:
        ledger.commit(run.batch(*(run.task("COMPLETED") for _ in range(500))))
        print(len(run.task_rows), flush=True)
except LedgerError as error:
    print(error)
"""


def test_a_write_error_of_the_disk_is_reported(path: Path) -> None:
    """An error of the operating system under a write is a ledger error, and what was acknowledged is there."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *acknowledged, message = done.stdout.splitlines()
    assert "the disk" in message
    with closing(SqliteLedger(path)) as ledger:
        (row,) = ledger.flow_runs(RunFilter())
        assert row.task_count == int(acknowledged[-1])


def test_an_interrupted_write_gives_the_lock_back(path: Path) -> None:
    """Ctrl-C inside a transaction undoes it."""

    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, moment() + 1e6))
        with pytest.raises(KeyboardInterrupt):
            ledger.claim(run.id, b"2" * 16, moment(), interrupt)
        assert not ledger.commit(run.batch(run.change("COMPLETED"))).refused


@pytest.mark.parametrize(("durability", "expected"), [
    ("async", 1),
    ("commit", 1),
    ("sync", 2),
])  # fmt: skip
def test_durability_sets_how_commits_reach_the_disk(
    path: Path, durability: str, expected: int
) -> None:
    """All levels write ahead; ``sync`` also waits for the disk at each commit."""
    with closing(SqliteLedger(path, durability=durability)) as ledger:  # type: ignore[arg-type]
        writer = ledger._database._writer
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (expected,)


@pytest.mark.parametrize(("code", "kind", "words"), [
    (sqlite3.SQLITE_IOERR_FSYNC, LedgerError, "disk reported an error"),
    (sqlite3.SQLITE_BUSY_RECOVERY, LedgerBusyError, "busy timeout"),
    (sqlite3.SQLITE_CORRUPT_INDEX, LedgerCorruptError, "damaged"),
    (sqlite3.SQLITE_PERM, LedgerError, "may not be opened"),
    (sqlite3.SQLITE_TOOBIG, LedgerError, "larger than SQLite can keep"),
    (sqlite3.SQLITE_MISUSE, LedgerError, "Please report this"),
])  # fmt: skip
def test_every_error_of_the_driver_has_a_reason_and_advice(
    code: int, kind: type[LedgerError], words: str
) -> None:
    """Extended codes count as their primary code, and the error survives pickling."""
    cause = sqlite3.OperationalError("as SQLite says it")
    cause.sqlite_errorcode = code
    error = translate(cause, "caudal.db")
    assert type(error) is kind
    assert words in str(error)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))  # noqa: S301 - its own


def test_an_error_of_the_binding_has_a_reason_too() -> None:
    """Errors without a code, such as the driver's own, are ledger errors as well."""
    error = translate(sqlite3.ProgrammingError("wrong thread"), "caudal.db")
    assert "wrong thread" in str(error)


def test_a_long_batch_of_logs_is_written_whole(path: Path) -> None:
    """More lines than a statement takes are written in order."""
    with closing(SqliteLedger(path)) as ledger:
        run = SampleRun().start(ledger)
        batch = run.batch()
        batch.logs += [LogRow(START, 20, "a", str(n), run.id) for n in range(2000)]
        ledger.commit(batch)
        lines = ledger.logs(flow_run_id=run.id, limit=5000)
        assert [log.message for _, log in lines] == [str(n) for n in range(2000)]
