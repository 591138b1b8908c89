"""The parts that runs of one process work with, put together by the composition root."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.flow_scope import FlowScope
from caudal.engine.journal import Journal
from caudal.engine.liveness import is_alive, own_lease
from caudal.engine.pool import Pool
from caudal.engine.results import Results
from caudal.engine.task_run import task_program
from caudal.engine.timers import Timers
from caudal.exceptions import LedgerError
from caudal.ledger.control import PAUSED, SUSPENDED
from caudal.ledger.plan import STALE_FENCE
from caudal.model.runs import Fence
from caudal.model.states import is_terminal
from caudal.settings.current import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from caudal.engine.loop import LoopThread
    from caudal.engine.recoverer import Recoverer
    from caudal.engine.slots import Slots
    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow
    from caudal.runners.port import Runner
    from caudal.settings import Settings
    from caudal.storage.port import BlobStore

#: Seconds between two looks at whether somebody wants a flow run of this process to stop.
WATCH_SECONDS = 1.0
#: Why a flow run ends that was cancelled from elsewhere.
CANCELLED = "the flow run was cancelled"

_logger = logging.getLogger("caudal.engine")


def file_of(row: FlowRunRow) -> str:
    """Return the file that a flow run's flow is in, or an empty text."""
    return str(row.details.get("entrypoint") or "").rpartition(":")[0]


class Engine:
    """What runs of this process share: ledger, journal, results, threads.

    Args:
        ledger: The durable record.
        store: Where large results are kept.
        settings: As they were when the engine was made.
        local: Executes attempts in this process.
        open_storage: Makes a store of what flows and tasks are given as ``result_storage``.
    """

    ledger: Ledger
    settings: Settings
    local: Runner
    owner: bytes
    random: Random
    journal: Journal
    results: Results
    timers: Timers
    pool: Pool
    outside: FlowScope
    trusted_until: float

    def __init__(
        self,
        ledger: Ledger,
        store: BlobStore,
        settings: Settings,
        local: Runner,
        open_storage: Callable[[Any], BlobStore],
    ) -> None:
        self.ledger, self.settings, self.local = ledger, settings, local
        #: Identity of this process in leases, new at every start.
        self.owner = os.urandom(16)
        self.random = Random(os.urandom(8))  # noqa: S311 - jitter and names, no secrets
        self._leased = False
        self._recoverer: Recoverer | None = None
        self._watched: set[str] = set()
        #: When this process has to make sure that its flow runs are still its own, in seconds since the epoch.
        self.trusted_until = inf
        self.journal = Journal(
            ledger,
            self.owner,
            duties=[
                (settings.lease_seconds / 3, self._keep_house),
                (WATCH_SECONDS, self.watch),
            ],
            on_refused=self._refused,
            flush_interval=settings.ledger_flush_interval_seconds,
            give_up_seconds=settings.ledger_busy_timeout_seconds,
        )
        self.results = Results(
            ledger,
            self.journal,
            store,
            open_storage=open_storage,
        )
        self.task_program: Callable[[Any, Runner], Generator[Any, Any, None]] = (
            task_program
        )
        self.timers = Timers()
        self.pool = Pool(self.timers)
        #: The flow runs that this process works on.
        self._scopes: dict[bytes, FlowScope] = {}
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._slots: Slots | None = None
        #: The scope of tasks that are called outside flows.
        self.outside = FlowScope(
            self, None, None, "outside flows", parameters={}, fence=Fence(self.owner, 0), parent=None, runner=local
        )  # fmt: skip
        self.outside.persist = settings.results_persist_by_default
        self.outside.log_prints = settings.logging_log_prints

    def refuse_other_settings(self) -> None:
        """Do nothing unless ``temporary_settings`` here ask for an engine that is made from something else.

        Raises:
            SettingError: They do.
        """
        block = temporary.get()
        if block is not None:
            block.require_engine_of(self.settings)

    @property
    def slots(self) -> Slots:
        """Acquires slots of named limits, made on first use."""
        if self._slots is None:
            from caudal.engine.slots import Slots  # noqa: PLC0415 - few processes use limits

            with self._lock:
                if self._slots is None:
                    self._slots = Slots(self.ledger, self.owner, self._hold_lease)
        return self._slots

    @property
    def loop(self) -> LoopThread:
        """The event loop for submitted coroutine functions, started on first use."""
        if self._loop is None:
            from caudal.engine.loop import LoopThread  # noqa: PLC0415 - asyncio costs 40 ms

            with self._lock:
                if self._loop is None:
                    self._loop = LoopThread()
        return self._loop

    def is_loop_thread(self) -> bool:
        """Say whether this is the thread of the event loop for submitted coroutine functions."""
        return self._loop is not None and self._loop.is_current()

    def hurry(self, owner: object) -> None:
        """Wake the runs of a dispatcher that sleep, and those of stopped flow runs that wait for slots."""
        self.timers.hurry(owner)
        if self._slots is not None:
            self._slots.hurry()

    def register(self, flow_run_id: bytes, scope: FlowScope) -> None:
        """Learn of a flow run that this process works on; the process holds a lease from now on."""
        self._hold_lease()
        self._scopes[flow_run_id] = scope

    def forget(self, flow_run_id: bytes) -> None:
        """Learn that a flow run has ended here."""
        self._scopes.pop(flow_run_id, None)

    def claim(self, flow_run_id: bytes, *, again: bool = False) -> FlowRunRow:
        """Take a flow run over for this process; see ``Ledger.claim``."""
        self.journal.barrier().wait()
        self._hold_lease()
        try:
            return self.ledger.claim(
                flow_run_id, self.owner, timestamp(), is_alive, again=again
            )
        except LedgerError:
            # It may have been written all the same; nobody else could take the run over as long as this process lives.
            row = self.ledger.flow_run(flow_run_id)
            if row is None or row.owner != self.owner or flow_run_id in self._scopes:
                raise
            return row

    def sweep(self) -> Sequence[FlowRunRow]:
        """Mark the runs of dead processes as crashed; see ``Ledger.sweep``."""
        limit = self.settings.recovery_limit
        return self.ledger.sweep(timestamp(), is_alive, recovery_limit=limit)

    def recover_file(self, file: str) -> None:
        """Go on with lost durable flow runs whose flow is in a file, as long as this process works, where the settings allow it."""
        settings = self.settings
        if (
            not settings.recovery_in_background
            or str(settings.ledger_path) == ":memory:"
        ):
            return
        self._watched.add(file)
        if self._recoverer is None:
            from caudal.engine.recoverer import Recoverer  # noqa: PLC0415 - only for durable flows

            self._recoverer = Recoverer(settings, lambda row: file_of(row) in self._watched)  # fmt: skip

    def close(self) -> None:
        """Write what is left, give up the lease and release everything; a second call does nothing.

        Processes that were started here to go on with lost flow runs are waited for.
        """
        recoverer, self._recoverer = self._recoverer, None
        if recoverer is not None:
            recoverer.wait()
        self.outside.dispatcher.wait()
        self.timers.close()
        self.pool.close()
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        if self._slots is not None:
            self._slots.close()
        self.journal.close()
        if self._leased or self.journal.has_written:
            self._leased = False
            with suppress(LedgerError):  # where it cannot be given up it expires
                self.ledger.release(self.owner)
        self.ledger.close()

    def _keep_house(self) -> None:
        """Extend the lease, close what dead processes left, and go on with what is to be gone on with here.

        Raises:
            LedgerError: The lease could not be extended.
        """
        self.renew()
        if not self._leased:
            return
        try:
            swept = [row.id for row in self.sweep()]
            if self._recoverer is not None:
                lost = [row for row in self.ledger.unfinished() if row.state_type == "CRASHED"]  # fmt: skip
                self._recoverer.look(lost, swept, timestamp())
        except Exception as error:  # noqa: BLE001 - whatever it is, the journal's thread has to go on
            _logger.warning("lost flow runs are not looked for now: %s", error)

    def _hold_lease(self) -> None:
        if not self._leased:
            self._leased = True
            try:
                self.renew()
            except LedgerError:
                self._leased = False
                raise

    def renew(self) -> None:
        """Extend the lease; when it had run out, as in a process that slept, see which flow runs others own by now.

        Raises:
            LedgerError: The ledger cannot be reached.
        """
        if not self._leased:
            return
        now = timestamp()
        self.ledger.renew(own_lease(self.owner, now + self.settings.lease_seconds))
        if now > self.trusted_until:
            for flow_run_id in tuple(self._scopes):
                row = self.ledger.flow_run(flow_run_id)
                if row is not None and row.owner != self.owner:
                    self._refused(flow_run_id, STALE_FENCE)
        self.trusted_until = now + self.settings.lease_seconds

    def watch(self) -> None:
        """Look whether somebody wants one of this process's flow runs to stop, and see to it.

        Raises:
            LedgerError: The ledger cannot be reached.
        """
        if not self._scopes:
            return
        asked: list[FlowScope] = []
        for flow_run_id, kind, name, _ in self.ledger.control.asked(self.owner):
            scope = self._scopes.get(flow_run_id)
            if scope is None or name == PAUSED:
                continue
            asked.append(scope)
            if kind == "CANCELLING":
                scope.stop.ask(CANCELLED)
            else:
                scope.stop.suspend()
        for (
            scope
        ) in asked:  # when all know: a run leaves the rest to those that called it
            scope.stop.press()

    def _refused(self, flow_run_id: bytes, reason: str) -> None:
        scope = self._scopes.get(flow_run_id)
        if scope is None:
            return
        row = self.ledger.flow_run(flow_run_id)
        if row is None or row.owner != self.owner or row.state_type != "CANCELLING":
            scope.lose(reason)
            return
        scope.stop.ask(CANCELLED)
        scope.stop.refused = is_terminal(scope.type) or scope.state_name == SUSPENDED
