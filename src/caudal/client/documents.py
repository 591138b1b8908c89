"""What a client reads of artifacts, variables, blocks and assets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from caudal.artifacts.kinds import artifact_of
from caudal.clock import timestamp
from caudal.exceptions import BlockNotFound, ObjectNotFound
from caudal.ledger.documents import DocumentFilter
from caudal.model.documents import DocumentChange, DocumentWrite
from caudal.model.ids import optional_id, parse_id
from caudal.model.paging import MAX_LIMIT, checked_limit
from caudal.model.views import block_view, materialization_view
from caudal.variables import variable_of

if TYPE_CHECKING:
    from caudal.artifacts.kinds import Artifact
    from caudal.engine.engine import Engine
    from caudal.ledger.documents import Documents
    from caudal.model.documents import Document, DocumentKind
    from caudal.model.views import AssetMaterialization, BlockDocument
    from caudal.variables import Variable


class DocumentReads:
    """The part of a client that reads what is kept beside the runs."""

    _engine: Engine

    def read_artifact(self, artifact_id: UUID | str) -> Artifact:
        """Return an artifact.

        Raises:
            ObjectNotFound: There is none.
        """
        return artifact_of(self._document("artifact", artifact_id))

    def read_artifacts(
        self,
        *,
        key: str | None = None,
        flow_run_id: UUID | str | None = None,
        task_run_id: UUID | str | None = None,
        limit: int = 100,
        before: UUID | str | None = None,
    ) -> list[Artifact]:
        """Return artifacts, newest first.

        Args:
            key: Only those of this key.
            flow_run_id: Only those that this flow run and its tasks made.
            task_run_id: Only those that this task run made.
            limit: The most artifacts to return, up to 10,000.
            before: Continue a list after this artifact.
        """
        where = DocumentFilter(
            "artifact",
            key,
            flow_run_id=optional_id(flow_run_id, "flow run"),
            task_run_id=optional_id(task_run_id, "task run"),
        )
        found = self._documents().find(
            where, limit=checked_limit(limit), before=optional_id(before, "artifact")
        )
        return [artifact_of(row) for row in found]

    def read_latest_artifacts(
        self, *, limit: int = 100, after: str = ""
    ) -> list[Artifact]:
        """Return the newest artifact of each key, by key.

        Args:
            limit: The most artifacts to return, up to 10,000.
            after: Continue a list after this key.
        """
        found = self._documents().latest(
            "artifact", limit=checked_limit(limit), after=after
        )
        return [artifact_of(row) for row in found]

    def delete_artifact(self, artifact_id: UUID | str) -> None:
        """Delete an artifact.

        Raises:
            ObjectNotFound: There is none.
        """
        self._delete("artifact", artifact_id, str(artifact_id))

    def read_variable_by_name(self, name: str) -> Variable[object] | None:
        """Return a variable, or None."""
        where = DocumentFilter("variable", name)
        found = self._documents().find(where, limit=1)
        return variable_of(found[0]) if found else None

    def read_variables(
        self, limit: int = 100, *, after: str = ""
    ) -> list[Variable[object]]:
        """Return variables by name.

        Args:
            limit: The most variables to return, up to 10,000.
            after: Continue a list after this name.
        """
        limit = checked_limit(limit)
        found = self._documents().latest("variable", limit=limit, after=after)
        return [variable_of(row) for row in found]

    def delete_variable_by_name(self, name: str) -> None:
        """Delete a variable.

        Raises:
            ObjectNotFound: There is none.
        """
        found = self._documents().find(DocumentFilter("variable", name), limit=1)
        if not found:
            raise ObjectNotFound("variable", name)
        self._delete("variable", UUID(bytes=found[0].id), name)

    def read_block_document(self, block_document_id: UUID | str) -> BlockDocument:
        """Return a block as it is kept, secrets masked.

        Raises:
            BlockNotFound: There is none.
        """
        return block_view(self._block(block_document_id))

    def read_block_document_by_name(
        self, name: str, block_type_slug: str
    ) -> BlockDocument:
        """Return a block as it is kept, secrets masked.

        Raises:
            BlockNotFound: There is none.
        """
        where = DocumentFilter("block", name, block_type_slug)
        found = self._documents().find(where, limit=1)
        if not found:
            raise BlockNotFound("block", f"{block_type_slug}/{name}")
        return block_view(found[0])

    def read_block_documents(
        self,
        block_type_slug: str | None = None,
        *,
        limit: int = 100,
        before: UUID | str | None = None,
    ) -> list[BlockDocument]:
        """Return blocks as they are kept, newest first, secrets masked.

        Args:
            block_type_slug: Only blocks of this type.
            limit: The most blocks to return, up to 10,000.
            before: Continue a list after this block.
        """
        found = self._documents().find(
            DocumentFilter("block", type=block_type_slug),
            limit=checked_limit(limit),
            before=optional_id(before, "block"),
        )
        return [block_view(row) for row in found]

    def read_block_types(self) -> dict[str, int]:
        """Return the number of blocks of each type that has any, by slug."""
        found = self._documents().find(DocumentFilter("block"), limit=MAX_LIMIT)
        return dict(sorted(Counter(row.type for row in found).items()))

    def delete_block_document(self, block_document_id: UUID | str) -> None:
        """Delete a block.

        Raises:
            BlockNotFound: There is none.
        """
        row = self._block(block_document_id)
        self._delete("block", block_document_id, f"{row.type}/{row.key}")

    def read_assets(
        self, *, limit: int = 100, after: str = ""
    ) -> list[AssetMaterialization]:
        """Return the newest materialization of each asset, by key.

        Args:
            limit: The most assets to return, up to 10,000.
            after: Continue a list after this key.
        """
        limit = checked_limit(limit)
        found = self._documents().latest("asset", limit=limit, after=after)
        return [materialization_view(row) for row in found]

    def read_asset_materializations(
        self, key: str, *, limit: int = 100, before: UUID | str | None = None
    ) -> list[AssetMaterialization]:
        """Return how an asset was made, newest first.

        Args:
            key: The asset.
            limit: The most materializations to return, up to 10,000.
            before: Continue a list after this one.

        Raises:
            ObjectNotFound: It was not made yet.
        """
        found = self._documents().find(
            DocumentFilter("asset", key),
            limit=checked_limit(limit),
            before=optional_id(before, "asset"),
        )
        if not found and before is None:
            raise ObjectNotFound("asset", key)
        return [materialization_view(row) for row in found]

    def _block(self, block_document_id: UUID | str) -> Document:
        row = self._documents().get(parse_id(block_document_id, "block"))
        if row is None or row.kind != "block":
            raise BlockNotFound("block", str(block_document_id))
        return row

    def _documents(self) -> Documents:
        """Return the ledger's documents, with everything written that this process recorded so far."""
        self._engine.journal.barrier().wait()
        return self._engine.ledger.documents

    def _document(self, kind: DocumentKind, document_id: UUID | str) -> Document:
        row = self._documents().get(parse_id(document_id, kind))
        if row is None or row.kind != kind:
            raise ObjectNotFound(kind, str(document_id))
        return row

    def _delete(self, kind: DocumentKind, document_id: UUID | str, name: str) -> None:
        change = DocumentChange(parse_id(document_id, kind).hex(), "delete")
        write = DocumentWrite(timestamp(), kind, change)
        if not self._documents().discard(write):
            raise ObjectNotFound(kind, name)
