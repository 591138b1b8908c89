"""Fixtures for pytest; import those you want in ``conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caudal.testing.utilities import caudal_test_harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caudal.client import SyncClient

__all__ = ["caudal_harness"]


@pytest.fixture
def caudal_harness() -> Iterator[SyncClient]:
    """Have the test's runs recorded in a ledger of its own; see ``caudal_test_harness``."""
    with caudal_test_harness() as client:
        yield client
