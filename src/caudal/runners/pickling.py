"""Pickles what goes to another process: functions and classes of the main script travel by value."""

from __future__ import annotations

from typing import Any, cast

import cloudpickle


def dumps(value: Any) -> bytes:
    """Return a value as bytes that ``pickle.loads`` understands.

    Raises:
        Exception: Whatever the value's pickling raises.
    """
    return cast("Any", cloudpickle).dumps(value)
