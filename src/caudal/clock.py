"""The one place that reads the clock; everyone else takes a time as an argument or asks here."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time now, aware and in UTC."""
    return datetime.now(UTC)


def timestamp() -> float:
    """Return the time now, in seconds since 1970-01-01 UTC."""
    return time.time()


def monotonic() -> float:
    """Return seconds on a clock that never goes back, for measuring durations."""
    return time.monotonic()


def thread_time() -> float:
    """Return the seconds of processor time that this thread has used."""
    return time.thread_time()
