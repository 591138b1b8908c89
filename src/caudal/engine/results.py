"""Keeps results for later, found again by key.

Small ones are kept in the ledger, large ones in the store of all results. A flow or task may name a *place* of its own: its results
then go there whatever their size, each with its record, so that whoever has the place finds them without this ledger.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from caudal.clock import timestamp
from caudal.exceptions import MissingResult, ResultLostError
from caudal.settings import get_current_settings
from caudal.storage.records import pack, unpack
from caudal.storage.results import decode, encode
from caudal.storage.serializers import resolve_serializer

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.journal import Journal
    from caudal.ledger.port import Batch, Ledger
    from caudal.model.results import StoredResult
    from caudal.model.runs import Fence
    from caudal.storage.port import BlobStore


class Owner(Protocol):
    """A flow run that results belong to."""

    id: bytes | None
    #: Proof that this process owns it.
    fence: Fence


class Place(NamedTuple):
    """Where the results of a flow or task are kept."""

    #: The values; None is the ledger for small ones and the store of all results for large ones.
    values: BlobStore | None = None
    #: The records, apart from the values; None is beside the values, or in the ledger.
    records: BlobStore | None = None


#: Where results are kept whose flow or task names no place.
USUAL = Place()


class Results:
    """Stores and finds results.

    Args:
        ledger: Where stored results are recorded, and small ones kept.
        journal: Writes the records.
        store: Where large results are kept.
        open_storage: Makes a store of what was given as ``result_storage`` or ``key_storage``.
    """

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        store: BlobStore,
        *,
        open_storage: Callable[[Any], BlobStore],
    ) -> None:
        self._ledger, self._journal, self._store = ledger, journal, store
        self._open_storage = open_storage
        #: Stores by the identity of what was given; that is kept too, so that the identity stays its own.
        self._opened: dict[int, tuple[Any, BlobStore]] = {}
        #: Results on their way into the ledger: a look-up must find them at once.
        self._underway: dict[str, StoredResult] = {}
        self._lock = threading.Lock()

    def place(self, storage: Any, key_storage: Any = None) -> Place:
        """Return the place that options of a flow, task or cache policy name.

        Args:
            storage: What was given as ``result_storage``; None is where all results are kept.
            key_storage: What was given as a policy's ``key_storage``; None is beside the results.

        Raises:
            ConfigurationError: One of them is no place for results, or needs what is not installed.
        """
        if storage is None and key_storage is None:
            return USUAL
        return Place(self._opened_store(storage), self._opened_store(key_storage))

    def _opened_store(self, given: Any) -> BlobStore | None:
        if given is None:
            return None
        found = self._opened.get(id(given))
        if found is None:
            found = given, self._open_storage(given)
            self._opened[id(given)] = found
        return found[1]

    def write(
        self,
        value: Any,
        key: str,
        *,
        scope: Owner | None = None,
        serializer: Any = None,
        expiration: float | None = None,
        place: Place = USUAL,
    ) -> StoredResult:
        """Store a value and return its record; readable at once in this process, elsewhere when the journal has written it.

        Args:
            value: The value.
            key: Where to find it again.
            scope: The flow run that it belongs to; a process that lost the flow run replaces no result.
            serializer: Name or instance; None leaves it to the settings.
            expiration: Seconds for which it may be used; None is for ever.
            place: Where to keep it.

        Raises:
            SerializationError: The value cannot be serialized.
            StorageError: It cannot be written.
        """
        now, settings = timestamp(), get_current_settings()
        stored = encode(
            value,
            key=key,
            serializer=resolve_serializer(
                serializer or settings.results_default_serializer
            ),
            inline_limit=None if place.values else settings.results_inline_limit_bytes,
            store=self._store,
            now=now,
            expires_at=None if expiration is None else now + expiration,
        )
        if place is not USUAL:
            stored = _put(stored, place)
        with self._lock:
            self._underway[key] = stored
        self._journal.put(_ResultItem(self, stored, scope))
        return stored

    def find(self, key: str, place: Place = USUAL) -> StoredResult | None:
        """Return the record of a result that may be used now, or None.

        Raises:
            CaudalError: The place cannot be read, or what is there is no record.
        """
        if place is USUAL:
            stored = self._underway.get(key) or self._ledger.result(key)
        else:
            stored = _get(key, place)
        return None if stored is None or stored.is_expired(timestamp()) else stored

    def read(self, stored: StoredResult, place: Place = USUAL) -> Any:
        """Return the value of a record.

        Raises:
            MissingResult: It is gone.
            ResultCorruptedError: It is not what was written.
        """
        if stored.inline is None and place.values is not None:
            stored = _whole(stored.key, place)
        return decode(stored, self._store)

    def load(self, key: str, place: Place = USUAL) -> Any:
        """Return the value stored under a key.

        Raises:
            MissingResult: There is none, or it has expired.
        """
        stored = self.find(key, place)
        if stored is None:
            raise MissingResult(f"key {key!r}")
        return self.read(stored, place)

    def note(self, stored: StoredResult, scope: Owner, place: Place) -> None:
        """Have the ledger know a result that was found in a place, for those who read the record of the run that takes it."""
        if place.values is None or self.find(stored.key) is not None:
            return
        location = place.values.location(stored.key)
        known = replace(stored, inline=None, location=location)
        self._journal.put(_ResultItem(self, known, scope))

    def load_recorded(self, key: str) -> Any:
        """Return the value that a run on record stored, expired or not, from the place that its flow or task named.

        Raises:
            MissingResult: It is gone, or this process cannot find the place from its record.
        """
        stored = self._underway.get(key) or self._ledger.result(key)
        if stored is None:
            raise MissingResult(f"key {key!r}")
        try:
            return self.read(stored)
        except ResultLostError:
            folder, found, _ = (stored.location or "").rpartition(f"/{key}")
            if not found:
                raise
        values = self._open_storage(folder)
        return decode(_beside(stored, values.read(key)), values)

    def written(self, stored: StoredResult) -> None:
        """Learn that the ledger takes the record over."""
        with self._lock:
            if self._underway.get(stored.key) is stored:
                del self._underway[stored.key]


class StoredValue:
    """A result that is read from where it is stored when it is asked for."""

    __slots__ = ("_place", "_results", "stored")

    is_stored = True

    stored: StoredResult

    def __init__(
        self, results: Results, stored: StoredResult, place: Place = USUAL
    ) -> None:
        if place.values is not None:  # which is where the value is, not here
            stored = replace(stored, inline=None)
        self._results, self.stored, self._place = results, stored, place

    def get(self) -> Any:
        """Return the value; see ``Results.read``."""
        return self._results.read(self.stored, self._place)


def _put(stored: StoredResult, place: Place) -> StoredResult:
    """Write a result to a place and return its record as the ledger keeps it: without a value that is elsewhere."""
    key, data = stored.key, stored.inline
    if place.values is None:
        assert place.records is not None, "that is the usual place"
        place.records.write(key, pack(stored))
        return stored
    elsewhere = replace(stored, inline=None, location=place.values.location(key))
    if place.records is None:
        place.values.write(key, pack(stored))
    else:  # the value first: a record always has one
        place.values.write(key, data or b"")
        place.records.write(key, pack(elsewhere))
    return elsewhere


def _get(key: str, place: Place) -> StoredResult | None:
    """Return the record that a place holds, with its value where that is beside it."""
    keeper = place.records or place.values
    assert keeper is not None, "that is the usual place"
    try:
        return unpack(keeper.read(key))
    except ResultLostError:
        return None


def _whole(key: str, place: Place) -> StoredResult:
    """Return what a place for values holds under a key, record and value.

    Raises:
        MissingResult: It is gone.
    """
    assert place.values is not None, "only a place for values has them"
    if place.records is None:
        return unpack(place.values.read(key))
    return replace(unpack(place.records.read(key)), inline=place.values.read(key))


def _beside(stored: StoredResult, data: bytes) -> StoredResult:
    """Return a record with its value, given what a place holds: the value alone, or its record and the value."""
    if hashlib.sha256(data).hexdigest() == stored.sha256:
        return replace(stored, inline=data)
    return unpack(data)


class _ResultItem:
    """A result's record on its way into the ledger."""

    __slots__ = ("_results", "_scope", "_stored")

    def __init__(
        self, results: Results, stored: StoredResult, scope: Owner | None
    ) -> None:
        self._results, self._stored, self._scope = results, stored, scope

    def collect(self, batch: Batch) -> None:
        """Add the record to a batch."""
        batch.results.append(self._stored)
        scope = self._scope
        if scope is not None and scope.id is not None:
            batch.result_owners[self._stored.key] = scope.id
            batch.fences[scope.id] = scope.fence
        batch.after.append(self._written)

    def _written(self) -> None:
        self._results.written(self._stored)
