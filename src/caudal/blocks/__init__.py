"""Blocks: named, typed configuration in the ledger, with encrypted secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caudal.blocks.core import Block

__all__ = ["Block"]


def __getattr__(name: str) -> Any:
    if name != "Block":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from caudal.blocks.core import Block  # noqa: PLC0415 - lists of blocks need no pydantic

    return Block
