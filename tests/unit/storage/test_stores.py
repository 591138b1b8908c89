"""Stores of large values: the promises of the port, kept by each store; and what is special to local folders."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.exceptions import MissingResult, ResultLostError, StorageError
from caudal.storage.local import LocalStore
from caudal.storage.memory import MemoryStore

if TYPE_CHECKING:
    from caudal.storage.port import BlobStore

KEYS = [
    "a", "A", "foo/bar {x}", "../../etc/passwd", "/etc/passwd", "..", ".", "a/../b", "C:\\x", "nul\0byte", "\n", " ", "é", "e\u0301", "\ud800",
    "x" * 10_000, "con", "a.", "a_", "a b", "~", ".writing-0", "日本",
]  # fmt: skip


@pytest.fixture(params=["local", "local-fsync", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Give each store in turn."""
    if request.param == "memory":
        return MemoryStore()
    return LocalStore(tmp_path / "results", fsync=request.param == "local-fsync")


def files(base: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in base.rglob("*") if not path.is_dir()]


def test_what_is_written_can_be_read(store: BlobStore) -> None:
    """A value comes back, and exists from then on."""
    assert not store.exists("k")
    store.write("k", b"value")

    assert store.read("k") == b"value"
    assert store.exists("k")


def test_writing_again_replaces(store: BlobStore) -> None:
    """The last value written counts; an empty one is a value."""
    store.write("k", b"one")
    store.write("k", b"")

    assert store.read("k") == b""


def test_a_missing_value_says_what_to_do(store: BlobStore) -> None:
    """Reading what is not there names the key, the place and the way out."""
    with pytest.raises(ResultLostError, match="refresh_cache=True") as caught:
        store.read("weekly")

    assert caught.value.key == "weekly"
    assert isinstance(caught.value, MissingResult)
    assert caught.value.what == "key 'weekly'"
    assert caught.value.location == store.location("weekly")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_deleting_is_final_and_can_be_repeated(store: BlobStore) -> None:
    """A deleted value is gone; deleting nothing is no error."""
    store.write("k", b"value")
    store.delete("k")
    store.delete("k")

    assert not store.exists("k")


def test_no_two_keys_share_a_value(store: BlobStore) -> None:
    """Keys of any text are kept apart, however alike they look."""
    for position, key in enumerate(KEYS):
        store.write(key, str(position).encode())

    assert [str(position).encode() for position in range(len(KEYS))] == [
        store.read(key) for key in KEYS
    ]
    assert (
        len(KEYS)
        == len({store.location(key).casefold() for key in KEYS if key != "A"}) + 1
    )


def test_an_empty_key_is_refused(store: BlobStore) -> None:
    """There must be something to tell values apart by."""
    for call in (
        store.read,
        store.exists,
        store.delete,
        lambda key: store.write(key, b""),
    ):
        with pytest.raises(StorageError, match="the key is empty"):
            call("")


def test_values_stay_inside_the_folder(tmp_path: Path) -> None:
    """No key names a place outside the store, and every file is two folders deep."""
    base = tmp_path / "deep" / "results"
    store = LocalStore(base)
    for key in KEYS:
        store.write(key, b"value")

    assert {base} == {path.parents[2] for path in files(tmp_path)}
    assert len(KEYS) == len(files(tmp_path))


@given(st.text(min_size=1), st.text(min_size=1))
def test_locations_are_safe_and_distinct(one: str, other: str) -> None:
    """File names hold no special characters, are short enough, and differ when keys do."""
    store = LocalStore(Path("/base"))
    name = Path(store.location(one)).name

    assert name.isascii()
    assert len(name) <= 120
    assert not set(name) & set('/\\:*?"<>|\0 ')
    assert not name.startswith(".")
    assert (one == other) == (
        store.location(one).casefold() == store.location(other).casefold()
    )


def test_people_recognise_a_file_by_its_key(tmp_path: Path) -> None:
    """The readable part of a key is in the file's name."""
    assert "sales-week-12" in LocalStore(tmp_path).location("sales-week-12/{region}")


def test_readers_see_whole_values_only(tmp_path: Path) -> None:
    """While two values replace each other, every read gives one of them."""
    store = LocalStore(tmp_path)
    values = {letter * 300_000 for letter in (b"a", b"b")}
    store.write("k", b"a" * 300_000)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for value in values:
                store.write("k", value)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(200):
            assert store.read("k") in values
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert len(files(tmp_path)) == 1


_KILLED = """
import sys
from pathlib import Path
from caudal.storage.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
store.write("k", b"a" * 5_000_000)
print("ready", flush=True)
while True:
    for letter in b"ab":
        store.write("k", bytes([letter]) * 5_000_000)
"""


def test_a_writer_that_is_killed_leaves_a_whole_value(tmp_path: Path) -> None:
    """After SIGKILL in the middle of writing, one of the written values is there, whole."""
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, tmp_path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()

    value = LocalStore(tmp_path).read("k")
    assert (len(value), len(set(value))) == (5_000_000, 1)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from caudal.exceptions import StorageError
from caudal.storage.local import LocalStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = LocalStore(Path(sys.argv[1]))
store.write("k", b"old")
try:
    store.write("k", b"x" * 5000)
except StorageError as error:
    print(error)
print(store.read("k"))
"""


def test_a_write_that_the_system_cuts_short_changes_nothing(tmp_path: Path) -> None:
    """When a file may not grow any more, the old value stays, nothing is left behind, and the error says so."""
    output = subprocess.run(
        [sys.executable, "-c", _LIMITED, tmp_path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "there is no room for it" in output
    assert "CAUDAL_HOME" in output
    assert "b'old'" in output
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "there is no room for it"),
        (errno.EACCES, "it is not allowed"),
        (errno.EROFS, "it is not allowed"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_system_errors_say_what_happened_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    """A full disk, a read-only home and a broken disk each have a message with place and way out."""
    store = LocalStore(tmp_path, fsync=True)

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=what) as caught:
        store.write("k", b"value")

    assert store.location("k") in str(caught.value)
    assert str(tmp_path) in caught.value.advice
    assert isinstance(caught.value.__cause__, OSError)
    assert files(tmp_path) == []


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    """A store whose folder cannot be made fails clearly on every call."""
    (tmp_path / "file").write_text("")
    store = LocalStore(tmp_path / "file")

    for call in (
        store.read,
        store.exists,
        store.delete,
        lambda key: store.write(key, b""),
    ):
        with pytest.raises(StorageError, match=r"Not a directory|File exists"):
            call("k")


def test_a_folder_that_vanishes_while_writing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the folder cannot be made after all, the error is one of writing."""
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)

    with pytest.raises(StorageError, match="could not write"):
        LocalStore(tmp_path / "gone").write("k", b"")


def test_an_interrupt_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a write goes through, and no temporary file stays."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalStore(tmp_path).write("k", b"value")

    assert files(tmp_path) == []
