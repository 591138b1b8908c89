"""Documents of a ledger in memory."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import structs

from caudal.ledger.documents import raise_if_refused, removal, rewrite
from caudal.ledger.port import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import RLock

    from caudal.ledger.documents import DocumentFilter
    from caudal.ledger.port import Receipt
    from caudal.model.documents import Document, DocumentKind, DocumentWrite
    from caudal.model.runs import Fence


class MemoryDocuments:
    """``Documents`` of a ``MemoryLedger``; see the port for what its methods do.

    Args:
        locked: Gives the ledger's lock, or raises when it is closed.
        commit: Writes a batch.
    """

    def __init__(
        self, locked: Callable[[], RLock], commit: Callable[[Batch], Receipt]
    ) -> None:
        self._locked, self._commit = locked, commit
        #: The documents by id.
        self.rows: dict[bytes, Document] = {}

    def keep(
        self, write: DocumentWrite, *, overwrite: bool, fence: Fence | None = None
    ) -> Document | None:
        """Create or change the document of a name."""
        name = write.kind, write.change.type, write.change.key
        with self._locked():
            rows = self.rows.values()
            stored = next(
                (row for row in rows if (row.kind, row.type, row.key) == name), None
            )
            if stored is not None and not overwrite:
                return None
            if stored is not None:
                write = rewrite(write, stored)
            self._write(write, fence)
            return self.get(bytes.fromhex(write.change.id))

    def discard(self, write: DocumentWrite, *, fence: Fence | None = None) -> bool:
        """Delete a document and return whether it was there."""
        with self._locked():
            stored = self.rows.get(bytes.fromhex(write.change.id))
            if stored is None:
                return False
            self._write(removal(write, stored), fence)
            return True

    def get(self, document_id: bytes) -> Document | None:
        """Return a document, or None."""
        with self._locked():
            row = self.rows.get(document_id)
            return None if row is None else structs.replace(row)

    def find(
        self, where: DocumentFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[Document]:
        """Return documents, newest first."""
        with self._locked():
            rows = sorted(self.rows.values(), key=attrgetter("id"), reverse=True)
        found = [
            structs.replace(row)
            for row in rows
            if row.kind == where.kind
            and (before is None or row.id < before)
            and where.key in {None, row.key}
            and where.type in {None, row.type}
            and where.flow_run_id in {None, row.flow_run_id}
            and where.task_run_id in {None, row.task_run_id}
        ]
        return found[:limit]

    def latest(
        self, kind: DocumentKind, *, limit: int = 100, after: str = ""
    ) -> Sequence[Document]:
        """Return the newest document of each key, by key."""
        with self._locked():
            rows = sorted(self.rows.values(), key=attrgetter("id"))
        newest = {
            row.key: row
            for row in rows
            if row.kind == kind and row.key is not None and row.key > after
        }
        by_key = sorted(newest.items())
        return [structs.replace(row) for _, row in by_key[:limit]]

    def put(self, rows: Mapping[bytes, Document | None]) -> None:
        """Store documents, and delete those that are None; the caller holds the lock."""
        for document_id, row in rows.items():
            if row is None:
                self.rows.pop(document_id, None)
            else:
                self.rows[document_id] = row

    def _write(self, write: DocumentWrite, fence: Fence | None) -> None:
        batch = Batch()
        batch.add_document(write, fence)
        raise_if_refused(write, self._commit(batch).refused)
