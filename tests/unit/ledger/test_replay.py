"""Replaying the events rebuilds the rows, whatever was written or refused."""

from __future__ import annotations

from itertools import count
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from caudal.exceptions import (
    FlowRunNotResumableError,
    LeaseLostError,
    ObjectNotFound,
)
from caudal.ledger.documents import DocumentFilter
from caudal.ledger.memory import MemoryLedger
from caudal.ledger.port import Batch, CheckWrite, FlowWrite, RunFilter, TaskWrite
from caudal.ledger.replay import rebuild
from caudal.ledger.sqlite import SqliteLedger
from caudal.model.checks import CheckResult, CheckStatus, Severity
from caudal.model.documents import KINDS, DocumentChange, DocumentWrite
from caudal.model.runs import (
    Fence,
    FlowRunChange,
    Move,
    TaskRunChange,
    TaskRunRow,
)
from caudal.model.states import StateType

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.model.documents import Document

RUNS = [bytes([place]) * 16 for place in (1, 2, 3)]
TASKS = [bytes([place]) * 16 for place in (11, 12, 13, 14)]
OWNERS = [bytes([place]) * 16 for place in (21, 22)]

kinds = st.sampled_from([kind.value for kind in StateType])
facts = st.none() | st.dictionaries(
    st.sampled_from("abc"), st.integers() | st.text() | st.lists(st.none()), max_size=2
)


class Create(NamedTuple):
    """A creating change of a flow run."""

    run: bytes
    kinds: list[str]
    owner: bytes


class Change(NamedTuple):
    """A later change of a flow run."""

    run: bytes
    kinds: list[str]
    details: dict[str, Any] | None = None
    reopen: bool = False


class Task(NamedTuple):
    """A change of a task run; each task run belongs to one flow run, or to none."""

    task: bytes
    kinds: list[str]
    details: dict[str, Any] | None = None


class Check(NamedTuple):
    """The outcome of a check."""

    run: bytes


class Keep(NamedTuple):
    """A variable is set, under the owner and attempt that the writer believes in."""

    name: str
    value: int
    overwrite: bool
    run: bytes | None
    believed: tuple[bytes, int] | None


class Discard(NamedTuple):
    """A variable is unset."""

    name: str


class Update(NamedTuple):
    """An artifact is created, changed or deleted in a batch."""

    place: int
    action: str
    run: bytes | None


class Write(NamedTuple):
    """A batch, with the owner and attempt that its writer believes in."""

    items: list[Create | Change | Task | Check | Update]
    believed: dict[bytes, tuple[bytes, int]]


class Claim(NamedTuple):
    """A process takes a flow run over."""

    run: bytes
    owner: bytes


class Sweep(NamedTuple):
    """A process closes what others left open."""

    alive: bool


#: What may be done to a ledger.
Step = Write | Claim | Sweep | Keep | Discard

runs = st.sampled_from(RUNS)
owners = st.sampled_from(OWNERS)
some_kinds = st.lists(kinds, max_size=3)
items = st.one_of(
    st.builds(Create, runs, some_kinds, owners),
    st.builds(Change, runs, some_kinds, facts, st.booleans()),
    st.builds(Task, st.sampled_from(TASKS), some_kinds, facts),
    st.builds(Check, runs),
    st.builds(
        Update,
        st.integers(0, 2),
        st.sampled_from(["create", "change", "delete"]),
        st.none() | runs,
    ),
)
names = st.sampled_from("xy")
fences = st.dictionaries(runs, st.tuples(owners, st.integers(1, 3)), max_size=2)
steps = st.one_of(
    st.builds(Write, st.lists(items, max_size=6), fences),
    st.builds(Write, st.lists(items, max_size=6), st.just({})),
    st.builds(Claim, runs, owners),
    st.builds(Sweep, st.booleans()),
    st.builds(
        Keep,
        names,
        st.integers(),
        st.booleans(),
        st.none() | runs,
        st.none() | st.tuples(owners, st.integers(1, 2)),
    ),
    st.builds(Discard, names),
)


class Driver:
    """Does the same to a ledger whatever the ledger is: times and ids are counted, not drawn."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._seconds = count(1)

    def do(self, step: Step) -> object:
        """Take a step and return what came of it."""
        match step:
            case Write():
                return self.ledger.commit(self.batch(step))
            case Claim(run, owner):
                try:
                    return [self.ledger.claim(run, owner, self.now(), lambda _: True)]
                except (FlowRunNotResumableError, ObjectNotFound) as error:
                    return str(error)
            case Sweep(alive):
                return self.ledger.sweep(self.now(), lambda _: alive)
            case Keep():
                return self.keep(step)
            case Discard(name):
                where = DocumentFilter("variable", name)
                found = self.ledger.documents.find(where)
                document_id = found[0].id if found else bytes(16)
                change = DocumentChange(document_id.hex(), "delete")
                write = DocumentWrite(self.now(), "variable", change)
                return self.ledger.documents.discard(write)

    def keep(self, step: Keep) -> Document | str | None:
        """Set a variable and return it, None when it was there, or why it was refused."""
        now = self.now()
        document_id = int(now * 7).to_bytes(16, "big").hex()
        change = DocumentChange(document_id, "create", key=step.name, data=step.value)
        write = DocumentWrite(now, "variable", change, step.run)
        fence = None if step.believed is None else Fence(*step.believed)
        try:
            return self.ledger.documents.keep(
                write, overwrite=step.overwrite, fence=fence
            )
        except LeaseLostError as error:
            return str(error)

    def artifact(self, item: Update) -> DocumentWrite:
        """Return a change of an artifact."""
        now = self.now()
        change = DocumentChange(
            bytes([item.place] * 16).hex(), cast("Any", item.action), "markdown", "a", data=now
        )  # fmt: skip
        return DocumentWrite(now, "artifact", change, item.run)

    def batch(self, step: Write) -> Batch:
        """Return the batch of a step."""
        batch, rows = Batch(), dict[bytes, TaskRunRow]()
        batch.fences = {run: Fence(*fence) for run, fence in step.believed.items()}
        for item in step.items:
            match item:
                case Create(run, moves, owner):
                    change = FlowRunChange(
                        self.moves(moves), name="n", flow_name="f",
                        created_at=self.now(), parameters={}, tags=["t"],
                        owner=owner.hex(), attempt=1,
                    )  # fmt: skip
                    batch.writes.append(FlowWrite(run, change))
                case Change(run, moves, details, reopen):
                    change = FlowRunChange(self.moves(moves), details=details)
                    batch.writes.append(FlowWrite(run, change, reopen))
                case Task():
                    batch.writes.append(self.task(item, rows))
                case Check(run):
                    batch.checks.append(self.check(run))
                case Update():
                    batch.documents.append(self.artifact(item))
        return batch

    def task(self, item: Task, rows: dict[bytes, TaskRunRow]) -> TaskWrite:
        """Return the write of a task run, from the row in the batch or in the ledger."""
        place = TASKS.index(item.task)
        run = RUNS[place] if place < len(RUNS) else None
        before = rows.get(item.task) or self.ledger.task_run(item.task)
        change = TaskRunChange(self.moves(item.kinds), details=item.details)
        if before is None:
            change.name, change.task_name, change.path = "t-1", "t", "t-1"
            change.created_at = self.now()
        write = TaskWrite.of(item.task, run, change, before)
        rows[item.task] = write.after
        return write

    def check(self, run: bytes) -> CheckWrite:
        """Return the outcome of a check."""
        result = CheckResult(
            asset="t",
            check="c",
            severity=Severity.ERROR,
            status=CheckStatus.PASS,
            kind="unique",
        )
        return CheckWrite(self.now(), result, run, None)

    def moves(self, kinds: list[str]) -> list[Move]:
        """Return moves through states."""
        return [Move(kind, kind.title(), self.now()) for kind in kinds]

    def now(self) -> float:
        """Return a later time."""
        return next(self._seconds) / 7


@given(st.lists(steps, max_size=12))
@settings(deadline=None, max_examples=150)
def test_rows_are_what_the_events_add_up_to(taken: list[Step]) -> None:
    """On every ledger the rows equal the replay, and all ledgers decide alike."""
    with TemporaryDirectory() as folder:
        drivers = [
            Driver(MemoryLedger()),
            Driver(SqliteLedger(f"{folder}/caudal.db")),
        ]
        for step in taken:
            outcomes = [driver.do(step) for driver in drivers]
            assert outcomes[0] == outcomes[1]
        first, second = (driver.ledger for driver in drivers)
        assert first.events() == second.events()
        for driver in drivers:
            assert_rows_equal_replay(driver.ledger)
            driver.ledger.close()


def assert_rows_equal_replay(ledger: Ledger) -> None:
    """Check that a ledger's rows and sequence are what its events say."""
    events = ledger.events()
    assert list(range(1, len(events) + 1)) == [event.seq for event in events]
    rebuilt = rebuild(events)
    flow_rows = {row.id: row for row in ledger.flow_runs(RunFilter())}
    assert rebuilt.flow_rows == flow_rows
    assert rebuilt.task_rows == {row.id: row for row in ledger.task_runs(RunFilter())}
    documents = {
        row.id: row
        for kind in KINDS
        for row in ledger.documents.find(DocumentFilter(kind))
    }
    assert rebuilt.documents == documents
    for run in RUNS:
        expected = [check for check in rebuilt.checks if check.flow_run_id == run]
        assert expected == list(ledger.checks(run))


def test_a_refused_write_leaves_no_event() -> None:
    """What was refused is in no row and in no event, so that a replay does not bring it back."""
    driver = Driver(MemoryLedger())
    driver.do(Write([Create(RUNS[0], ["COMPLETED"], OWNERS[0])], {}))
    stale = {RUNS[0]: (OWNERS[1], 1)}
    items = [Change(RUNS[0], []), Task(TASKS[0], []), Check(RUNS[0])]
    driver.do(Write(items, stale))
    driver.do(Write([Change(RUNS[0], ["RUNNING"])], {}))
    assert len(driver.ledger.events()) == 1
    assert_rows_equal_replay(driver.ledger)
