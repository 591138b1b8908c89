"""Which class belongs to a type of block."""

from __future__ import annotations

import importlib
from typing import Any

from caudal.exceptions import UnknownBlockType

#: Types that come with caudal, and where their classes are.
SYSTEM = {
    "local-file-system": "caudal.filesystems",
    "remote-file-system": "caudal.filesystems",
    "secret": "caudal.blocks.system",
}

_classes: dict[str, type[Any]] = {}


def register(slug: str, cls: type[Any]) -> None:
    """Make a class known; the last one of a slug counts."""
    _classes[slug] = cls


def block_class(slug: str, path: str = "") -> type[Any]:
    """Return the class of a type of block.

    Args:
        slug: The type.
        path: Where the class was when the block was saved, for the message.

    Raises:
        UnknownBlockType: It is not imported.
    """
    if slug not in _classes and slug in SYSTEM:
        importlib.import_module(SYSTEM[slug])
    if slug not in _classes:
        raise UnknownBlockType(slug, path)
    return _classes[slug]
