"""The parts that runs of one process work with, put together by the composition root."""

from __future__ import annotations

import os
import threading
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from caudal.clock import timestamp
from caudal.engine.flow_scope import FlowScope
from caudal.engine.journal import Journal
from caudal.engine.liveness import is_alive, own_lease
from caudal.engine.pool import Pool
from caudal.engine.results import Results
from caudal.engine.timers import Timers
from caudal.ledger.port import RunFilter
from caudal.model.runs import Fence
from caudal.model.views import FlowRun, TaskRun, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.engine.live_task import LiveTask
    from caudal.engine.loop import LoopThread
    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow
    from caudal.runners.port import Runner
    from caudal.settings import Settings
    from caudal.storage.port import BlobStore

_PAGE = 5000


class Engine:
    """What runs of this process share: ledger, journal, results, threads.

    Args:
        ledger: The durable record.
        store: Where large results are kept.
        settings: As they were when the engine was made.
        local: Executes attempts in this process.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: BlobStore,
        settings: Settings,
        local: Runner,
    ) -> None:
        self.ledger, self.settings, self.local = ledger, settings, local
        #: Identity of this process in leases, new at every start.
        self.owner = os.urandom(16)
        self.random = Random(os.urandom(8))  # noqa: S311 - jitter and names, no secrets
        self._leased = False
        self.journal = Journal(
            ledger,
            renew=self._renew,
            on_refused=self._refused,
            flush_interval=settings.ledger_flush_interval_seconds,
            renew_seconds=settings.lease_seconds / 3,
            give_up_seconds=settings.ledger_busy_timeout_seconds,
        )
        self.results = Results(
            ledger,
            self.journal,
            store,
            default_serializer=settings.results_default_serializer,
            inline_limit=settings.results_inline_limit_bytes,
        )
        self.pool = Pool()
        self.timers = Timers()
        self._scopes: dict[bytes, FlowScope] = {}
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        #: The scope of tasks that are called outside flows.
        self.outside = FlowScope(
            self, None, None, "outside flows", parameters={}, fence=Fence(self.owner, 0), parent=None, runner=local
        )  # fmt: skip

    @property
    def loop(self) -> LoopThread:
        """The event loop for submitted coroutine functions, started on first use."""
        if self._loop is None:
            from caudal.engine.loop import LoopThread  # noqa: PLC0415 - asyncio costs 40 ms

            with self._lock:
                if self._loop is None:
                    self._loop = LoopThread()
        return self._loop

    def register(self, scope: FlowScope) -> None:
        """Learn of a flow run that this process works on; the process holds a lease from now on."""
        assert scope.id is not None, (
            "the scope of tasks outside flows is not registered"
        )
        self._scopes[scope.id] = scope
        if not self._leased:
            self._leased = True
            self._renew()

    def forget(self, scope: FlowScope) -> None:
        """Learn that a flow run has ended here."""
        if scope.id is not None:
            self._scopes.pop(scope.id, None)

    def view(self, run: LiveTask | FlowScope) -> FlowRun | TaskRun:
        """Return a run as hooks see it."""
        if run is run.scope:
            return _flow_view(run.scope)
        return _task_view(cast("LiveTask", run))

    def view_for_cache(self, run: LiveTask) -> Any:
        """Return what a cache policy may look at."""
        return CacheContext(run)

    def load_recorded(self, scope: FlowScope) -> None:
        """Read a flow run's task runs of earlier attempts, so that what they did is not done again."""
        assert scope.id is not None, "only flow runs have attempts"
        self.journal.barrier().wait()
        where = RunFilter(flow_run_id=scope.id)
        after: bytes | None = None
        while True:
            rows = self.ledger.task_runs(where, limit=_PAGE, after=after)
            scope.recorded.update((row.path, row) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].id

    def claim(self, flow_run_id: bytes) -> FlowRunRow:
        """Take a flow run over for this process; see ``Ledger.claim``."""
        self.journal.barrier().wait()
        if not self._leased:
            self._leased = True
            self._renew()
        return self.ledger.claim(flow_run_id, self.owner, timestamp(), is_alive)

    def sweep(self) -> Sequence[FlowRunRow]:
        """Mark the runs of dead processes as crashed; see ``Ledger.sweep``."""
        return self.ledger.sweep(timestamp(), is_alive)

    def close(self) -> None:
        """Write what is left, give up the lease and release everything; a second call does nothing."""
        self.outside.dispatcher.wait()
        self.timers.close()
        self.pool.close()
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        self.journal.close()
        if self._leased:
            self._leased = False
            self.ledger.release(self.owner)
        self.ledger.close()

    def _renew(self) -> None:
        if self._leased:
            expires_at = timestamp() + self.settings.lease_seconds
            self.ledger.renew(own_lease(self.owner, expires_at))

    def _refused(self, flow_run_id: bytes, reason: str) -> None:
        scope = self._scopes.get(flow_run_id)
        if scope is not None:
            scope.lose(reason)


class CacheContext:
    """What a cache policy sees of a task run: the task, the task run and its flow run."""

    __slots__ = ("flow_run", "parameters", "task", "task_run")

    def __init__(self, run: LiveTask) -> None:
        self.task = run.spec.decorated
        self.parameters: dict[str, Any] = run.spec.bind(run.args, run.kwargs)
        self.task_run: TaskRun = _task_view(run)
        self.flow_run: FlowRun | None = (
            None if run.scope.id is None else _flow_view(run.scope)
        )


def _flow_view(scope: FlowScope) -> FlowRun:
    assert scope.uuid is not None, "the scope of tasks outside flows is no flow run"
    return FlowRun(
        id=scope.uuid,
        name=scope.name,
        flow_name=scope.spec.name if scope.spec else "",
        state=scope.state(),
        created=utc(scope.created_at),
        run_count=scope.run_count,
        parameters=scope.parameters,
        tags=sorted(scope.tags),
        attempt=scope.fence.attempt,
    )


def _task_view(run: LiveTask) -> TaskRun:
    return TaskRun(
        id=UUID(bytes=run.id),
        flow_run_id=run.scope.uuid,
        name=run.name,
        task_name=run.spec.name,
        dynamic_key=run.path,
        state=run.state(),
        created=utc(run.created_at),
        run_count=run.run_count,
        details={"tags": sorted(run.spec.tags)},
    )
