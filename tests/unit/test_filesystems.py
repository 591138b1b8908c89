"""File systems for results: folders, and what users make themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from caudal import task
from caudal.engine.composition import current_engine
from caudal.exceptions import (
    BlockNotFound,
    ConfigurationError,
    ResultLostError,
    StorageError,
)
from caudal.filesystems import (
    LocalFileSystem,
    RemoteFileSystem,
    WritableFileSystem,
    resolve_storage,
)
from caudal.storage.filesystem import FileSystemStore


def test_a_folder_keeps_files_under_their_paths(tmp_path: Path) -> None:
    """What is written below the folder is found there, by path, and can be replaced and deleted."""
    files = LocalFileSystem(tmp_path / "made later")
    written = files.write_path("2026/june.json", b"one")
    files.write_path("2026/june.json", b"two")

    assert Path(written) == tmp_path / "made later/2026/june.json"
    assert files.read_path("2026/june.json") == b"two"
    assert files.exists("2026/june.json")
    files.delete_path("2026/june.json")
    assert not files.exists("2026/june.json")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_without_a_folder_it_is_the_working_directory_at_that_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without a base path follows the process."""
    files = LocalFileSystem()
    monkeypatch.chdir(tmp_path)
    files.write_path("here", b"x")
    assert (tmp_path / "here").read_bytes() == b"x"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "~/x"])
def test_a_path_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, path: str
) -> None:
    """Neither reading nor writing leaves the folder."""
    files = LocalFileSystem(tmp_path / "base")
    with pytest.raises(ValueError, match="outside"):
        files.read_path(path)
    with pytest.raises(ValueError, match="outside"):
        files.write_path(path, b"x")


def test_what_is_no_file_cannot_be_read_or_overwritten(tmp_path: Path) -> None:
    """A missing file and a folder are told apart; as a store, a missing file is a lost result."""
    (tmp_path / "folder").mkdir()
    files = LocalFileSystem(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        files.read_path("missing")
    with pytest.raises(ValueError, match="is not a file"):
        files.read_path("folder")
    with pytest.raises(ValueError, match="is not a file"):
        files.write_path("folder", b"x")
    with pytest.raises(ResultLostError, match="nothing is kept there"):
        FileSystemStore(files).read("missing")


def test_within_a_coroutine_the_methods_are_awaited(tmp_path: Path) -> None:
    """The plain names return awaitables there, and their twins always do."""

    async def main() -> Any:
        files: Any = LocalFileSystem(tmp_path)
        await files.write_path("a", b"1")
        await files.awrite_path("b", b"2")
        return await files.aread_path("a"), await files.read_path("b")

    assert asyncio.run(main()) == (b"1", b"2")


class Slow(WritableFileSystem):
    """Keeps files in memory, with coroutines."""

    kept: dict[str, bytes] = {}  # noqa: RUF012 - a field

    async def read_path(self, path: str) -> bytes:
        """Return what is kept."""
        await asyncio.sleep(0)
        if path not in self.kept:
            raise FileNotFoundError(path)
        return self.kept[path]

    async def write_path(self, path: str, content: bytes) -> None:
        """Keep it."""
        await asyncio.sleep(0)
        self.kept[path] = content


class Broken(WritableFileSystem):
    """Cannot be reached."""

    def read_path(self, path: str) -> bytes:
        """Fail."""
        raise ConnectionError(f"no route to {path}")

    def write_path(self, path: str, content: bytes) -> None:
        """Fail."""
        raise ConnectionError(f"no route to {path} for {content!r}")


def test_a_file_system_of_coroutines_is_a_store_in_and_out_of_event_loops() -> None:
    """The engine reads and writes through plain calls, wherever it does."""
    store = FileSystemStore(Slow())

    def use() -> tuple[bool, bytes]:
        store.write("k", b"value")
        store.delete("k")  # which it cannot, and so keeps it
        return store.exists("missing"), store.read("k")

    async def main() -> tuple[bool, bytes]:
        return use()

    assert use() == (False, b"value")
    assert asyncio.run(main()) == (False, b"value")


def test_a_file_system_that_fails_is_named_with_what_it_said() -> None:
    """Errors of other libraries come out as one of ours, and are not taken for a missing value."""
    store = FileSystemStore(Broken())
    with pytest.raises(StorageError, match="ConnectionError: no route to k") as caught:
        store.read("k")
    assert not isinstance(caught.value, ResultLostError)
    with pytest.raises(StorageError, match="could not write"):
        store.write("k", b"")


def test_folders_are_given_as_paths_or_text(tmp_path: Path) -> None:
    """A path, a text and a file URL stand for the same folder; a file system for itself."""
    same = LocalFileSystem(tmp_path)
    assert resolve_storage(tmp_path) == same
    assert resolve_storage(str(tmp_path)) == same
    assert resolve_storage(f"file://{tmp_path}") == same
    assert resolve_storage(same) is same


@pytest.mark.parametrize("given", [5, object(), Slow, "gopher://hole/x", "s3://", None])
def test_what_is_no_place_for_results_is_refused(given: Any) -> None:
    """The error says what was given and what can be."""
    with pytest.raises(ConfigurationError, match=r"Give a (folder|URL)"):
        resolve_storage(given)


class Other:
    """Not a block, and no subclass of anything."""

    def read_path(self, path: str) -> bytes:
        """Return the path."""
        return path.encode()

    def write_path(self, path: str, content: bytes) -> None:
        """Lose it."""


def test_anything_that_reads_and_writes_paths_will_do() -> None:
    """No base class is needed."""
    given: Any = Other()
    assert resolve_storage(given) is given


@pytest.mark.usefixtures("engine")
def test_a_saved_file_system_is_named_by_type_and_name(tmp_path: Path) -> None:
    """Its id will do as well; a folder that looks like a name stays one."""
    block_id = LocalFileSystem(tmp_path).save("mine")
    assert _folder_of(resolve_storage("local-file-system/mine")) == str(tmp_path)
    assert _folder_of(resolve_storage(block_id)) == str(tmp_path)  # pyright: ignore[reportArgumentType]
    assert _folder_of(resolve_storage("data/results")) == "data/results"
    with pytest.raises(BlockNotFound, match="local-file-system/none"):
        resolve_storage("local-file-system/none")


@pytest.mark.usefixtures("engine")
def test_a_text_that_may_be_a_misspelt_block_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that would be new may have been meant as a block; one that is there was not."""
    monkeypatch.chdir(tmp_path)
    assert _folder_of(resolve_storage("nosuch/blk")) == "nosuch/blk"
    assert "no block 'nosuch/blk'" in caplog.text
    assert "'./nosuch/blk'" in caplog.text
    caplog.clear()
    (tmp_path / "data").mkdir()
    resolve_storage("data/results")
    resolve_storage("./nosuch/blk")
    assert caplog.text == ""


def _folder_of(files: Any) -> str | None:
    assert isinstance(files, LocalFileSystem)
    return files.basepath


@pytest.mark.usefixtures("engine")
def test_a_block_that_is_not_there_fails_the_task_that_names_it() -> None:
    """The function is not called."""
    work = task(lambda: 1, name="work", result_storage="local-file-system/none")
    state = work(return_state=True)
    with pytest.raises(
        ConfigurationError, match="'local-file-system/none' cannot be used"
    ):
        state.result()


@pytest.mark.usefixtures("engine")
def test_credentials_of_a_bucket_are_not_shown() -> None:
    """They are secrets, in the object and in the ledger, and come back for the client."""
    files = RemoteFileSystem(
        "s3://b/x", {"key": "me", "secret": "hunter2", "region": "r"}
    )
    assert "hunter2" not in repr(files)
    files.save("bucket")
    current_engine().journal.barrier().wait()
    rows = current_engine().ledger.events()
    assert not any(b"hunter2" in each.payload for each in rows)
    again = RemoteFileSystem.load("bucket")
    assert again.settings["secret"].get_secret_value() == "hunter2"
    assert again.settings["region"] == "r"
    assert "hunter2" in again._store._settings.values()
