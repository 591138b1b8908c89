"""A flow run as it lives in this process: what its tasks share."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from msgspec import UNSET

from caudal.clock import timestamp
from caudal.engine.commands import Io
from caudal.engine.context import added_tags
from caudal.engine.dispatcher import Dispatcher
from caudal.engine.origins import Origins
from caudal.engine.stopping import Stop
from caudal.exceptions import LeaseLostError, LedgerError
from caudal.ledger.control import SUSPENDED
from caudal.ledger.port import FlowWrite
from caudal.model.ids import TaskRunIds, format_id, new_id
from caudal.model.runs import Fence, FlowRunChange, Move
from caudal.model.states import State, StateType, is_terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from caudal.engine.commands import Command
    from caudal.engine.dispatcher import Submitted
    from caudal.engine.journal import Journal
    from caudal.engine.lineage import Lineage
    from caudal.engine.parts import Parts, Run
    from caudal.engine.recorded import Recorded
    from caudal.ledger.port import Batch
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import FlowSpec
    from caudal.runners.port import Runner

_PENDING = StateType.PENDING.value


class FlowScope:
    """A flow run in this process, or the scope of tasks that are called outside flows.

    Args:
        parts: What it works with.
        spec: The flow; None for the scope of tasks outside flows.
        run_id: The flow run's id; None for the scope of tasks outside flows.
        name: Name of the run.
        parameters: The call's validated parameters.
        fence: Proof that this process owns the run.
        parent: The run whose code made the call, None at the top.
        runner: Where submitted tasks execute.
    """

    parts: Parts
    spec: FlowSpec | None
    id: bytes | None
    name: str
    parameters: dict[str, Any]
    fence: Fence
    parent: Run | None
    journal: Journal
    dispatcher: Dispatcher
    ids: TaskRunIds | _OutsideIds
    place: None
    origins: Origins
    stop: Stop
    is_part: bool
    created_at: float
    at: float
    type: str
    state_name: str
    run_count: int

    def __init__(
        self,
        parts: Parts,
        spec: FlowSpec | None,
        run_id: bytes | None,
        name: str,
        *,
        parameters: dict[str, Any],
        fence: Fence,
        parent: Run | None,
        runner: Runner,
    ) -> None:
        self.parts, self.spec, self.id, self.name = parts, spec, run_id, name
        self.parameters, self.fence, self.parent = parameters, fence, parent
        self.tags: frozenset[str] = frozenset()
        self.journal = parts.journal
        self.runner = runner
        self.dispatcher = Dispatcher(parts, runner)
        self.ids = (
            _OutsideIds()
            if run_id is None
            else TaskRunIds(run_id, fence.attempt, os.urandom(3))
        )
        self.path = ""
        #: A flow's code holds no place of its own; that of the task around it counts.
        self.place = None
        self.counters: dict[str, count[int]] = {}
        self.origins = Origins()
        #: Assets of its task runs; None while no task has to do with any.
        self.lineage: Lineage | None = None
        #: Task runs that have not ended.
        self.live: set[Submitted] = set()
        #: Transactions of task runs that take part in one, by id of the run.
        self.transactions: dict[bytes, Any] = {}
        #: What earlier attempts at this flow run left, so that it need not be done again; None in the first attempt.
        self.recorded: Recorded | None = None
        #: Whether this process took the run over, so that it is running already.
        self.resumed = False
        #: Whether it goes on where another process was cut off, so that failed tries count.
        self.goes_on = False
        #: How often the flow's function has failed.
        self.failures = 0
        self.created_at = self.at = timestamp()
        #: When its code started first; None before.
        self.begun_at: float | None = None
        self.type, self.state_name = _PENDING, "Pending"
        self.message: str | None = None
        self.data: Any = None
        self.run_count = 0
        #: Why this process may not go on with the run; None while it may.
        self.lost: str | None = None
        #: Why no further task may start; None while they may.
        self.stopping: str | None = None
        #: Whether somebody cancels the run, and the way to its code.
        self.stop = Stop(self)
        #: Keys of the pauses that the run has behind it, and how many its code has met.
        self.pauses: list[str] = []
        #: The pause in which a process that died waited; None where there is none.
        self.lost_pause: dict[str, Any] | None = None
        self._pauses_met = 0
        #: Whether the run is another process's, which has a task of it execute here.
        self.is_part = False
        #: The flow as bytes, once another process takes part in the run; empty where it cannot travel.
        self.packed_flow: bytes | None = None
        #: Task runs whose results came from an earlier attempt.
        self.restored = 0
        #: What calls of a durable flow with the same parameters have in common; None for other flows.
        self.durable_key: str | None = None
        self.persist = False
        #: Whether exceptions of its tasks are stored like results, for processes that wait for them.
        self.keeps_errors = False
        #: Where results are kept that name no place themselves; None is where all are.
        self.storage: Any = None
        self.log_prints = False

    @property
    def scope(self) -> FlowScope:
        """Itself: a flow run is the scope of its own code."""
        return self

    @property
    def inherited_tags(self) -> frozenset[str]:
        """Tags that the flow's code passes on to what it calls; asked from that code."""
        return added_tags.get() | self.tags

    @property
    def has_ended(self) -> bool:
        """Whether the run is in its last state."""
        return is_terminal(self.type)

    @property
    def proof(self) -> Fence:
        """What shows that this process may write for the run: its fence; once the run has ended, that nobody has taken it up since."""
        return Fence(None, self.fence.attempt) if self.has_ended else self.fence

    @property
    def uuid(self) -> UUID | None:
        """The run's id; None for the scope of tasks outside flows."""
        return None if self.id is None else UUID(bytes=self.id)

    def above(self) -> Iterator[FlowScope]:
        """Yield the flow runs whose code led to this one, the nearest first, as far as they are in this process."""
        above = self.parent
        while above is not None:
            scope = cast("FlowScope", above.scope)
            yield scope
            above = scope.parent

    def next_index(self, key: str) -> int:
        """Return how many calls of a task the flow's own code made before."""
        counter = self.counters.get(key)
        if counter is None:
            counter = self.counters.setdefault(key, count())
        return next(counter)

    def create(self, details: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Record the run's creation.

        Args:
            details: Facts of the row's details: entrypoint, version, path.
            parameters: JSON-ready parameters for the record.
        """
        parent = self.parent
        flow_parent = parent.scope.id if parent is not None else None
        task_parent = (
            parent.id if parent is not None and parent is not parent.scope else None
        )
        self._put(
            FlowRunChange(
                moves=[Move(_PENDING, "Pending", self.created_at)],
                name=self.name,
                flow_name=self.spec.name if self.spec else "",
                created_at=self.created_at,
                parent_flow_run_id=flow_parent.hex() if flow_parent else None,
                parent_task_run_id=task_parent.hex() if task_parent else None,
                parameters=parameters,
                tags=sorted(self.tags),
                owner=(self.fence.owner or b"").hex(),
                attempt=self.fence.attempt,
                durable_key=self.durable_key or UNSET,
                details=details,
            )
        )

    def move(
        self,
        kind: str,
        name: str,
        message: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Enter a state and record it; a run that ended or is suspended lets go of its owner."""
        self.at = now = timestamp()
        self.type, self.state_name, self.message = kind, name, message
        if kind == "RUNNING":
            self.run_count += 1
            self.begun_at = self.begun_at or now
        change = FlowRunChange(moves=[Move(kind, name, now, message)], details=details)
        if is_terminal(kind) or name == SUSPENDED:
            change.owner = None
            if kind == "CRASHED" and self.durable_key is not None:
                change.durable_key = None  # this process ended it, it was not lost
        self._put(change)

    def know(self, **facts: Any) -> None:
        """Record facts about the run: fields of a ``FlowRunChange``."""
        self._put(FlowRunChange(**facts))

    def _put(self, change: FlowRunChange) -> None:
        if self.id is None:
            return
        self.journal.put(_FlowItem(self.id, self.fence, change))

    def enter(self, row: FlowRunRow) -> None:
        """Learn of the state that another process moved the run to."""
        self.type, self.state_name, self.at = (
            row.state_type,
            row.state_name,
            row.state_at,
        )
        self.message, self.run_count = row.details.get("message"), row.run_count
        self.begun_at = row.started_at

    def next_pause(self) -> str:
        """Return the number of the next pause in the flow's code, as its key."""
        self._pauses_met += 1
        return str(self._pauses_met)

    def begin_retry(self) -> None:
        """Count calls from the start again and let tasks start: the flow's code runs once more."""
        self.counters = {}
        self._pauses_met = 0
        self.stopping = None
        self.dispatcher.restart()

    def close_tasks(self, reason: str) -> None:
        """End the task runs that are still open, and let no further one start.

        They are those of threads that cannot be interrupted; what their code does later is not recorded.
        """
        self.stopping = reason
        for run in tuple(self.live):
            run.finish("CANCELLED", "Cancelled", None, f"It did not end when {reason}.")

    def lose(self, reason: str) -> None:
        """Learn that the ledger refused to write for this run; nothing further starts."""
        self.lost = self.stopping = reason

    def make_sure(self) -> None:
        """Do nothing if the run is still this process's own: the ledger is asked where the lease has run out.

        Raises:
            LeaseLostError: It is not.
        """
        if timestamp() > self.parts.trusted_until:
            with suppress(
                LedgerError
            ):  # nobody can look now; what is not its own is refused
                self.parts.renew()
        self.check()

    def is_own(self) -> Generator[Command, Any, bool]:
        """Return whether the run is still this process's own; see `make_sure`."""
        if timestamp() > self.parts.trusted_until:
            with suppress(LeaseLostError):
                yield Io(self.make_sure)
        return self.lost is None

    def check(self) -> None:
        """Do nothing while this process may go on with the run.

        Raises:
            LeaseLostError: Another process owns the run, or it was closed from outside.
        """
        if self.lost is not None:
            raise LeaseLostError(self.name)

    def state(self) -> State[Any]:
        """Return the state the run is in."""
        state: State[Any] = State(
            self.type, self.state_name, self.message, self.data, self.at
        )
        return state.of_run(None, self.id)

    def __repr__(self) -> str:
        text = "outside flows" if self.id is None else format_id(self.id)
        return f"<flow run {self.name!r} {text} {self.state_name}>"


class _OutsideIds:
    """Gives out the ids of task runs outside flows, which sort by time among all others."""

    __slots__ = ()

    @staticmethod
    def new() -> bytes:
        """Return the next id."""
        return new_id(timestamp(), os.urandom(8))


class _FlowItem:
    """A flow run's change on its way into the ledger."""

    __slots__ = ("change", "fence", "flow_run_id")

    def __init__(self, flow_run_id: bytes, fence: Fence, change: FlowRunChange) -> None:
        self.flow_run_id, self.fence, self.change = flow_run_id, fence, change

    def collect(self, batch: Batch) -> None:
        """Add the change to a batch."""
        batch.fences[self.flow_run_id] = self.fence
        batch.writes.append(FlowWrite(self.flow_run_id, self.change))
