"""One call for each kind of artifact, and its twin for coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec import UNSET

from caudal.artifacts.kinds import (
    Artifact,
    ImageArtifact,
    LinkArtifact,
    MarkdownArtifact,
    ProgressArtifact,
    TableArtifact,
    percentage,
)
from caudal.engine.documents import changed, maker, record, settled
from caudal.exceptions import ObjectNotFound
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from uuid import UUID

    from caudal.artifacts.kinds import Table


async def acreate_link_artifact(
    link: str,
    link_text: str | None = None,
    key: str | None = None,
    description: str | None = None,
) -> UUID:
    """Create a link artifact; see `create_link_artifact`."""
    return await in_thread(create_link_artifact, link, link_text, key, description)


@dispatched(acreate_link_artifact)
def create_link_artifact(
    link: str,
    link_text: str | None = None,
    key: str | None = None,
    description: str | None = None,
) -> UUID:
    """Keep a link with the run in charge and return the artifact's id.

    Args:
        link: The address.
        link_text: What is shown of it; the address by default.
        key: Joins the versions of one artifact: lower-case letters, numbers and dashes.
        description: In Markdown.
    """
    return _id_of(
        LinkArtifact(link=link, link_text=link_text, key=key, description=description)
    )


async def acreate_markdown_artifact(
    markdown: str, key: str | None = None, description: str | None = None
) -> UUID:
    """Create a Markdown artifact; see `create_markdown_artifact`."""
    return await in_thread(create_markdown_artifact, markdown, key, description)


@dispatched(acreate_markdown_artifact)
def create_markdown_artifact(
    markdown: str, key: str | None = None, description: str | None = None
) -> UUID:
    """Keep a text in Markdown with the run in charge and return the artifact's id.

    Args:
        markdown: The text.
        key: Joins the versions of one artifact: lower-case letters, numbers and dashes.
        description: In Markdown.
    """
    return _id_of(MarkdownArtifact(markdown=markdown, key=key, description=description))


async def acreate_table_artifact(
    table: Table, key: str | None = None, description: str | None = None
) -> UUID:
    """Create a table artifact; see `create_table_artifact`."""
    return await in_thread(create_table_artifact, table, key, description)


@dispatched(acreate_table_artifact)
def create_table_artifact(
    table: Table, key: str | None = None, description: str | None = None
) -> UUID:
    """Keep a table with the run in charge and return the artifact's id.

    Args:
        table: A list of rows, each a dict or a list, or a dict of columns. NaN becomes null; what JSON does not know becomes text.
        key: Joins the versions of one artifact: lower-case letters, numbers and dashes.
        description: In Markdown.

    Raises:
        InvalidValueError: It is no table.
    """
    return _id_of(TableArtifact(table=table, key=key, description=description))


async def acreate_progress_artifact(
    progress: float, key: str | None = None, description: str | None = None
) -> UUID:
    """Create a progress artifact; see `create_progress_artifact`."""
    return await in_thread(create_progress_artifact, progress, key, description)


@dispatched(acreate_progress_artifact)
def create_progress_artifact(
    progress: float, key: str | None = None, description: str | None = None
) -> UUID:
    """Keep how far something is with the run in charge and return the artifact's id, for `update_progress_artifact`.

    Args:
        progress: A percentage, from 0 to 100.
        key: Joins the versions of one artifact: lower-case letters, numbers and dashes.
        description: In Markdown.
    """
    return _id_of(ProgressArtifact(progress=progress, key=key, description=description))


async def aupdate_progress_artifact(
    artifact_id: UUID, progress: float | None = None, description: str | None = None
) -> UUID:
    """Change a progress artifact; see `update_progress_artifact`."""
    return await in_thread(update_progress_artifact, artifact_id, progress, description)


@dispatched(aupdate_progress_artifact)
def update_progress_artifact(
    artifact_id: UUID, progress: float | None = None, description: str | None = None
) -> UUID:
    """Say how far something is by now, and return the artifact's id.

    Args:
        artifact_id: What `create_progress_artifact` returned.
        progress: A percentage, from 0 to 100; None leaves it.
        description: In Markdown; None leaves it.

    Raises:
        ObjectNotFound: There is no such progress artifact.
    """
    row = maker().documents.get(artifact_id.bytes) or settled().get(artifact_id.bytes)
    if row is None or (row.kind, row.type) != ("artifact", "progress"):
        raise ObjectNotFound("progress artifact", str(artifact_id))
    data = UNSET if progress is None else percentage(progress)
    words = UNSET if description is None else description
    if data is not UNSET or words is not UNSET:
        record(changed("artifact", row.id, data, words))
    return artifact_id


async def acreate_image_artifact(
    image_url: str, key: str | None = None, description: str | None = None
) -> UUID:
    """Create an image artifact; see `create_image_artifact`."""
    return await in_thread(create_image_artifact, image_url, key, description)


@dispatched(acreate_image_artifact)
def create_image_artifact(
    image_url: str, key: str | None = None, description: str | None = None
) -> UUID:
    """Keep the address of an image with the run in charge and return the artifact's id.

    Args:
        image_url: Where whoever looks at the artifact can reach the image.
        key: Joins the versions of one artifact: lower-case letters, numbers and dashes.
        description: In Markdown.
    """
    return _id_of(ImageArtifact(image_url=image_url, key=key, description=description))


def _id_of(artifact: Artifact) -> UUID:
    return cast("UUID", artifact.create().id)
