"""Every ledger passes the suite of the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caudal.ledger.memory import MemoryLedger
from caudal.ledger.sqlite import SqliteLedger
from caudal.testing.ledgers import LedgerConformance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caudal.ledger.port import Ledger


class TestLedgers(LedgerConformance):
    """The suite, on each ledger."""

    @pytest.fixture(params=["memory", "sqlite"])
    def ledger(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> Iterator[Ledger]:
        """An empty ledger."""
        if request.param == "memory":
            ledger: Ledger = MemoryLedger()
        else:
            ledger = SqliteLedger(tmp_path / "home" / "caudal.db")
        yield ledger
        ledger.close()
