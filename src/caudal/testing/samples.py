"""Sample runs: what a process that works on a flow run would write to the ledger."""

from __future__ import annotations

from itertools import count
from os import urandom
from typing import TYPE_CHECKING, Any, TypeVar

from caudal.ledger.port import Batch, CheckWrite, FlowWrite, TaskWrite
from caudal.model.checks import CheckResult, CheckStatus, Severity
from caudal.model.ids import TaskRunIds, new_id
from caudal.model.results import StoredResult
from caudal.model.runs import (
    Fence,
    FlowRunChange,
    Lease,
    Move,
    TaskRunChange,
    TaskRunRow,
)
from caudal.model.states import NAMES, StateType

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.ledger.port import Ledger

E = TypeVar("E", bound=Exception)

#: When sample runs begin, in seconds since the epoch, UTC; each next moment is a second later.
START = 1_700_000_000.0

_moments = count(1)


def moment() -> float:
    """Return a time later than all before."""
    return START + next(_moments)


def move(kind: str, message: str | None = None) -> Move:
    """Return a move to the plain state of a kind, now."""
    return Move(kind, NAMES[StateType(kind)][0], moment(), message)


class SampleRun:
    """A flow run in the hands of a process.

    Args:
        flow_name: Its flow.
        name: Its name.
    """

    flow_name: str
    name: str
    created_at: float
    id: bytes
    owner: bytes

    def __init__(self, flow_name: str = "ingest", name: str = "brave-otter") -> None:
        self.flow_name, self.name = flow_name, name
        self.created_at = moment()
        self.id = new_id(self.created_at, urandom(8))
        self.owner = urandom(16)
        self.attempt = 1
        self.task_rows: dict[bytes, TaskRunRow] = {}
        self._ids = TaskRunIds(self.id, 0, urandom(3))

    @property
    def fence(self) -> Fence:
        """Proof that the process owns the flow run."""
        return Fence(self.owner, self.attempt)

    def creation(self, *kinds: str, **facts: Any) -> FlowWrite:
        """Return the change that creates the flow run and takes it through states; facts are fields of the change."""
        given: dict[str, Any] = {
            "name": self.name,
            "flow_name": self.flow_name,
            "created_at": self.created_at,
            "parameters": {"day": "2024-01-01"},
            "tags": ["daily"],
            "owner": self.owner.hex(),
            "attempt": self.attempt,
        }
        change = FlowRunChange([move(kind) for kind in kinds], **{**given, **facts})
        return FlowWrite(self.id, change)

    def change(self, *kinds: str, reopen: bool = False, **facts: Any) -> FlowWrite:
        """Return a change that takes the flow run through states."""
        moves = [move(kind) for kind in kinds]
        return FlowWrite(self.id, FlowRunChange(moves, **facts), reopen)

    def task(self, *kinds: str, name: str = "", **facts: Any) -> TaskWrite:
        """Return the change that creates a task run and takes it through states."""
        task_run_id = self._ids.new()
        place = len(self.task_rows)
        change = TaskRunChange(
            [move(kind) for kind in kinds],
            name=name or f"load-{place}",
            task_name="load",
            path=f"load-{place}",
            created_at=moment(),
            **facts,
        )
        return self._task_write(task_run_id, change)

    def next_of_task(self, task_run_id: bytes, *kinds: str, **facts: Any) -> TaskWrite:
        """Return a change that takes a task run further."""
        change = TaskRunChange([move(kind) for kind in kinds], **facts)
        return self._task_write(task_run_id, change)

    def batch(self, *writes: FlowWrite | TaskWrite) -> Batch:
        """Return a batch of writes with the fence."""
        made = Batch()
        made.writes.extend(writes)
        made.fences[self.id] = self.fence
        return made

    def start(self, ledger: Ledger, *kinds: str) -> SampleRun:
        """Create the flow run in a ledger, in state RUNNING unless other states are given."""
        receipt = ledger.commit(self.batch(self.creation(*(kinds or ("RUNNING",)))))
        assert not receipt.refused
        return self

    def _task_write(self, task_run_id: bytes, change: TaskRunChange) -> TaskWrite:
        before = self.task_rows.get(task_run_id)
        write = TaskWrite.of(task_run_id, self.id, change, before)
        self.task_rows[task_run_id] = write.after
        return write


def lease_of(owner: bytes, expires_at: float) -> Lease:
    """Return a lease of a process."""
    return Lease(owner, expires_at, "host-1", 4711, "1700000000.25")


def sample_check(run: SampleRun, name: str = "keys are unique") -> CheckWrite:
    """Return the outcome of a check in a flow run."""
    result = CheckResult(
        asset="staging.sales",
        check=name,
        severity=Severity.WARN,
        status=CheckStatus.FAIL,
        kind="unique",
        failed_rows=2,
        total_rows=10,
        sample=({"key": 1, "größe": None}, {"key": 2.5, "größe": "klein"}),
        message="2 of 10 rows break the rule.",
    )
    return CheckWrite(moment(), result, run.id, None)


def sample_result(key: str, value: bytes = b"{}") -> StoredResult:
    """Return a small stored result."""
    return StoredResult(
        key, "json", "builtins.dict", "0" * 64, len(value), value, None, START
    )


def raised(kind: type[E], call: Callable[[], object]) -> E:
    """Return the error that a call raises; it is a failure when it raises none."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")
