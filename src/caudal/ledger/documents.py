"""Documents as a part of the ledger: what it keeps of artifacts, variables, blocks and assets, and the rules for changing it.

The rules live here once, without input or output: a ledger reads, asks ``changed`` and stores what that says inside one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import structs

from caudal.exceptions import LeaseLostError
from caudal.model.documents import DocumentChange, fold_document
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from caudal.model.documents import Document, DocumentKind, DocumentWrite
    from caudal.model.runs import Fence


class DocumentFilter(NamedTuple):
    """Which documents a list shows; fields that are None do not restrict it."""

    kind: DocumentKind
    key: str | None = None
    type: str | None = None
    #: Only documents that this flow run made, its task runs included.
    flow_run_id: bytes | None = None
    #: Only documents that this task run made.
    task_run_id: bytes | None = None


class Documents(Protocol):
    """What is kept beside the runs; the attribute ``documents`` of a ledger.

    Implementations are safe to call from several threads and raise ``LedgerError``. Every change is recorded as an event. Changes that
    nobody waits for come in batches: see ``Batch.documents``.
    """

    def keep(
        self, write: DocumentWrite, *, overwrite: bool, fence: Fence | None = None
    ) -> Document | None:
        """Create the document that a change describes, or change the one of the same kind, type and key, in one step.

        Of several callers at once without ``overwrite``, one succeeds.

        Args:
            write: A creating change with a key.
            overwrite: Whether to change the document if there is one.
            fence: Proof that the caller owns the flow run that ``write`` names.

        Returns:
            The document; None when there is one and ``overwrite`` is false, and then nothing is written.

        Raises:
            LeaseLostError: The fence is not the stored one; nothing is written.
        """
        ...

    def discard(self, write: DocumentWrite, *, fence: Fence | None = None) -> bool:
        """Delete the document that a deleting change names and return whether it was there.

        Its events stay, and one is added.

        Raises:
            LeaseLostError: As of ``keep``.
        """
        ...

    def get(self, document_id: bytes) -> Document | None:
        """Return a document, or None."""
        ...

    def find(
        self, where: DocumentFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[Document]:
        """Return documents, newest first; ``before`` continues a list after the id given."""
        ...

    def latest(
        self, kind: DocumentKind, *, limit: int = 100, after: str = ""
    ) -> Sequence[Document]:
        """Return the newest document of each key, by key; ``after`` continues a list after the key given.

        What it costs grows with the number of keys returned, not with that of documents.
        """
        ...


def changed(
    writes: Iterable[DocumentWrite], stored: Mapping[bytes, Document]
) -> tuple[dict[bytes, Document | None], list[DocumentWrite]]:
    """Return what documents are after changes, None for those to delete, and the changes that found something to do.

    Args:
        writes: The changes, in order.
        stored: The documents that they name, as they are stored.
    """
    rows: dict[bytes, Document | None] = {}
    effective: list[DocumentWrite] = []
    for write in writes:
        document_id = bytes.fromhex(write.change.id)
        before = rows[document_id] if document_id in rows else stored.get(document_id)
        after = fold_document(before, write)
        if before is not None or after is not None:
            rows[document_id] = after
            effective.append(write)
    return rows, effective


def rewrite(write: DocumentWrite, stored: Document) -> DocumentWrite:
    """Return the change that gives a stored document what a creating change says."""
    change = structs.replace(write.change, id=stored.id.hex(), action="change")
    return structs.replace(write, change=change)


def removal(write: DocumentWrite, stored: Document) -> DocumentWrite:
    """Return a deleting change with what is known of the document."""
    change = DocumentChange(stored.id.hex(), "delete", stored.type, stored.key)
    return structs.replace(write, change=change)


def raise_if_refused(write: DocumentWrite, refused: Container[bytes]) -> None:
    """Do nothing if a change was accepted.

    Raises:
        LeaseLostError: Its flow run belongs to another process.
    """
    if write.flow_run_id is not None and write.flow_run_id in refused:
        raise LeaseLostError(format_id(write.flow_run_id))
