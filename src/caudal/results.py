"""Results by hand: where a run keeps them, and how to read and write one under a key of your own."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections import OrderedDict
from copy import copy
from datetime import UTC
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import uuid4

from caudal import clock
from caudal.engine.composition import current_engine
from caudal.engine.context import current
from caudal.exceptions import ConfigurationError, ResultNotFoundError
from caudal.model.transactions import IsolationLevel
from caudal.settings import get_current_settings
from caudal.storage.result_records import (
    ResultRecord,
    ResultRecordMetadata,
    result_record,
)
from caudal.storage.serializers import Serializer, resolve_serializer
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from caudal.engine.results import Place
    from caudal.filesystems import ResultStorage, WritableFileSystem
    from caudal.flows import Flow
    from caudal.locking import LockManager
    from caudal.tasks import Task

__all__ = [
    "ResultRecord",
    "ResultRecordMetadata",
    "ResultStorage",
    "ResultStore",
    "get_default_persist_setting",
    "get_default_result_serializer",
    "get_result_store",
    "resolve_result_storage",
    "resolve_serializer",
    "should_persist_result",
]

#: Records that a store keeps in memory.
_CACHED = 1000


def __getattr__(name: str) -> Any:
    if name != "ResultStorage":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from caudal.filesystems import ResultStorage  # noqa: PLC0415 - pydantic

    return ResultStorage


def _new_key() -> str:
    return uuid4().hex


class ResultStore:
    """Reads and writes results under keys, in the place where a flow or task keeps them.

    What `write` has written is durable when it returns.

    Args:
        result_storage: Where the values are: a file system, a folder, or a text that ``result_storage=`` of a task understands. By default where all
            results are: in the ledger, large ones in files.
        metadata_storage: Where the records are, likewise; by default beside the values.
        lock_manager: Makes those wait who use one key; needed for transactions with ``IsolationLevel.SERIALIZABLE``.
        cache_result_in_memory: Whether `read` may return what this store has written or read before.
        serializer: How values become bytes; by default as the settings say.
        storage_key_fn: Makes the key where `write` is given none.
    """

    def __init__(
        self,
        result_storage: ResultStorage | None = None,
        metadata_storage: ResultStorage | None = None,
        lock_manager: LockManager | None = None,
        cache_result_in_memory: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
        serializer: Serializer | str | None = None,
        storage_key_fn: Callable[[], str] = _new_key,
    ) -> None:
        self.result_storage = result_storage
        self.metadata_storage = metadata_storage
        self.lock_manager = lock_manager
        self.cache_result_in_memory = cache_result_in_memory
        self.serializer: Serializer = (
            get_default_result_serializer()
            if serializer is None
            else resolve_serializer(serializer)
        )
        self.storage_key_fn = storage_key_fn
        self.cache: OrderedDict[str, ResultRecord[Any]] = OrderedDict()

    async def aexists(self, key: str) -> bool:
        """Say whether there is a result; see `exists`."""
        return await in_thread(self.exists, key)

    @dispatched(aexists)
    def exists(self, key: str) -> bool:
        """Say whether there is a result under a key that may be used now."""
        return current_engine().results.find(key, self._place()) is not None

    async def aread(self, key: str, holder: str | None = None) -> ResultRecord[Any]:
        """Return a result; see `read`."""
        locks = self._foreign_locks(key, holder)
        if locks is not None:
            await locks.await_for_lock(key)
        return await in_thread(self._read, key)

    @dispatched(aread)
    def read(self, key: str, holder: str | None = None) -> ResultRecord[Any]:
        """Return the result under a key; while another holder has the key's lock, wait.

        Args:
            key: The key.
            holder: Who reads; by default a name of this thread.

        Raises:
            ResultNotFoundError: There is none, or it has expired.
            StorageError: It cannot be read.
        """
        locks = self._foreign_locks(key, holder)
        if locks is not None:
            locks.wait_for_lock(key)
        return self._read(key)

    def _foreign_locks(self, key: str, holder: str | None) -> LockManager | None:
        """Return what to ask for the lock of a key, unless it is the holder's own."""
        holder, locks = holder or self.generate_default_holder(), self.lock_manager
        return None if locks is None or locks.is_lock_holder(key, holder) else locks

    def _read(self, key: str) -> ResultRecord[Any]:
        if self.cache_result_in_memory and key in self.cache:
            self.cache.move_to_end(key)
            return self.cache[key]
        results, place = current_engine().results, self._place()
        stored = results.find(key, place)
        if stored is None:
            raise ResultNotFoundError(key)
        return self._remember(result_record(stored, results.read(stored, place)))

    async def awrite(
        self,
        obj: Any,
        key: str | None = None,
        expiration: datetime | None = None,
        holder: str | None = None,
    ) -> None:
        """Write a result; see `write`."""
        holder = holder or self.generate_default_holder()
        await in_thread(self.write, obj, key, expiration, holder)

    @dispatched(awrite)
    def write(
        self,
        obj: Any,
        key: str | None = None,
        expiration: datetime | None = None,
        holder: str | None = None,
    ) -> None:
        """Write a result, replacing the one under the same key.

        Args:
            obj: The value.
            key: Where to find it again; by default what ``storage_key_fn`` makes.
            expiration: From when it may not be used any more, in UTC where it names no zone; None is never.
            holder: Who writes; by default a name of this thread.

        Raises:
            SerializationError: The value cannot be serialized.
            StorageError: It cannot be written.
            RuntimeError: Another holder has the key's lock.
        """
        record = self.create_result_record(obj, key, expiration)
        self.persist_result_record(record, holder)

    def create_result_record(
        self, obj: Any, key: str | None = None, expiration: datetime | None = None
    ) -> ResultRecord[Any]:
        """Return the record of a value, not yet written; see `write`."""
        if expiration is not None and expiration.tzinfo is None:
            expiration = expiration.replace(tzinfo=UTC)
        about = ResultRecordMetadata(
            key or self.storage_key_fn(), expiration, self.serializer
        )
        return ResultRecord(obj, about)

    async def apersist_result_record(
        self, result_record: ResultRecord[Any], holder: str | None = None
    ) -> None:
        """Write a record; see `persist_result_record`."""
        holder = holder or self.generate_default_holder()
        await in_thread(self.persist_result_record, result_record, holder)

    @dispatched(apersist_result_record)
    def persist_result_record(
        self, result_record: ResultRecord[Any], holder: str | None = None
    ) -> None:
        """Write a record; see `write`."""
        key, locks = result_record.metadata.storage_key, self.lock_manager
        taken_by = None if locks is None else locks.holder_of(key)
        if taken_by not in {None, holder or self.generate_default_holder()}:
            raise RuntimeError(
                f"the result {key!r} cannot be written: {taken_by!r} has its lock. Acquire the lock first, and give its holder."
            )
        until = result_record.expiration
        engine = current_engine()
        engine.results.write(
            result_record.result,
            key,
            serializer=result_record.serializer,
            expiration=None if until is None else (until - clock.now()).total_seconds(),
            place=self._place(),
        )
        engine.journal.barrier().wait()
        self._remember(result_record)

    def update_for_flow(self, flow: Flow[..., Any]) -> Self:
        """Return a store with what a flow says about its results."""
        given = flow.options
        return self._changed(
            result_storage=given["result_storage"],
            serializer=_serializer(given["result_serializer"]),
            cache_result_in_memory=given["cache_result_in_memory"],
        )

    def update_for_task(self, task: Task[..., Any]) -> Self:
        """Return a store with what a task and its cache policy say about its results."""
        given, policy = task.options, task.spec.cache_policy
        return self._changed(
            result_storage=given["result_storage"],
            metadata_storage=policy and policy.key_storage,
            lock_manager=policy and policy.lock_manager,
            serializer=_serializer(given["result_serializer"]),
            cache_result_in_memory=given["cache_result_in_memory"],
        )

    def supports_isolation_level(self, level: IsolationLevel) -> bool:
        """Say whether transactions of an isolation level can use this store."""
        return (
            IsolationLevel(level) is not IsolationLevel.SERIALIZABLE
            or self.lock_manager is not None
        )

    def acquire_lock(
        self, key: str, holder: str | None = None, timeout: float | None = None
    ) -> bool:
        """Wait for the lock of a key and take it; False when that took longer than ``timeout`` seconds."""
        holder = holder or self.generate_default_holder()
        return self._locks().acquire_lock(key, holder, timeout)

    async def aacquire_lock(
        self,
        key: str,
        holder: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the manager decides how to wait
    ) -> bool:
        """Wait for the lock of a key and take it; see `acquire_lock`."""
        holder = holder or self.generate_default_holder()
        return await self._locks().aacquire_lock(key, holder, timeout)

    def release_lock(self, key: str, holder: str | None = None) -> None:
        """Release the lock of a key.

        Raises:
            ValueError: The holder does not have it.
        """
        self._locks().release_lock(key, holder or self.generate_default_holder())

    def is_locked(self, key: str) -> bool:
        """Say whether somebody has the lock of a key."""
        return self._locks().is_locked(key)

    def is_lock_holder(self, key: str, holder: str | None = None) -> bool:
        """Say whether a holder has the lock of a key."""
        return self._locks().is_lock_holder(
            key, holder or self.generate_default_holder()
        )

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until the lock of a key is free; False when that took longer than ``timeout`` seconds."""
        return self._locks().wait_for_lock(key, timeout)

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the manager decides how to wait
        """Wait until the lock of a key is free; see `wait_for_lock`."""
        return await self._locks().await_for_lock(key, timeout)

    @staticmethod
    def generate_default_holder() -> str:
        """Return a name for who calls: machine, process, thread, and coroutine where it is one."""
        thread = threading.current_thread()
        parts = [socket.gethostname(), os.getpid(), thread.ident, thread.name]
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - exported, for this
            parts.append(id(asyncio.current_task()))
        return ":".join(map(str, parts))

    def _place(self) -> Place:
        return current_engine().results.place(
            self.result_storage, self.metadata_storage
        )

    def _locks(self) -> LockManager:
        if self.lock_manager is None:
            raise ConfigurationError(
                "this result store has no locks. Make it with lock_manager=MemoryLockManager() for the threads of one process, "
                "or lock_manager=FileSystemLockManager(folder) for several processes."
            )
        return self.lock_manager

    def _remember(self, record: ResultRecord[Any]) -> ResultRecord[Any]:
        if self.cache_result_in_memory and record.expiration is None:
            self.cache[record.metadata.storage_key] = record
            if len(self.cache) > _CACHED:
                self.cache.popitem(last=False)
        return record

    def _changed(self, **given: Any) -> Self:
        changed = copy(self)
        changed.cache = OrderedDict()
        for name, value in given.items():
            if value is not None:
                setattr(changed, name, value)
        return changed


def get_result_store() -> ResultStore:
    """Return a store for where the run in charge keeps its results; outside of runs, where all results are."""
    store, run = ResultStore(), current.get()
    if run is None:
        return store
    scope = cast("Any", run.scope)
    store.result_storage = scope.storage
    if scope.spec is not None and scope.spec.serializer is not None:
        store.serializer = resolve_serializer(scope.spec.serializer)
    return store if run is scope else store.update_for_task(run.spec.decorated)


def should_persist_result() -> bool:
    """Say whether the run in charge stores its result; outside of runs, whether runs do that do not say."""
    run = current.get()
    if run is None:
        return get_default_persist_setting()
    if run is not run.scope and run.spec.persist is not None:
        return run.spec.persist
    return run.scope.persist


def get_default_persist_setting() -> bool:
    """Say whether results of flows and tasks are stored that do not say."""
    return get_current_settings().results_persist_by_default


def get_default_result_serializer() -> Serializer:
    """Return the serializer for results of flows and tasks that name none."""
    return resolve_serializer(get_current_settings().results_default_serializer)


def resolve_result_storage(result_storage: ResultStorage) -> WritableFileSystem:
    """Return the file system that a ``result_storage`` option stands for; see ``caudal.filesystems.resolve_storage``."""
    from caudal.filesystems import resolve_storage  # noqa: PLC0415 - pydantic

    return resolve_storage(result_storage)


def _serializer(given: Any) -> Serializer | None:
    return None if given is None else resolve_serializer(given)
