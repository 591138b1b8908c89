"""Results by hand: stores and records."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import clock, flow, task
from caudal.engine.composition import close_engine
from caudal.exceptions import (
    ConfigurationError,
    DeserializationError,
    MissingResult,
    SerializationError,
)
from caudal.locking import MemoryLockManager
from caudal.results import (
    ResultRecord,
    ResultStore,
    get_result_store,
    resolve_result_storage,
    should_persist_result,
)
from caudal.serializers import JSONSerializer, PickleSerializer
from caudal.settings import temporary_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(params=["usual", "folder", "apart"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    """Give a store of each kind of place, without a memory."""
    storage = {
        "usual": {},
        "folder": {"result_storage": tmp_path / "values"},
        "apart": {"result_storage": tmp_path / "values", "metadata_storage": tmp_path / "records"},
    }[request.param]  # fmt: skip
    return ResultStore(cache_result_in_memory=False, **storage)


def test_what_is_written_can_be_read_after_the_process(store: ResultStore) -> None:
    """A result is durable when ``write`` returns, with what is known of it."""
    until = clock.now() + timedelta(hours=1)
    assert not store.exists("k")
    store.write({"rows": 5}, "k", until)
    close_engine()

    record = store.read("k")

    assert store.exists("k")
    assert record.result == {"rows": 5}
    assert record.metadata.storage_key == "k"
    assert record.expiration is not None
    assert abs(record.expiration - until) < timedelta(milliseconds=1)
    assert record.serializer == JSONSerializer()


def test_writing_again_replaces(store: ResultStore) -> None:
    """The last result under a key counts."""
    store.write(1, "k")
    store.write(2, "k")
    assert store.read("k").result == 2


def test_what_is_missing_or_expired_is_not_there(store: ResultStore) -> None:
    """An expired result is as good as none."""
    store.write(1, "old", clock.now() - timedelta(seconds=1))
    for key in ("old", "never"):
        assert not store.exists(key)
        with pytest.raises(MissingResult, match=f"no result under the key '{key}'"):
            store.read(key)


def test_an_expiration_without_a_zone_is_in_utc(store: ResultStore) -> None:
    """As in Prefect."""
    now = clock.now().replace(tzinfo=None)
    store.write(1, "now", now + timedelta(minutes=5))
    store.write(1, "old", now - timedelta(minutes=5))
    assert (store.exists("now"), store.exists("old")) == (True, False)


def test_within_a_coroutine_the_methods_are_awaited(store: ResultStore) -> None:
    """The plain names return awaitables there, and their twins always do."""

    async def main() -> Any:
        anything: Any = store
        await anything.write(1, "a")
        await anything.awrite(2, "b")
        await anything.apersist_result_record(store.create_result_record(3, "c"))
        return [(await anything.read(key)).result for key in "abc"], await anything.aexists("a")  # fmt: skip

    assert asyncio.run(main()) == ([1, 2, 3], True)


def test_a_store_remembers_what_it_wrote_unless_told_otherwise() -> None:
    """The very object comes back; a store without memory gives an equal one."""
    value = {"a": 1}
    remembering = ResultStore()
    remembering.write(value, "k")
    assert remembering.read("k").result is value
    assert ResultStore(cache_result_in_memory=False).read("k").result is not value


def test_without_a_key_the_store_makes_one() -> None:
    """Its function is asked."""
    store = ResultStore(storage_key_fn=lambda: "made")
    store.write(1)
    assert store.read("made").result == 1


def test_the_serializer_is_the_stores() -> None:
    """Its bytes are what the record says; what it cannot take is refused."""
    store = ResultStore(serializer="pickle", cache_result_in_memory=False)
    store.write((1, 2), "k")
    assert store.read("k").serializer == PickleSerializer()
    with pytest.raises(SerializationError):
        ResultStore(serializer="json").write(object(), "no")


def test_a_record_is_one_text_of_bytes() -> None:
    """Serialized and read back, a record is equal; other bytes are refused."""
    record = ResultStore().create_result_record([1, 2], "k", clock.now())
    again = ResultRecord[Any].deserialize(record.serialize())
    assert (again.result, again.metadata.storage_key) == ([1, 2], "k")
    assert again.expiration == record.expiration
    with pytest.raises(DeserializationError, match="no record"):
        ResultRecord[Any].deserialize(b"anything")


def test_a_key_that_another_holder_locked_is_not_written() -> None:
    """The holder may write, others may not."""
    store = ResultStore(lock_manager=MemoryLockManager())
    assert store.acquire_lock("k", "one")
    assert store.is_locked("k")
    assert store.is_lock_holder("k", "one")
    with pytest.raises(RuntimeError, match="'one' has its lock"):
        store.write(1, "k", holder="two")
    store.write(1, "k", holder="one")
    assert not store.wait_for_lock("k", 0.01)
    store.release_lock("k", "one")
    store.write(2, "k", holder="two")
    assert store.wait_for_lock("k")


def test_locks_need_a_lock_manager() -> None:
    """The error says which there are."""
    with pytest.raises(ConfigurationError, match="FileSystemLockManager"):
        ResultStore().acquire_lock("k")


def test_the_store_of_a_run_is_where_its_results_are(tmp_path: Path) -> None:
    """A task's store has its options, and for the rest those of its flow."""

    @task(result_serializer="json", cache_result_in_memory=False)
    def of_task() -> Any:
        store = get_result_store()
        return (
            store.result_storage,
            store.serializer.name,
            store.cache_result_in_memory,
        )

    @flow(result_storage=tmp_path, result_serializer="pickle")
    def of_flow() -> Any:
        store = get_result_store()
        return [store.result_storage, store.serializer.name], list(of_task())

    assert of_flow() == ([tmp_path, "pickle"], [tmp_path, "json", False])
    assert get_result_store().result_storage is None


def test_whether_results_are_stored_is_known_in_runs_and_outside() -> None:
    """Tasks say it, else their flow, else the settings."""

    @task
    def plain() -> bool:
        return should_persist_result()

    @task(persist_result=False)
    def never() -> bool:
        return should_persist_result()

    @flow(persist_result=True)
    def around() -> list[bool]:
        return [should_persist_result(), plain(), never()]

    assert around() == [True, True, False]
    assert not should_persist_result()
    with temporary_settings({"results_persist_by_default": True}):
        assert should_persist_result()


def test_a_storage_option_is_resolved_as_by_the_engine(tmp_path: Path) -> None:
    """A folder becomes a file system."""
    resolve_result_storage(tmp_path).write_path("a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
