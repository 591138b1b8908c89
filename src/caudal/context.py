"""Tags for the runs that are made within a block."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from caudal.engine.context import added_tags

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["tags"]


@contextmanager
def tags(*new_tags: str) -> Generator[set[str]]:
    """Add tags to all flow and task runs that are made within a ``with`` block.

    Args:
        new_tags: The tags, beside those of enclosing blocks.
    """
    joined = added_tags.get() | frozenset(new_tags)
    token = added_tags.set(joined)
    try:
        yield set(joined)
    finally:
        added_tags.reset(token)
