"""Documents: what is kept beside the runs - artifacts, variables, blocks and materialisations of assets.

They share one shape, so that ledgers store one kind of row. A *change* is what an event carries; ``fold_document`` is the only
code that turns changes into rows, and ledgers and replay call it alike.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from msgspec import UNSET, Struct, UnsetType, structs

#: What a document is; also the kind of its events.
DocumentKind = Literal["artifact", "variable", "block", "asset"]

KINDS: frozenset[str] = frozenset(get_args(DocumentKind))


class DocumentChange(Struct, omit_defaults=True):
    """What happened to a document."""

    #: The document, in hexadecimal.
    id: str
    action: Literal["create", "change", "delete"] = "change"
    #: Type and key are given when the document is created, and told again with later changes where they are known.
    type: str = ""
    key: str | None = None
    description: str | UnsetType | None = UNSET
    #: JSON-ready.
    data: Any = UNSET
    tags: list[str] | UnsetType = UNSET


class Document(Struct):
    """A document as it stands."""

    id: bytes
    #: A ``DocumentKind``.
    kind: str
    #: Of an artifact how to show it, of a block the slug of its type, of a materialisation how it ended; empty for a variable.
    type: str
    #: Name of a variable or block, key of an asset; an artifact may have none.
    key: str | None
    description: str | None
    #: JSON-ready; secrets in it are encrypted.
    data: Any
    tags: list[str]
    #: The run that made it; None outside of runs.
    flow_run_id: bytes | None
    task_run_id: bytes | None
    #: Seconds since the epoch, UTC.
    created_at: float
    updated_at: float


class DocumentWrite(Struct):
    """A change of a document, and where it comes from."""

    at: float
    kind: DocumentKind
    change: DocumentChange
    #: The run whose code made the change.
    flow_run_id: bytes | None = None
    task_run_id: bytes | None = None


def fold_document(row: Document | None, write: DocumentWrite) -> Document | None:
    """Return a document after a change, None when it is gone or was never there; the row given stays as it is."""
    change, at = write.change, write.at
    if change.action == "delete":
        return None
    if change.action == "create":
        row = Document(
            bytes.fromhex(change.id), write.kind, change.type, change.key, None, None, [],
            write.flow_run_id, write.task_run_id, at, at,
        )  # fmt: skip
    elif row is None:
        return None
    else:
        row = structs.replace(row, updated_at=at)
    if change.description is not UNSET:
        row.description = change.description
    if change.data is not UNSET:
        row.data = change.data
    if change.tags is not UNSET:
        row.tags = change.tags
    return row
