"""Adds up what the ledger says about one flow run, once or while it runs."""

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


class ProgressReader:
    """Reads a flow run's progress from its events.

    Args:
        ledger: Where the run is recorded.
        flow_run_id: The flow run.
    """

    def __init__(self, ledger: Ledger, flow_run_id: bytes) -> None:
        self.progress = Progress()
        self._ledger, self._flow_run_id = ledger, flow_run_id
        self._seq = 0

    def read(self) -> Progress:
        """Take in everything that is new in the ledger and return the progress.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        while self.read_page():
            pass
        self.read_children()
        return self.progress

    def read_page(self) -> bool:
        """Take in the next events and say whether there are more.

        Raises:
            LedgerError: The ledger cannot be read.
        """
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

    def read_children(self) -> None:
        """Count the child flow runs anew.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        children = self._ledger.flow_runs(
            RunFilter(flow_run_id=self._flow_run_id), limit=_MAX_CHILDREN
        )
        self.progress.count_children(reversed(children))


class Follower:
    """Shows a flow run's progress several times a second, from a thread of its own within a ``with`` block.

    Args:
        reader: Reads the progress; nobody else uses it meanwhile.
        show: Shows it.
    """

    def __init__(
        self, reader: ProgressReader, show: Callable[[Progress], None]
    ) -> None:
        self._reader, self._show = reader, show
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

    def _run(self) -> None:
        pause = _POLL_SECONDS
        children_at = monotonic()
        while not self._stop.wait(pause):
            try:
                pause = 0.0 if self._reader.read_page() else _POLL_SECONDS
                if monotonic() - children_at >= _CHILDREN_POLL_SECONDS:
                    children_at = monotonic()
                    self._reader.read_children()
            except LedgerError:
                continue  # the run itself notices when this lasts
            self._show(self._reader.progress)
