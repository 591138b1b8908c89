"""What part of a list is asked for, checked."""

from __future__ import annotations

from typing import Any

#: The most rows a single read returns.
MAX_LIMIT = 10_000


def checked_limit(limit: Any) -> int:
    """Return how many rows a read returns at most.

    Args:
        limit: What was asked for; None is as many as there may be.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is negative.
    """
    return MAX_LIMIT if limit is None else min(_count("limit", limit), MAX_LIMIT)


def checked_offset(offset: Any) -> int:
    """Return how many rows a read passes over; see `checked_limit`."""
    return 0 if offset is None else _count("offset", offset)


def _count(name: str, given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        msg = f"{name}={given!r} is no whole number"
        raise TypeError(msg)
    if given < 0:
        msg = f"{name}={given!r} is negative. Give 0 or more."
        raise ValueError(msg)
    return given
