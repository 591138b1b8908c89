"""Writes artifacts, variables, blocks and assets for the code of runs, and for code outside of runs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from msgspec import UNSET

from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.engine.context import current
from caudal.engine.document_item import DocumentItem
from caudal.exceptions import InvalidNameError, ObjectAlreadyExists
from caudal.model.documents import DocumentChange, DocumentWrite
from caudal.model.ids import new_id

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.journal import Journal
    from caudal.ledger.documents import Documents
    from caudal.model.documents import Document, DocumentKind
    from caudal.model.runs import Fence

#: The most characters of a name.
MAX_NAME = 255


class Maker(NamedTuple):
    """On whose behalf something is written."""

    journal: Journal
    documents: Documents
    flow_run_id: bytes | None = None
    task_run_id: bytes | None = None
    #: Proof that this process owns the flow run.
    fence: Fence | None = None


def maker() -> Maker:
    """Return what the run in charge, or nobody, writes with."""
    run = current.get()
    if run is None:
        engine = current_engine()
        return Maker(engine.journal, engine.ledger.documents)
    scope = cast("FlowScope", run.scope)
    documents = scope.parts.ledger.documents
    task_run_id = None if run is scope else run.id
    return Maker(scope.journal, documents, scope.id, task_run_id, scope.proof)


def settled() -> Documents:
    """Return the ledger's documents, with everything written that this process recorded so far."""
    who = maker()
    who.journal.barrier().wait()
    return who.documents


def created(
    kind: DocumentKind, key: str | None, data: Any, **facts: Any
) -> DocumentWrite:
    """Return the change that creates a document now, in the run in charge.

    Args:
        kind: What it is.
        key: Its name or key.
        data: JSON-ready.
        facts: Its ``type``, ``description`` and ``tags``.
    """
    now = timestamp()
    who = maker()
    change = DocumentChange(
        new_id(now, os.urandom(8)).hex(), "create", key=key, data=data, **facts
    )
    return DocumentWrite(now, kind, change, who.flow_run_id, who.task_run_id)


def record(write: DocumentWrite) -> None:
    """Have a change written soon, in order with what the run in charge does.

    Raises:
        LeaseLostError: Another process owns the flow run in charge.
    """
    run = current.get()
    if run is not None:
        cast("FlowScope", run.scope).make_sure()
    who = maker()
    who.journal.put(DocumentItem(write, who.fence))


def changed(
    kind: DocumentKind, document_id: bytes, data: Any = UNSET, description: Any = UNSET
) -> DocumentWrite:
    """Return the change that gives a document other data or another description now."""
    who = maker()
    change = DocumentChange(document_id.hex(), data=data, description=description)
    ids = who.flow_run_id, who.task_run_id
    return DocumentWrite(timestamp(), kind, change, *ids)


def keep(write: DocumentWrite, *, overwrite: bool) -> Document:
    """Create the document of a name, or change it, and return it when it is durable.

    Raises:
        ObjectAlreadyExists: There is one, and it is not to be overwritten.
        LeaseLostError: Another process owns the flow run in charge.
    """
    who = maker()
    who.journal.barrier().wait()  # the run in charge may not be on record yet
    kept = who.documents.keep(write, overwrite=overwrite, fence=who.fence)
    if kept is None:
        raise ObjectAlreadyExists(write.kind, write.change.key or "")
    return kept


def discard(kind: DocumentKind, document_id: bytes) -> bool:
    """Delete a document and return whether it was there.

    Raises:
        LeaseLostError: Another process owns the flow run in charge.
    """
    who = maker()
    who.journal.barrier().wait()
    change = DocumentChange(document_id.hex(), "delete")
    ids = who.flow_run_id, who.task_run_id
    write = DocumentWrite(timestamp(), kind, change, *ids)
    return who.documents.discard(write, fence=who.fence)


def checked_name(kind: str, name: Any, *, characters: str = "a-z0-9-") -> str:
    """Return a name that is made of permitted characters.

    Args:
        kind: What it names, with its article.
        name: The name.
        characters: What it may be made of, as in a pattern.

    Raises:
        InvalidNameError: It is not.
    """
    pattern = rf"[{characters}]{{1,{MAX_NAME}}}"
    if isinstance(name, str) and re.fullmatch(pattern, name):
        return name
    underscores = ", dashes and underscores" if "_" in characters else " and dashes"
    rule = f"Use lower-case letters, numbers{underscores}, up to {MAX_NAME} of them."
    raise InvalidNameError(kind, str(name)[: 2 * MAX_NAME], rule)
