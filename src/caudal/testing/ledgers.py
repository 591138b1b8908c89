"""The conformance suite of the ledger port: what holds for every ledger is stated here, once, as tests.

A test module makes it run on an implementation::

    class TestMyLedger(LedgerConformance):
        @pytest.fixture
        def ledger(self) -> Iterator[Ledger]:
            ledger = MyLedger()
            yield ledger
            ledger.close()
"""

from __future__ import annotations

from caudal.testing.ledger_control import ControlConformance
from caudal.testing.ledger_documents import DocumentConformance
from caudal.testing.ledger_inputs import InputConformance
from caudal.testing.ledger_limits import LimitConformance
from caudal.testing.ledger_reads import ReadConformance
from caudal.testing.ledger_search import SearchConformance
from caudal.testing.ledger_stamps import StampConformance
from caudal.testing.ledger_takeover import TakeoverConformance
from caudal.testing.ledger_writes import BatchConformance


class LedgerConformance(
    BatchConformance,
    StampConformance,
    TakeoverConformance,
    ControlConformance,
    ReadConformance,
    LimitConformance,
    DocumentConformance,
    InputConformance,
    SearchConformance,
):
    """All rules for ledgers; a subclass gives the fixture ``ledger``, an empty one for each test."""
