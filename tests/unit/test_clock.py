"""The clock gives times that the rest of the code can compare and store."""

from __future__ import annotations

import time
from datetime import UTC, timedelta

from caudal import clock


def test_now_is_aware_and_in_utc() -> None:
    """A time without a zone never enters the ledger."""
    assert clock.now().tzinfo is UTC


def test_now_and_timestamp_tell_the_same_time() -> None:
    """Both read the same clock."""
    before = clock.timestamp()
    now = clock.now()

    assert before <= now.timestamp() + 1e-6
    assert now.timestamp() <= clock.timestamp() + 1e-6
    assert now.utcoffset() == timedelta(0)


def test_monotonic_never_goes_back() -> None:
    """Durations are never negative."""
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()
