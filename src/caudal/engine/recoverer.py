"""Goes on with lost durable flow runs, each in a process of its own.

A run whose process died may be what killed it: too much memory, a crash of a library. So it is never taken up inside a process that does
something else: ``caudal flow-run resume`` does it in a child. A child belongs to no terminal, so that Ctrl-C for its parent does not
end it, and prints nothing to stdout, which is not its own; what it logs goes to stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from caudal.model.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from caudal.model.runs import FlowRunRow
    from caudal.settings import Settings

#: How long a run is left to the process whose sweep found it lost, before others take it up.
_PRECEDENCE_SECONDS = 1.0


class Recoverer:
    """Starts processes that go on with lost flow runs, and knows what became of them.

    Args:
        settings: Which ledger and storage they work with.
        is_wanted: Says whether a flow run is one to go on with here.
        max_children: Processes at a time.
    """

    def __init__(
        self,
        settings: Settings,
        is_wanted: Callable[[FlowRunRow], bool],
        max_children: int = 1,
    ) -> None:
        self._environment = {
            "CAUDAL_HOME": str(settings.home),
            "CAUDAL_LEDGER_PATH": str(settings.ledger_path),
            "CAUDAL_RESULTS_LOCAL_STORAGE_PATH": str(settings.results_local_storage_path),
            "CAUDAL_RESULTS_STORAGE_URL": settings.results_storage_url or "",
            "CAUDAL_RECOVERY_IN_BACKGROUND": "false",
        }  # fmt: skip
        self._is_wanted = is_wanted
        self._max_children = max_children
        self._children: dict[bytes, subprocess.Popen[bytes]] = {}
        #: Each loss is tried once: a run that cannot be loaded here would be tried for ever.
        self._tried: set[tuple[bytes, int]] = set()
        self._ended: list[bytes] = []
        #: Whether a process that was started here ended with another status than 0.
        self.has_failed: bool = False

    def look(
        self, lost: Iterable[FlowRunRow], swept: Iterable[bytes], now: float
    ) -> list[FlowRunRow]:
        """Start processes for lost runs while there is room, and return the runs.

        Args:
            lost: Durable flow runs whose process is gone.
            swept: Those that this process found out about.
            now: Seconds since the epoch.
        """
        self._reap()
        first = set(swept)
        started: list[FlowRunRow] = []
        for row in lost:
            if len(self._children) >= self._max_children:
                break
            if self.was_tried(row) or not self._is_wanted(row):
                continue
            if row.id in first or now - row.state_at >= _PRECEDENCE_SECONDS:
                self._tried.add((row.id, row.attempt))
                self._children[row.id] = self._start(row.id)
                started.append(row)
        return started

    def was_tried(self, row: FlowRunRow) -> bool:
        """Say whether a process was started for a run since it was lost."""
        return (row.id, row.attempt) in self._tried

    @property
    def is_busy(self) -> bool:
        """Whether a process that was started here still works."""
        self._reap()
        return bool(self._children)

    def take_ended(self) -> list[bytes]:
        """Return the flow runs whose processes have ended since the last call."""
        self._reap()
        ended, self._ended = self._ended, []
        return ended

    def wait(self) -> None:
        """Wait until the processes have ended; who interrupts that leaves them to themselves."""
        with suppress(KeyboardInterrupt):
            for child in self._children.values():
                child.wait()
        self._reap()
        for child in self._children.values():
            child.returncode = 0  # its end is nobody's business here any more
        self._children.clear()

    def _start(self, flow_run_id: bytes) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "caudal", "flow-run", "resume", format_id(flow_run_id)],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )  # fmt: skip

    def _reap(self) -> None:
        for flow_run_id, child in list(self._children.items()):
            status = child.poll()
            if status is not None:
                self.has_failed = self.has_failed or status != 0
                self._ended.append(flow_run_id)
                del self._children[flow_run_id]
