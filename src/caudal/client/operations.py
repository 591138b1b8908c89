"""All that a client can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.client.control import RunControl
from caudal.client.documents import DocumentReads
from caudal.client.limits import LimitMethods
from caudal.client.reading import RunReads

if TYPE_CHECKING:
    from caudal.engine.engine import Engine


class Operations(RunReads, RunControl, DocumentReads, LimitMethods):
    """Reads the ledger and asks things of flow runs; what this process recorded so far is seen.

    Args:
        engine: Whose ledger to use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
