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
    from collections.abc import Callable, Iterator

    from caudal.ledger.port import Ledger

_POLL_SECONDS = 0.2
_CHILDREN_POLL_SECONDS = 0.5
_PAGE = 5000
_CHILDREN_PAGE = 200


class ProgressReader:
    """Reads the progress of a flow run and its child flow runs from their events.

    Args:
        ledger: Where the runs are recorded.
        flow_run_id: The flow run.
    """

    progress: Progress

    def __init__(self, ledger: Ledger, flow_run_id: bytes) -> None:
        self.progress = Progress(flow_run_id)
        self._ledger, self._flow_run_id = ledger, flow_run_id
        #: The flow runs that may have news, and the position of the last event that was read.
        self._read_to = {flow_run_id: 0}
        self._known = {flow_run_id}

    def read(self) -> Progress:
        """Take in everything that is new in the ledger and return the progress.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        while True:
            while self.read_events():
                pass
            if not self.find_children():
                return self.progress

    def read_events(self) -> bool:
        """Take in the next events of each flow run and say whether there are more.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        has_more = False
        for flow_run_id in self._read_to:
            has_more |= self._read_page(flow_run_id)
        return has_more

    def find_children(self) -> bool:
        """Look for child flow runs that are not known yet, and say whether there were any.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        found = False
        for flow_run_id in tuple(self._read_to):
            has_ended = self.progress.has_ended(flow_run_id)
            for child in self._new_children(flow_run_id):
                self._read_to[child] = 0
                found = True
            if has_ended:  # its events and its children are all known
                del self._read_to[flow_run_id]
        return found

    def _read_page(self, flow_run_id: bytes) -> bool:
        progress = self.progress
        since = self._read_to[flow_run_id]
        events = self._ledger.events(since=since, flow_run_id=flow_run_id, limit=_PAGE)
        for _, _, kind, _, task_run_id, payload in events:
            if kind == "flow_run":
                progress.change_flow_run(flow_run_id, decode_flow_change(payload))
            elif kind == "task_run" and task_run_id is not None:
                change = decode_task_change(payload)
                progress.change_task_run(task_run_id, flow_run_id, change)
        if events:
            self._read_to[flow_run_id] = events[-1].seq
        return len(events) == _PAGE

    def _new_children(self, flow_run_id: bytes) -> Iterator[bytes]:
        where = RunFilter(flow_run_id=flow_run_id)
        before: bytes | None = None
        while True:
            rows = self._ledger.flow_runs(where, limit=_CHILDREN_PAGE, before=before)
            new = [row.id for row in rows if row.id not in self._known]
            self._known.update(new)
            yield from new
            if not new or len(rows) < _CHILDREN_PAGE:
                return
            before = rows[-1].id


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
                pause = 0.0 if self._reader.read_events() else _POLL_SECONDS
                if monotonic() - children_at >= _CHILDREN_POLL_SECONDS:
                    children_at = monotonic()
                    self._reader.find_children()
            except LedgerError:
                continue  # the run itself notices when this lasts
            self._show(self._reader.progress)
