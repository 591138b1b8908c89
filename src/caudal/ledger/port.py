"""What the engine needs of a ledger: one way to write, and reads that never scan history.

Every write is a ``Batch``, and a batch is one transaction: its events, the rows they change, results, logs and
checks become visible together or not at all. A batch says for each flow run it touches who claims to own it (a
``Fence``); what a writer sends for a flow run that it no longer owns is refused, and the rest of the batch is
still written. The conformance suite in ``caudal.testing.ledgers`` states all of this as tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from caudal.ledger.encoding import encode
from caudal.model.runs import fold_task_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caudal.ledger.control import Control
    from caudal.ledger.documents import Documents
    from caudal.ledger.inputs import Inputs
    from caudal.ledger.limits import Limits
    from caudal.ledger.search import Search
    from caudal.model.checks import CheckResult
    from caudal.model.documents import DocumentWrite
    from caudal.model.results import StoredResult
    from caudal.model.runs import (
        Event,
        Fence,
        FlowRunChange,
        FlowRunRow,
        Lease,
        LogRow,
        TaskRunChange,
        TaskRunRow,
    )


class FlowWrite(NamedTuple):
    """A change of a flow run."""

    flow_run_id: bytes
    change: FlowRunChange
    #: Whether the run may leave an ended state: an explicit resume or retry.
    reopen: bool = False


class TaskWrite(Struct, gc=False):
    """A change of a task run, as its event and with its row before and after."""

    task_run_id: bytes
    flow_run_id: bytes | None
    #: When it happened, in seconds since the epoch, UTC.
    at: float
    #: JSON of the ``TaskRunChange``.
    payload: bytes
    before: TaskRunRow | None
    after: TaskRunRow

    @classmethod
    def of(
        cls,
        task_run_id: bytes,
        flow_run_id: bytes | None,
        change: TaskRunChange,
        before: TaskRunRow | None,
    ) -> TaskWrite:
        """Return what to write for a change.

        Args:
            task_run_id: The task run.
            flow_run_id: Its flow run, None outside a flow.
            change: What happened.
            before: The row before, None for the change that creates the run.
        """
        after = fold_task_run(before, task_run_id, flow_run_id, change)
        moves = change.moves
        at = moves[-1][2] if moves else _last_time(after)
        return cls(task_run_id, flow_run_id, at, encode(change), before, after)


def _last_time(row: TaskRunRow) -> float:
    return row.ended_at or row.started_at or row.created_at


class CheckWrite(NamedTuple):
    """The outcome of a check."""

    at: float
    result: CheckResult
    flow_run_id: bytes | None
    task_run_id: bytes | None


class Stamp(NamedTuple):
    """Tells a batch from all others, so that it can be given again when nobody knows what became of it."""

    #: Who gives the batches: the owner id of a process.
    writer: bytes
    #: The how-manieth batch of the writer it is; a later one has a higher number.
    number: int
    #: When it was put together, in seconds since the epoch, UTC.
    at: float


class Batch:
    """What one transaction writes, in order."""

    __slots__ = (
        "after",
        "checks",
        "documents",
        "fences",
        "logs",
        "result_owners",
        "results",
        "stamp",
        "writes",
    )

    def __init__(self) -> None:
        #: Changes of runs, in the order in which they happened; each becomes one event.
        self.writes: list[FlowWrite | TaskWrite] = []
        #: For the flow runs that the batch changes: proof of ownership. One that the batch itself creates passes it
        #: by the owner and attempt of its creating change. A flow run without an entry is written unfenced (its state guard still holds).
        self.fences: dict[bytes, Fence] = {}
        self.results: list[StoredResult] = []
        #: By key, the flow run that a result belongs to: it is refused together with the flow run's changes.
        self.result_owners: dict[str, bytes] = {}
        self.logs: list[LogRow] = []
        self.checks: list[CheckWrite] = []
        #: Changes of artifacts, and of assets; those of variables and blocks go through ``Documents``, which keeps their names unique.
        self.documents: list[DocumentWrite] = []
        #: Functions that the journal calls once the batch is committed; ledgers leave them alone.
        self.after: list[Callable[[], None]] = []
        #: Makes the batch one that is written once, however often it is given.
        self.stamp: Stamp | None = None

    def __bool__(self) -> bool:
        return bool(
            self.writes or self.logs or self.results or self.checks or self.documents
        )

    def add_document(self, write: DocumentWrite, fence: Fence | None) -> None:
        """Add a change of a document, with proof that its writer owns the flow run that it names."""
        self.documents.append(write)
        if fence is not None and write.flow_run_id is not None:
            self.fences[write.flow_run_id] = fence


class Receipt(NamedTuple):
    """What became of a batch."""

    #: Position of the last event in the ledger.
    last_seq: int
    #: Flow runs of which something was refused, and why: stale fence, unknown or known already, illegal move.
    refused: dict[bytes, str]


class RunFilter(NamedTuple):
    """Which runs a list shows; fields that are None or empty do not restrict it."""

    #: Kinds of state.
    state_types: tuple[str, ...] = ()
    #: Names of states.
    state_names: tuple[str, ...] = ()
    #: Name of the flow (for flow runs) or of the task (for task runs).
    of: str | None = None
    #: Only task runs of this flow run, or flow runs that are children of it.
    flow_run_id: bytes | None = None
    #: Exact name of the run.
    name: str | None = None


class Ledger(Protocol):
    """The durable record of runs.

    Implementations are safe to call from several threads. Methods raise ``LedgerError`` (``LedgerBusyError`` after
    the busy timeout, ``LedgerCorruptError`` for a damaged file), never a driver's own error.
    """

    #: Where the ledger is, for messages to people.
    location: str

    @property
    def inputs(self) -> Inputs:
        """What flow runs were given while they ran."""
        ...

    @property
    def search(self) -> Search:
        """Finds rows by any conditions."""
        ...

    @property
    def control(self) -> Control:
        """Asks flow runs to stop or to go on."""
        ...

    @property
    def limits(self) -> Limits:
        """Named limits and who holds their slots."""
        ...

    @property
    def documents(self) -> Documents:
        """Artifacts, variables, blocks and assets."""
        ...

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch in one transaction and return when it is as durable as the ledger was opened for.

        For each flow run in the batch, the stored owner and attempt must equal the batch's fence; otherwise
        all of the batch's changes, logs, checks and documents that name this flow run are left out and the run is reported in
        ``Receipt.refused``. The same goes for a flow run that is not there and that no earlier write of
        the batch creates. Results name no flow run, so they are always written.

        A flow run's change whose moves break ``TRANSITIONS`` from the stored state is left out and reported likewise;
        its task runs' changes are still written. So is the creating change of a flow run that exists already.
        Whatever is refused leaves no event, and neither does a change of a document that is not there.

        A batch with a stamp is written once: after an error that leaves open whether it was, it is given again, and when it
        was, nothing happens and the receipt says what was refused then. A ledger remembers the last batch of each writer only.

        Writing a task run's row replaces it; the rows given belong to the ledger from then on. A stored result
        replaces one of the same key.

        Raises:
            LedgerError: It could not be written, or nobody knows; a batch with a stamp can be given again.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Store or extend a process's lease."""
        ...

    def release(self, owner: bytes) -> None:
        """Delete a process's lease and what is known of its last batch; nothing happens when there is none."""
        ...

    def leases(self) -> Sequence[Lease]:
        """Return all leases, expired ones too."""
        ...

    def claim(
        self,
        flow_run_id: bytes,
        owner: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        *,
        again: bool = False,
    ) -> FlowRunRow:
        """Take a flow run over: one atomic step from any state but COMPLETED to RUNNING under a new owner.

        Eligible is a run that is FAILED, CRASHED or CANCELLED, and one that is open and has no owner, or one whose
        lease is missing or expired, or for which ``is_alive`` is false. The attempt goes up by one, so that a writer
        with the old fence is refused from here on, and task runs that were left open are moved to CRASHED. All
        of it is recorded as events. Of several callers at once, one succeeds; the new owner must hold a lease
        before it claims, or the next caller takes it for gone. A run that was given up (see `sweep`) is not
        eligible. ``again`` is the word of somebody who looked: COMPLETED runs and those that were given up are eligible, too, and
        losses are counted from zero.

        Raises:
            ObjectNotFound: There is no such run.
            FlowRunNotResumableError: It completed, or a live process works on it.
        """
        ...

    def sweep(
        self,
        now: float,
        is_alive: Callable[[Lease], bool],
        *,
        recovery_limit: int = 3,
    ) -> Sequence[FlowRunRow]:
        """Close every flow run whose owner is gone, with its open task runs, and return the rows it changed.

        RUNNING, PENDING and SCHEDULED ones (these waited in their process for a retry) go to CRASHED, CANCELLING ones
        to CANCELLED, and their owner is taken away, so that a process that only seemed to be gone is refused
        from here on. PAUSED ones lose their owner and are ``Suspended``, their pause not among those behind them; when its time is
        over they go to FAILED. Gone means: no lease, an expired lease, or a lease for which
        ``is_alive`` is false. Each move is conditional on owner and attempt. Runs without an owner are left alone.
        Expired leases that no open run names are deleted, and what is known of writers' batches of more than a day ago. A second call finds nothing.

        A run's details count how often this happened to it as ``losses``. A durable run with more than ``recovery_limit`` of them is
        given up: ``given_up`` in its details is true, and its message says so.
        """
        ...

    def unfinished(
        self,
        durable_key: str | None = None,
        *,
        given_up: bool = False,
        limit: int = 1000,
    ) -> Sequence[FlowRunRow]:
        """Return durable flow runs that have not come to an end of their own, open or CRASHED, oldest first.

        Args:
            durable_key: Only runs with this key; None is all that have one, in no particular order.
            given_up: Those that were given up (see `sweep`), instead of the others.
            limit: The most runs to return.
        """
        ...

    def flow_run(self, flow_run_id: bytes) -> FlowRunRow | None:
        """Return a flow run, or None."""
        ...

    def task_run(self, task_run_id: bytes) -> TaskRunRow | None:
        """Return a task run, or None."""
        ...

    def flow_runs(
        self, where: RunFilter, *, limit: int = 100, before: bytes | None = None
    ) -> Sequence[FlowRunRow]:
        """Return flow runs, newest first; ``before`` continues a list after the id given."""
        ...

    def task_runs(
        self, where: RunFilter, *, limit: int = 100, after: bytes | None = None
    ) -> Sequence[TaskRunRow]:
        """Return task runs: those of one flow run oldest first, others newest first.

        ``after`` continues a list after the id given.
        """
        ...

    def find_flow_runs(self, text: str, *, limit: int = 10) -> Sequence[FlowRunRow]:
        """Return flow runs whose written id starts with the text or whose name equals it, newest first."""
        ...

    def find_task_runs(self, text: str, *, limit: int = 10) -> Sequence[TaskRunRow]:
        """Return task runs whose written id starts with the text or whose name equals it, newest first.

        A name is looked for among the newest task runs only, at least the last ten thousand.
        """
        ...

    def events(
        self, *, since: int = 0, flow_run_id: bytes | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return events with a seq above ``since``, in order."""
        ...

    def changes(
        self, flow_run_id: bytes | None, task_run_id: bytes | None = None
    ) -> Sequence[Event]:
        """Return all changes of one run, in order.

        Args:
            flow_run_id: The flow run; None for a task run outside flows.
            task_run_id: A task run of it; None is the flow run itself.
        """
        ...

    def logs(
        self,
        *,
        flow_run_id: bytes | None = None,
        task_run_id: bytes | None = None,
        since: int = 0,
        limit: int = 1000,
    ) -> Sequence[tuple[int, LogRow]]:
        """Return log lines with their position above ``since``, in order."""
        ...

    def checks(self, flow_run_id: bytes, *, limit: int = 1000) -> Sequence[CheckWrite]:
        """Return the check results that a flow run recorded, in order."""
        ...

    def result(self, key: str) -> StoredResult | None:
        """Return the result stored under a key, or None; expired ones are returned, the caller decides."""
        ...

    def delete_result(self, key: str) -> None:
        """Forget the result stored under a key."""
        ...

    def close(self) -> None:
        """Release files and connections; a second call does nothing."""
        ...
