"""Results in an object store: the store's promises, and what goes wrong, with the real client and an S3 server."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from obstore.store import from_url

from caudal import flow, task
from caudal.app import make_engine
from caudal.cache_policies import INPUTS
from caudal.engine.composition import use_engine
from caudal.exceptions import (
    ConfigurationError,
    MissingResult,
    ResultCorruptedError,
    ResultLostError,
    StorageError,
)
from caudal.filesystems import RemoteFileSystem
from caudal.results import ResultStore
from caudal.settings import temporary_settings
from caudal.storage import objects
from caudal.storage.objects import ObjectStore
from caudal.task_runners import ProcessPoolTaskRunner
from tests.integration.objects.conftest import BUCKET, s3_server
from tests.unit.storage.test_stores import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def store(s3: str) -> ObjectStore:
    """Give an empty store."""
    return ObjectStore(s3)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client give up at once."""
    monkeypatch.setattr(objects, "_RETRIES", {"max_retries": 0})


def named(s3: str) -> list[str]:
    """Return the names of all objects in a place."""
    client: Any = from_url(s3, client_options={"allow_http": True})
    return sorted(each["path"] for page in obstore.list(client) for each in page)


def test_what_is_written_can_be_read_replaced_and_deleted(store: ObjectStore) -> None:
    """The store keeps the promises of its port."""
    assert not store.exists("k")
    store.write("k", b"one")
    store.write("k", b"")
    assert store.exists("k")
    assert store.read("k") == b""
    store.delete("k")
    store.delete("k")
    assert not store.exists("k")
    with pytest.raises(ResultLostError, match="refresh_cache=True") as caught:
        store.read("k")
    assert isinstance(caught.value, MissingResult)


def test_any_text_is_a_key_of_its_own(store: ObjectStore, s3: str) -> None:
    """Keys do not meet, and none leaves the prefix; plain ones are the objects' names."""
    for number, key in enumerate(KEYS):
        store.write(key, str(number).encode())
    assert [store.read(key) for key in KEYS] == [
        str(number).encode() for number in range(len(KEYS))
    ]
    assert len(named(s3)) == len(KEYS)
    store.write("2026/june.json", b"")
    assert store.location("2026/june.json") == f"{s3}/2026/june.json"
    assert "2026/june.json" in named(s3)
    with pytest.raises(StorageError, match="empty"):
        store.read("")


def test_a_pickled_store_is_the_same_place(store: ObjectStore) -> None:
    """It travels to other processes without its connection."""
    store.write("k", b"value")
    again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert again.read("k") == b"value"


def test_tasks_keep_their_results_in_a_bucket(s3: str) -> None:
    """What one ledger's runs have computed another's take from there."""
    calls: list[int] = []

    @task(cache_policy=INPUTS, result_storage=s3)
    def work(value: int) -> dict[str, int]:
        calls.append(value)
        return {"value": value}

    @flow
    def around() -> list[dict[str, int]]:
        return work.map([1, 2, 1]).result()

    assert sorted(each["value"] for each in around()) == [1, 1, 2]
    around()
    assert sorted(set(calls)) == [1, 2]
    assert len(named(s3)) == 2
    (name, *_) = named(s3)
    about, _, value = bytes(ObjectStore(s3).read(name)).partition(b"\n")
    assert json.loads(about)["key"] == name
    assert b"value" in value


def test_a_bucket_serves_flows_coroutines_and_worker_processes(s3: str) -> None:
    """Whoever runs the task, its result is there."""

    @task
    def plain(value: int) -> int:
        return value

    @task
    async def coroutine(value: int) -> int:
        return value

    @flow(result_storage=s3)
    async def on_loop() -> int:
        return await coroutine(1) + plain(2)

    @flow(result_storage=RemoteFileSystem(s3), task_runner=ProcessPoolTaskRunner(max_workers=1))  # fmt: skip
    def in_processes() -> int:
        return plain.submit(3).result()

    assert asyncio.run(on_loop()) == 3
    assert in_processes() == 3
    assert len(named(s3)) == 5


def test_results_are_read_and_written_by_hand(s3: str) -> None:
    """A result store and a file system of the bucket do the same."""
    store = ResultStore(result_storage=s3, cache_result_in_memory=False)
    store.write([1, 2], "folder/list")
    assert store.read("folder/list").result == [1, 2]
    files = RemoteFileSystem(s3)
    assert files.write_path("a", b"1") == f"{s3}/a"
    assert files.read_path("a") == b"1"
    assert files.exists("folder/list")
    files.delete_path("a")
    assert not files.exists("a")

    async def main() -> bytes:
        anything: Any = files
        await anything.write_path("b", b"2")
        await anything.awrite_path("b", b"3")
        assert await anything.aread_path("b") == b"3"
        return await anything.read_path("b")

    assert asyncio.run(main()) == b"3"


def test_all_large_results_can_go_to_a_bucket(s3: str) -> None:
    """With the setting, small ones stay in the ledger, and no task need say anything."""
    work = task(lambda size: "x" * size, name="work", cache_policy=INPUTS)
    with temporary_settings({"results_storage_url": s3}):
        engine = make_engine()
        with use_engine(engine):
            assert [len(work(size)) for size in (10, 20_000)] == [10, 20_000]
            assert work(20_000, return_state=True).name == "Cached"
        engine.close()
    assert len(named(s3)) == 1


def test_a_damaged_object_is_noticed(s3: str) -> None:
    """The checksum beside the value tells."""
    store = ResultStore(result_storage=s3, cache_result_in_memory=False)
    store.write("value", "k")
    raw = ObjectStore(s3)
    raw.write("k", raw.read("k").replace(b'"value"', b'"other"'))
    with pytest.raises(ResultCorruptedError):
        store.read("k")


@pytest.mark.parametrize(
    "names",
    [
        {"endpoint": "ADDRESS", "access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"},
        {"key": "a", "secret": "b", "client_kwargs": {"endpoint_url": "ADDRESS", "region_name": "us-east-1"}},
    ],
)  # fmt: skip
def test_settings_may_be_given_under_either_library_s_names(
    address: str, names: dict[str, Any]
) -> None:
    """The client's own and those of fsspec; the environment need not say anything."""
    settings = json.loads(json.dumps(names).replace("ADDRESS", address))
    files = RemoteFileSystem(f"s3://{BUCKET}/by-settings", settings)
    files.write_path("k", b"1")
    assert files.read_path("k") == b"1"
    assert "'b'" not in repr(files)


def test_a_wrong_bucket_is_named_before_the_work_is_done(s3: str) -> None:
    """A missing bucket is not taken for a missing result."""
    assert s3
    calls: list[int] = []

    @task(result_storage="s3://nowhere/x", result_storage_key="k")
    def work(value: int) -> None:
        calls.append(value)

    with pytest.raises(StorageError, match=r"no such bucket.*Create the bucket of 's3://nowhere/x'") as caught:  # fmt: skip
        work(1)
    assert not isinstance(caught.value, ResultLostError)
    assert calls == []
    with pytest.raises(StorageError, match="no such bucket"):
        ObjectStore("s3://nowhere").write("k", b"")


@pytest.mark.usefixtures("_impatient")
def test_without_credentials_the_error_says_which_to_set(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has none to give is told apart from a server that cannot be reached."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"no credentials.*AWS_ACCESS_KEY_ID"):
        ObjectStore(s3).read("k")


@pytest.fixture
def strict_address() -> Iterator[str]:
    """Give the address of a server that knows no user after its bucket was made."""
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="1") as address:
        yield address


def test_wrong_credentials_are_not_allowed_in(
    s3: str, strict_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what the server said, and what to check."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", strict_address)
    with pytest.raises(StorageError, match=r"not allowed.*Check the credentials"):
        ObjectStore(s3).read("k")


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_cannot_be_reached_is_an_error_of_ours(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task fails, and its function is not called."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    state = task(lambda: 1, name="work", result_storage=s3)(return_state=True)
    assert state.is_failed()
    with pytest.raises(StorageError, match="can be reached"):
        state.result()


def test_settings_that_nobody_knows_are_refused(s3: str) -> None:
    """The error names them, without their values."""
    files = RemoteFileSystem(s3, {"colour": "hunter2"})
    with pytest.raises(ConfigurationError, match="'colour'") as caught:
        files.read_path("k")
    assert "hunter2" not in str(caught.value)


def test_without_the_extra_the_error_says_how_to_install_it() -> None:
    """Nothing else needs it: the place may be named, and is refused when it is used."""
    program = (
        "import sys; sys.modules['obstore'] = None\n"
        "from caudal.filesystems import RemoteFileSystem\n"
        "RemoteFileSystem('s3://b/x').read_path('k')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "pip install 'caudal[objects]'" in done.stderr.splitlines()[-1]
