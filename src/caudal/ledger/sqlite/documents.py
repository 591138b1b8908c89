"""Documents of the ledger in a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from caudal.ledger.documents import raise_if_refused, removal, rewrite
from caudal.ledger.encoding import decode, encode
from caudal.ledger.port import Batch
from caudal.model.documents import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from sqlite3 import Cursor

    from caudal.ledger.documents import DocumentFilter
    from caudal.ledger.plan import Plan
    from caudal.ledger.sqlite.bulk import BulkStatement
    from caudal.ledger.sqlite.database import Database
    from caudal.model.documents import DocumentKind, DocumentWrite
    from caudal.model.runs import Fence

#: Statements for many rows that documents need.
BULK = ("delete_documents", "documents_by_id", "put_documents")

#: Columns that hold JSON: data, tags.
_JSON = slice(5, 7)


class SqliteDocuments:
    """``Documents`` of a ``SqliteLedger``; see the port for what its methods do.

    Args:
        database: The ledger's file.
        queries: Statements by name.
        bulk: Statements for many rows by name.
        write: Writes a batch inside a transaction.
    """

    def __init__(
        self,
        database: Database,
        queries: Mapping[str, str],
        bulk: Mapping[str, BulkStatement],
        write: Callable[[Cursor, Batch], tuple[Plan, int]],
    ) -> None:
        self._database, self._queries, self._bulk = database, queries, bulk
        self._write = write

    def keep(
        self, write: DocumentWrite, *, overwrite: bool, fence: Fence | None = None
    ) -> Document | None:
        """Create or change the document of a name."""
        change = write.change
        name = write.kind, change.type, change.key
        with self._database.transaction() as cursor:
            found = cursor.execute(self._queries["document_by_name"], name).fetchone()
            if found is not None and not overwrite:
                return None
            if found is not None:
                write = rewrite(write, _row(found))
            made = self._commit(cursor, write, fence)
        return next(iter(made.documents.values()))

    def discard(self, write: DocumentWrite, *, fence: Fence | None = None) -> bool:
        """Delete a document and return whether it was there."""
        with self._database.transaction() as cursor:
            for stored in self.stored(cursor, [write]).values():
                self._commit(cursor, removal(write, stored), fence)
                return True
        return False

    def get(self, document_id: bytes) -> Document | None:
        """Return a document, or None."""
        found = self._find("id = ?", [document_id, 1])
        return found[0] if found else None

    def find(
        self, where: DocumentFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[Document]:
        """Return documents, newest first."""
        pairs = {
            "kind = ?": where.kind,
            "key = ?": where.key,
            "type = ?": where.type,
            "flow_run_id = ?": where.flow_run_id,
            "task_run_id = ?": where.task_run_id,
            "id < ?": before,
        }
        given = {text: value for text, value in pairs.items() if value is not None}
        return self._find(" AND ".join(given), [*given.values(), limit])

    def latest(
        self, kind: DocumentKind, *, limit: int = 100, after: str = ""
    ) -> Sequence[Document]:
        """Return the newest document of each key, by key."""
        values = (kind, after, kind, limit, kind)
        found = self._database.read(self._queries["latest_documents"], values)
        return [_row(each) for each in found]

    def stored(
        self, cursor: Cursor, writes: Sequence[DocumentWrite]
    ) -> dict[bytes, Document]:
        """Return the documents that changes name, as they are stored."""
        if not writes:
            return {}
        ids = {(bytes.fromhex(write.change.id),) for write in writes}
        found = self._bulk["documents_by_id"].run(cursor, list(ids))
        return {values[0]: _row(values) for values in found}

    def put(self, cursor: Cursor, rows: Mapping[bytes, Document | None]) -> None:
        """Store documents, and delete those that are None."""
        if not rows:
            return
        gone = [(key,) for key, row in rows.items() if row is None]
        kept = [_values(row) for row in rows.values() if row is not None]
        self._bulk["delete_documents"].run(cursor, gone)
        self._bulk["put_documents"].run(cursor, kept)

    def _commit(
        self, cursor: Cursor, write: DocumentWrite, fence: Fence | None
    ) -> Plan:
        batch = Batch()
        batch.add_document(write, fence)
        made, _ = self._write(cursor, batch)
        raise_if_refused(write, made.refused)
        return made

    def _find(self, where: str, values: Iterable[Any]) -> list[Document]:
        statement = self._queries["documents"].format(where=where)
        return [_row(found) for found in self._database.read(statement, [*values])]


def _values(row: Document) -> tuple[Any, ...]:
    columns = list(structs.astuple(row))
    columns[_JSON] = (encode(value).decode() for value in columns[_JSON])
    return tuple(columns)


def _row(values: Sequence[Any]) -> Document:
    columns = list(values)
    columns[_JSON] = map(decode, columns[_JSON])
    return Document(*columns)
