"""What holds for every ledger holds on a bad day: the suite of the port runs with faults injected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caudal.ledger.sqlite import SqliteLedger
from caudal.testing.ledgers import LedgerConformance
from tests.integration.faults import (
    Busy,
    ErrorAfterCommit,
    ErrorAtBegin,
    ErrorAtStatement,
    Fault,
    FullAtCommit,
    Insistent,
    NoMorePages,
    NoWrites,
    faulty_ledger,
    storm,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caudal.ledger.port import Ledger

FAULTS = [
    Busy,
    ErrorAtBegin,
    ErrorAtStatement,
    FullAtCommit,
    ErrorAfterCommit,
    NoMorePages,
    NoWrites,
]


class TestLedgersWithFaults(LedgerConformance):
    """The suite, with a caller who gives again what was answered with an error."""

    @pytest.fixture(params=FAULTS)
    def ledger(
        self,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Insistent]:
        """An empty ledger whose transactions fail every other time."""
        path = tmp_path / "caudal.db"
        kind = request.param
        fault: Fault = kind(tmp_path / "caudal.db-wal") if kind is NoWrites else kind()
        with faulty_ledger(path, fault, monkeypatch) as ledger:
            yield ledger


class TestLedgersInAStorm(LedgerConformance):
    """The suite, with neighbours who take the file all the time."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        """An empty ledger in a file that others write to."""
        ledger = SqliteLedger(tmp_path / "caudal.db")
        with storm(tmp_path / "caudal.db"):
            yield ledger
        ledger.close()
