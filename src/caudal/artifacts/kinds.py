"""The kinds of artifact, as objects that are created and read."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from caudal.engine.documents import (
    checked_name,
    created,
    discard,
    record,
    settled,
)
from caudal.exceptions import InvalidValueError
from caudal.ledger.documents import DocumentFilter
from caudal.model.documents import fold_document
from caudal.model.jsonable import jsonable
from caudal.model.views import utc
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from datetime import datetime

    from caudal.model.documents import Document

Table = dict[str, list[Any]] | list[dict[str, Any]] | list[list[Any]]

_logger = logging.getLogger("caudal.artifacts")


@dataclass(kw_only=True)
class Artifact:
    """An artifact: one to create, or one that was read.

    Raises:
        InvalidNameError: The key is not made of lower-case letters, numbers and dashes.
    """

    #: How to show it: markdown, table, progress, image, or a word of your own.
    type: str | None = None
    #: What joins the versions of one artifact.
    key: str | None = None
    #: In Markdown.
    description: str | None = None
    #: What is shown: text, a table as JSON text, a percentage, an address.
    data: Any = None
    #: Set once it was created: who made it, and when.
    id: UUID | None = None
    flow_run_id: UUID | None = None
    task_run_id: UUID | None = None
    created: datetime | None = None
    updated: datetime | None = None

    def __post_init__(self) -> None:
        if self.key is not None:
            checked_name("an artifact", self.key)

    def _shown(self) -> Any:
        """Return the data to keep."""
        return _json(self.data)

    async def aformat(self) -> Any:
        """Return the data as it is kept."""
        return self._shown()

    @dispatched(aformat)
    def format(self) -> Any:
        """Return the data as it is kept."""
        return self._shown()

    async def acreate(self) -> Artifact:
        """Create it; see `create`."""
        return await in_thread(self.create)

    @dispatched(acreate)
    def create(self) -> Artifact:
        """Have the artifact recorded, linked to the run in charge, and return it with its id."""
        write = created(
            "artifact",
            self.key,
            self._shown(),
            type=self.type or "",
            description=self.description,
        )
        record(write)
        return artifact_of(cast("Document", fold_document(None, write)))

    @classmethod
    async def aget(cls, key: str | None = None) -> Artifact | None:
        """Return the newest artifact; see `get`."""
        return await in_thread(cls.get, key)

    @classmethod
    @dispatched(aget)
    def get(cls, key: str | None = None) -> Artifact | None:
        """Return the newest artifact, of a key or of all, or None."""
        found = settled().find(DocumentFilter("artifact", key=key), limit=1)
        return artifact_of(found[0]) if found else None

    @classmethod
    async def aget_or_create(
        cls,
        key: str | None = None,
        description: str | None = None,
        data: Any = None,
        **kwargs: Any,
    ) -> tuple[Artifact, bool]:
        """Return the newest artifact of a key, or a new one; see `get_or_create`."""
        return await in_thread(cls.get_or_create, key, description, data, **kwargs)

    @classmethod
    @dispatched(aget_or_create)
    def get_or_create(
        cls,
        key: str | None = None,
        description: str | None = None,
        data: Any = None,
        **kwargs: Any,
    ) -> tuple[Artifact, bool]:
        """Return the newest artifact of a key and False, or create one and return it and True.

        Args:
            key: The key.
            description: Of the artifact to create.
            data: Of the artifact to create.
            kwargs: What else the class takes.
        """
        found = cls.get(key)
        if found is not None:
            return found, False
        new = cls(key=key, description=description, data=data, **kwargs)
        return new.create(), True

    async def adelete(self) -> bool:
        """Delete it; see `delete`."""
        return await in_thread(self.delete)

    @dispatched(adelete)
    def delete(self) -> bool:
        """Delete this version of the artifact, and return whether it was there."""
        return self.id is not None and discard("artifact", self.id.bytes)


@dataclass(kw_only=True)
class LinkArtifact(Artifact):
    """A link, shown as Markdown.

    Raises:
        InvalidValueError: It is no text.
    """

    link: str
    link_text: str | None = None
    type: str | None = "markdown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text("a link artifact", self.link)

    def _shown(self) -> str:
        return f"[{self.link_text or self.link}]({self.link})"


@dataclass(kw_only=True)
class MarkdownArtifact(Artifact):
    """Text in Markdown.

    Raises:
        InvalidValueError: It is no text.
    """

    markdown: str
    type: str | None = "markdown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text("a Markdown artifact", self.markdown)

    def _shown(self) -> str:
        return self.markdown


@dataclass(kw_only=True)
class TableArtifact(Artifact):
    """A table: a list of rows, or a dict of columns.

    Raises:
        InvalidValueError: It is neither.
    """

    table: Table
    type: str | None = "table"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_table(self.table):
            rule = "It takes a list of dicts, a list of lists, or a dict of lists; a data frame gives one with .to_dict('records')."
            given = f"a value of type {type(self.table).__qualname__}"
            raise InvalidValueError("a table artifact", given, rule)

    def _shown(self) -> str:
        return _json(_exact(self.table))


@dataclass(kw_only=True)
class ProgressArtifact(Artifact):
    """A percentage, from 0 to 100; what is outside is cut, with a warning.

    Raises:
        InvalidValueError: It is no number.
    """

    progress: float
    type: str | None = "progress"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.progress = percentage(self.progress)

    def _shown(self) -> float:
        return self.progress


@dataclass(kw_only=True)
class ImageArtifact(Artifact):
    """An image at an address that whoever looks at it can reach.

    Raises:
        InvalidValueError: It is no text.
    """

    image_url: str
    type: str | None = "image"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text("an image artifact", self.image_url)

    def _shown(self) -> str:
        return self.image_url


def artifact_of(row: Document) -> Artifact:
    """Return an artifact as users see it."""
    return Artifact(
        type=row.type or None,
        key=row.key,
        description=row.description,
        data=row.data,
        id=UUID(bytes=row.id),
        flow_run_id=UUID(bytes=row.flow_run_id) if row.flow_run_id else None,
        task_run_id=UUID(bytes=row.task_run_id) if row.task_run_id else None,
        created=utc(row.created_at),
        updated=utc(row.updated_at),
    )


def _check_text(what: str, given: object) -> None:
    if not isinstance(given, str):
        raise InvalidValueError(what, repr(given)[:200], "It takes a text.")


def _is_table(table: object) -> bool:
    if isinstance(table, dict):
        columns = cast("dict[Any, Any]", table).values()
        return all(isinstance(column, list) for column in columns)
    if not isinstance(table, list):
        return False
    rows = cast("list[Any]", table)
    return all(isinstance(row, dict) for row in rows) or all(
        isinstance(row, list) for row in rows
    )


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {str(key): _exact(item) for key, item in items}
    if isinstance(value, list):
        return [_exact(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and not isfinite(value):
        return None if isnan(value) else str(value)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """Return what stands for a value that JSON does not know: the number in one of NumPy's, else text."""
    return value.item() if getattr(value, "shape", None) == () else jsonable(value)


def percentage(progress: Any) -> float:
    """Return a percentage between 0 and 100; what is outside is cut, with a warning.

    Raises:
        InvalidValueError: It is no number.
    """
    try:
        given = float(progress)
    except (TypeError, ValueError):
        given = float("nan")
    if isnan(given):
        rule = "It takes a percentage, a number from 0 to 100."
        raise InvalidValueError("a progress artifact", repr(progress)[:200], rule)
    if not 0 <= given <= 100:  # noqa: PLR2004 - per cent
        _logger.warning("progress of %g %% is cut to 0 to 100 %%", given)
    return max(0.0, min(given, 100.0))
