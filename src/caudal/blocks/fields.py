"""Types for the fields of blocks."""

from __future__ import annotations

from typing import Any

from pydantic import Secret

__all__ = ["SecretDict"]


class SecretDict(Secret[dict[str, Any]]):
    """A dictionary that nobody is to see: encrypted in the ledger, masked where it is shown; ``get_secret_value()`` returns it."""
