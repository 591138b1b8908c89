"""Follows one flow run in the ledger's events while it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from caudal.clock import monotonic
from caudal.exceptions import LedgerError
from caudal.ledger.encoding import decode_flow_change, decode_task_change
from caudal.ledger.port import RunFilter
from caudal.model.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.ledger.port import Ledger

_POLL_SECONDS = 0.2
_CHILDREN_POLL_SECONDS = 1.0
_PAGE = 5000
#: Child flow runs that are looked at; counts of more would cost more than they tell.
_MAX_CHILDREN = 500


class Follower:
    """Adds up what the ledger says about a flow run, on a thread of its own within a ``with`` block.

    Args:
        ledger: Where the run is recorded.
        flow_run_id: The flow run.
        show: Called after every look at the ledger.
    """

    def __init__(
        self, ledger: Ledger, flow_run_id: bytes, show: Callable[[Progress], None]
    ) -> None:
        self.progress = Progress()
        self._ledger, self._flow_run_id, self._show = ledger, flow_run_id, show
        self._seq = 0
        self._children_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="caudal-progress", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def read(self) -> Progress:
        """Take in everything that is new in the ledger and return the progress.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        while self._read_page():
            pass
        self._count_children()
        return self.progress

    def _read_page(self) -> bool:
        """Take in the next events and say whether there are more."""
        events = self._ledger.events(
            since=self._seq, flow_run_id=self._flow_run_id, limit=_PAGE
        )
        for seq, _, kind, _, task_run_id, payload in events:
            self._seq = seq
            if kind == "flow_run":
                self.progress.change_flow_run(decode_flow_change(payload))
            elif kind == "task_run" and task_run_id is not None:
                self.progress.change_task_run(task_run_id, decode_task_change(payload))
        return len(events) == _PAGE

    def _count_children(self) -> None:
        self._children_at = monotonic()
        children = self._ledger.flow_runs(
            RunFilter(flow_run_id=self._flow_run_id), limit=_MAX_CHILDREN
        )
        self.progress.count_children(reversed(children))

    def _run(self) -> None:
        pause = _POLL_SECONDS
        while not self._stop.wait(pause):
            try:
                pause = 0.0 if self._read_page() else _POLL_SECONDS
                if monotonic() - self._children_at >= _CHILDREN_POLL_SECONDS:
                    self._count_children()
            except LedgerError:
                continue  # the run itself notices when this lasts
            self._show(self.progress)
