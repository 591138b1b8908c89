"""A change of a document on its way into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caudal.ledger.port import Batch
    from caudal.model.documents import DocumentWrite
    from caudal.model.runs import Fence


class DocumentItem:
    """An item for the journal.

    Args:
        write: The change.
        fence: Proof that this process owns the flow run that it names.
    """

    __slots__ = ("_fence", "_write")

    def __init__(self, write: DocumentWrite, fence: Fence | None) -> None:
        self._write, self._fence = write, fence

    def collect(self, batch: Batch) -> None:
        """Add the change to a batch."""
        batch.add_document(self._write, self._fence)
