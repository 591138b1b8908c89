"""A task run as it lives in this process, until the ledger alone remembers it."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.clock import timestamp
from caudal.engine.context import added_tags
from caudal.engine.logs import LogItem
from caudal.engine.results import StoredValue
from caudal.engine.task_news import Afterwards, add_news, begun_at
from caudal.ledger.port import TaskWrite
from caudal.model.ids import format_id
from caudal.model.runs import TaskRunChange, Used
from caudal.model.states import State, StateType

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context

    from caudal.engine.commands import Command
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.journal import Journal
    from caudal.engine.parts import InputRun
    from caudal.engine.slots import Ticket
    from caudal.engine.waiting import Place
    from caudal.ledger.port import Batch
    from caudal.model.runs import LogRow, TaskRunRow
    from caudal.model.specs import TaskSpec

#: Guards the callbacks, and the news, of all task runs: it is held for a few instructions at a time.
_lock = threading.Lock()

#: A run that took less than this, and less of the processor, is brief: to measure it would cost a good part of what it takes. Threads that
#: wait for the interpreter, 5 ms at a time, make brief runs longer.
BRIEF_SECONDS = 0.05
BRIEF_CPU_SECONDS = 0.001

_NONE: dict[str, Any] = {}
_PENDING = StateType.PENDING.value
_RUNNING = StateType.RUNNING.value
_COMPLETED = StateType.COMPLETED.value


class LiveTask:
    """A task run in this process: what it was called with, where it is, and what the ledger does not know yet.

    Args:
        spec: The task.
        scope: The flow run, or the scope of tasks outside flows.
        parent: The task or flow run whose code made the call.
        name: Name of the run.
        path: Its position in the flow's program.
        args: Positional arguments; futures among them are replaced when the run starts.
        kwargs: Keyword arguments, likewise.
    """

    __slots__ = (
        "after",
        "args",
        "at",
        "callbacks",
        "completed_at",
        "context",
        "counters",
        "created_at",
        "data",
        "deferred_at",
        "done",
        "id",
        "is_announced",
        "kwargs",
        "message",
        "name",
        "news",
        "on_loop",
        "parent",
        "path",
        "place",
        "program",
        "queued",
        "row",
        "run_count",
        "scope",
        "spec",
        "started_at",
        "state_name",
        "stored",
        "tags",
        "ticket",
        "type",
        "unmet",
        "upstream",
        "used",
    )

    id: bytes
    parent: Any
    scope: FlowScope
    spec: TaskSpec
    name: str
    path: str
    created_at: float
    unmet: int
    on_loop: bool
    run_count: int
    deferred_at: float | None
    started_at: float
    completed_at: float
    is_announced: bool
    at: float
    state_name: str
    type: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    done: bool
    queued: bool

    def __init__(
        self,
        spec: TaskSpec,
        scope: FlowScope,
        parent: Any,
        name: str,
        path: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.id = scope.ids.new()
        self.spec, self.scope, self.parent = spec, scope, parent
        self.name, self.path = name, path
        self.args, self.kwargs = args, kwargs
        self.created_at = now = timestamp()
        self.type, self.state_name, self.at = _PENDING, "Pending", now
        self.message: str | None = None
        #: The result or the exception, once the run is done.
        self.data: Any = None
        #: Moves and details that the journal has not taken yet, None when there were none so far. The moves that nearly every run makes
        #: are times instead, as what a thousand waiting runs hold keeps the garbage collector busy: when it started for the first time
        #: and when it completed, 0.0 once the journal has taken them.
        self.news: list[Any] | None = None
        self.started_at = self.completed_at = 0.0
        #: Whether the journal has taken that there is such a run.
        self.is_announced = False
        self.deferred_at = None
        self.queued = self.done = False
        #: The row that the ledger holds, as this process wrote it last.
        self.row: TaskRunRow | None = None
        self.run_count = 0
        self.stored: Any = None
        self.callbacks: list[Callable[[], None]] | None = None
        self.context: Context | None = None
        self.program: Generator[Command, Any, Any] | None = None
        #: Its tags, None where there are none.
        self.tags: frozenset[str] | None = None
        #: Slots of limits on its tags.
        self.ticket: Ticket | None = None
        self.unmet = 0
        self.on_loop = False
        #: What the run holds while it executes on a thread of the pool.
        self.place: Place | None = None
        #: Task runs whose results came in as arguments.
        self.upstream: list[InputRun] | None = None
        #: What the caller gave as ``wait_for``.
        self.after: Any = None
        self.counters: dict[str, count[int]] | None = None
        #: What the attempt that has just ended used: processor time in seconds, most memory in bytes; None where its runner did not tell.
        self.used: tuple[float | None, int | None] | None = None

    def move(self, kind: str, name: str, message: str | None = None) -> None:
        """Enter a state that need not be seen at once; the journal writes it within its flush interval."""
        if self.done:
            return
        now = timestamp()
        if self.used is not None:
            self._note_used(now)
        self.at = now
        self.type, self.state_name, self.message = kind, name, message
        if kind == _RUNNING:
            self.run_count += 1
        if self.news is None and name == "Running" and self.run_count == 1:
            self.started_at = now
        else:
            self._tell((kind, name, now, message))
        if self.deferred_at is None and not self.queued:
            self.scope.journal.defer(self, now)

    def finish(
        self, kind: str, name: str, data: Any = None, message: str | None = None
    ) -> None:
        """Enter the last state, release what the run held, and tell those who wait; a second call does nothing."""
        if self.done:
            return
        now = timestamp()
        if self.used is not None:
            self._note_used(now)
        elif now - self.at > BRIEF_SECONDS:
            self.spec.brief = 0
        self.at = now
        self.type, self.state_name, self.message, self.data = kind, name, message, data
        row = self.row
        ended_before = row is not None and row.state_type == _COMPLETED
        if ended_before and kind != _COMPLETED and not self.run_count:
            self.forget_news()  # it did not start: what an earlier attempt recorded of it stays
        else:
            if self.news is None and name == "Completed" and message is None:
                self.completed_at = now
            else:
                self._tell((kind, name, now, message))
            if not self.queued:
                self.queued = True
                self.scope.journal.put(self)
        self.close()

    def roll_back(self) -> None:
        """Say of a completed run that what it did was undone with the transaction around it."""
        self.at, self.state_name = timestamp(), "RolledBack"
        self.message = "Rolled back with the transaction around it."
        self._tell((self.type, self.state_name, self.at, self.message))
        self.record_late()

    def record_late(self) -> None:
        """Have what became known of a run recorded without delay, also after its end."""
        self.scope.journal.put(Afterwards(self, self.scope))

    def _note_used(self, now: float) -> None:
        """Have what the attempt used recorded, which ends now."""
        assert self.used is not None, "the runner has just said"
        cpu_seconds, _ = used = self.used
        self._tell(Used(now, *used))
        self.used = None
        is_brief = (cpu_seconds or 0.0) < BRIEF_CPU_SECONDS and now - self.at < BRIEF_SECONDS  # fmt: skip
        self.spec.brief = self.spec.brief + 1 if is_brief else 0

    def close(self) -> None:
        """Release what the run held and tell those who wait; its last state is set."""
        self.args, self.kwargs = (), _NONE
        self.context = self.program = self.upstream = self.counters = self.after = None
        self.scope.live.discard(self)
        with _lock:
            self.done = True
            callbacks, self.callbacks = self.callbacks, None
        if callbacks is not None:
            for callback in callbacks:
                callback()

    def __call__(self) -> None:
        """Carry the run out on this thread: submitted runs are themselves the jobs of the pool."""
        self.scope.dispatcher.drive(self)

    def know(self, **details: Any) -> None:
        """Add facts to the run's details."""
        self._tell(details)

    def _tell(self, news: Any) -> None:
        """Keep a move, details or what an attempt used for the journal."""
        with _lock:
            if self.news is None:
                self.news = []
            self.news.append(news)

    def forget_news(self) -> None:
        """Leave what is on record of the run as it is."""
        with _lock:
            self.is_announced, self.started_at, self.news = True, 0.0, None

    def transaction_values(self) -> dict[str, Any] | None:
        """Return the values that the run's code sees in transactions; None where there is none around it."""
        transaction = self.scope.transactions.get(self.id)
        return None if transaction is None else transaction.values()

    def set_values(self, values: dict[str, Any]) -> None:
        """Set what the run's code has set in its transaction in another process."""
        transaction = self.scope.transactions.get(self.id)
        if transaction is not None:
            for name, value in values.items():
                transaction.set(name, value)

    def log(self, row: LogRow) -> None:
        """Record a line that another process logged for the run."""
        self.scope.journal.put(
            LogItem(row._replace(flow_run_id=self.scope.id, task_run_id=self.id))
        )

    def describe_asset(self, key: str, metadata: dict[str, Any]) -> None:
        """Add facts about an asset that the run makes."""
        assert self.scope.lineage is not None, "a run that makes assets has one"
        self.scope.lineage.describe(self.id, key, metadata)

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called once when the run is done, at once if it is."""
        with _lock:
            if not self.done:
                if self.callbacks is None:
                    self.callbacks = [callback]
                else:
                    self.callbacks.append(callback)
                return
        callback()

    def collect(self, batch: Batch) -> None:
        """Add the moves and details that are new to a batch."""
        self.queued = False
        change = TaskRunChange()
        # What came last is looked at first: whatever came before that is seen then.
        news = None if self.news is None else self._take_news()
        change.moves = moves = self._take_moves()
        if news:
            add_news(change, news)
        elif not moves:
            return
        before, flow_run_id = self.row, self.scope.id
        if before is None:
            change.name, change.task_name = self.name, self.spec.name
            change.path, change.created_at = self.path, self.created_at
        elif self.name != before.name:
            change.name = self.name
        write = TaskWrite.of(self.id, flow_run_id, change, before)
        self.row = write.after
        if flow_run_id is not None:
            batch.fences[flow_run_id] = self.scope.fence
        batch.writes.append(write)

    def _take_moves(self) -> list[Any]:
        """Return the moves that are kept as times, once."""
        moves: list[Any] = []
        completed_at, started_at = self.completed_at, self.started_at
        if not self.is_announced:
            self.is_announced = True
            moves.append((_PENDING, "Pending", self.created_at, None))
        if started_at:
            self.started_at = 0.0
            moves.append((_RUNNING, "Running", started_at, None))
        if completed_at:
            self.completed_at = 0.0
            moves.append((_COMPLETED, "Completed", completed_at, None))
        return moves

    def _take_news(self) -> list[Any] | None:
        """Return the news, once; later ones are never kept as times."""
        with _lock:
            news, self.news = self.news, None if self.done else []
        return news

    def next_index(self, key: str) -> int:
        """Return how many calls of a task this run's code made before."""
        if self.counters is None:
            self.counters = {}
        counter = self.counters.get(key)
        if counter is None:
            counter = self.counters.setdefault(key, count())
        return next(counter)

    @property
    def inherited_tags(self) -> frozenset[str]:
        """Tags that the run's code passes on to what it calls; asked from that code."""
        return added_tags.get() | self.scope.tags

    @property
    def journal(self) -> Journal:
        """Where the run is recorded."""
        return self.scope.journal

    @property
    def begun_at(self) -> float | None:
        """When it started first; None before."""
        return begun_at(self)

    @property
    def is_completed(self) -> bool:
        """Whether the run ended well."""
        return self.type == "COMPLETED"

    def state(self) -> State[Any]:
        """Return the state the run is in."""
        state: State[Any] = State(
            self.type, self.state_name, self.message, self.data, self.at
        )
        return state.of_run(self.id, self.scope.id)

    def outcome(self, *, raise_on_failure: bool = True) -> Any:
        """Return the run's result, or raise what made it fail; the run is done."""
        if self.type == "COMPLETED" and self.data.__class__ is not StoredValue:
            return self.data
        return self.state().get(raise_on_failure=raise_on_failure)

    @property
    def uuid(self) -> UUID:
        """The run's id."""
        return UUID(bytes=self.id)

    def __repr__(self) -> str:
        return f"<task run {self.name!r} {format_id(self.id)} {self.state_name}>"
