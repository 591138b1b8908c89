"""Keeps results for later: small ones in the ledger, large ones in a store, found again by key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from caudal.clock import timestamp
from caudal.exceptions import MissingResult
from caudal.storage.results import decode, encode
from caudal.storage.serializers import resolve_serializer

if TYPE_CHECKING:
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


class Results:
    """Stores and finds results.

    Args:
        ledger: Where stored results are recorded, and small ones kept.
        journal: Writes the records.
        store: Where large results are kept.
        default_serializer: Name of the serializer for results that choose none; ``auto`` chooses by type.
        inline_limit: Bytes up to which a result is kept in the ledger.
    """

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        store: BlobStore,
        *,
        default_serializer: str,
        inline_limit: int,
    ) -> None:
        self._ledger, self._journal, self._store = ledger, journal, store
        self._default_serializer, self._inline_limit = default_serializer, inline_limit
        #: Results on their way into the ledger: a look-up must find them at once.
        self._underway: dict[str, StoredResult] = {}
        self._lock = threading.Lock()

    def write(
        self,
        value: Any,
        key: str,
        *,
        scope: Owner | None = None,
        serializer: Any = None,
        expiration: float | None = None,
    ) -> StoredResult:
        """Store a value and return its record; readable at once in this process, elsewhere when the journal has written it.

        Args:
            value: The value.
            key: Where to find it again.
            scope: The flow run that it belongs to; a process that lost the flow run replaces no result.
            serializer: Name or instance; None is the default.
            expiration: Seconds for which it may be used; None is for ever.

        Raises:
            SerializationError: The value cannot be serialized.
            StorageError: It cannot be written.
        """
        now = timestamp()
        stored = encode(
            value,
            key=key,
            serializer=resolve_serializer(serializer or self._default_serializer),
            inline_limit=self._inline_limit,
            store=self._store,
            now=now,
            expires_at=None if expiration is None else now + expiration,
        )
        with self._lock:
            self._underway[key] = stored
        self._journal.put(_ResultItem(self, stored, scope))
        return stored

    def find(self, key: str) -> StoredResult | None:
        """Return the record of a result that may be used now, or None."""
        stored = self._underway.get(key) or self._ledger.result(key)
        if stored is None or (
            stored.expires_at is not None and stored.expires_at <= timestamp()
        ):
            return None
        return stored

    def read(self, stored: StoredResult) -> Any:
        """Return the value of a record.

        Raises:
            MissingResult: It is gone.
            ResultCorruptedError: It is not what was written.
        """
        return decode(stored, self._store)

    def load(self, key: str) -> Any:
        """Return the value stored under a key.

        Raises:
            MissingResult: There is none, or it has expired.
        """
        stored = self.find(key)
        if stored is None:
            raise MissingResult(f"key {key!r}")
        return self.read(stored)

    def written(self, stored: StoredResult) -> None:
        """Learn that the ledger takes the record over."""
        with self._lock:
            if self._underway.get(stored.key) is stored:
                del self._underway[stored.key]


class StoredValue:
    """A result that is read from where it is stored when it is asked for."""

    __slots__ = ("_results", "stored")

    is_stored = True

    stored: StoredResult

    def __init__(self, results: Results, stored: StoredResult) -> None:
        self._results, self.stored = results, stored

    def get(self) -> Any:
        """Return the value; see ``Results.read``."""
        return self._results.read(self.stored)


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
