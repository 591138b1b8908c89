"""Fixtures that every test has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from caudal.app import make_engine, open_ledger
from caudal.client import get_client
from caudal.engine.composition import close_engine, current_engine, use_engine
from caudal.ledger.documents import DocumentFilter
from caudal.ledger.encoding import decode_flow_change, decode_task_change
from caudal.ledger.port import RunFilter
from caudal.ledger.replay import rebuild
from caudal.model.documents import KINDS
from caudal.model.states import can_move, is_terminal
from caudal.settings import temporary_settings
from caudal.settings.current import exchange_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from caudal.client import SyncClient
    from caudal.engine.engine import Engine
    from caudal.ledger.port import Ledger
    from caudal.model.runs import Event
    from caudal.model.views import FlowRun, TaskRun

_EVERYTHING = 1_000_000


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give the test a caudal home of its own, and no settings from outside."""
    for variable in [name for name in os.environ if name.startswith("CAUDAL_")]:
        monkeypatch.delenv(variable)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CAUDAL_HOME", str(folder))
    exchange_settings(None)
    return folder


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:  # noqa: ARG001 - it has to be there first
    """Give the test the process's engine on a SQLite ledger of its own, and audit the ledger afterwards."""
    close_engine()
    engine = current_engine()
    yield engine
    close_engine()
    ledger = open_ledger(engine.settings)
    audit(ledger)
    ledger.close()


@pytest.fixture
def memory_engine(home: Path) -> Iterator[Engine]:  # noqa: ARG001
    """Give the test an engine whose ledger is in memory, for many small runs, and audit the ledger afterwards.

    It is the engine of the test's thread and of runs, not of threads that the test starts itself.
    """
    with temporary_settings({"ledger_path": ":memory:"}):
        engine = make_engine()
        with use_engine(engine):
            yield engine
        engine.slots.close()
        engine.journal.barrier().wait()
        audit(engine.ledger)
        engine.close()


@pytest.fixture
def record(engine: Engine) -> Record:
    """Give the test what its runs left in the ledger."""
    return Record(engine)


class Record:
    """Reads what the runs of a test left in the ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.client: SyncClient = get_client()

    def flow(self, flow_name: str | None = None) -> FlowRun:
        """Return the newest flow run, of all or of one flow."""
        return self.client.read_flow_runs(flow_name=flow_name)[0]

    def tasks(self, flow_name: str | None = None) -> dict[str, TaskRun]:
        """Return the task runs of the newest flow run by name."""
        runs = self.client.read_task_runs(
            flow_run_id=self.flow(flow_name).id, limit=10_000
        )
        return {run.name: run for run in runs}

    def task(self, task_name: str) -> TaskRun:
        """Return the newest run of a task, in a flow or outside."""
        return self.client.read_task_runs(task_name=task_name)[0]

    def states(self, run: FlowRun | TaskRun) -> list[str]:
        """Return the names of all states that a run went through, in order."""
        self._engine.journal.barrier().wait()
        return [
            name
            for change in _changes(self._engine.ledger.events(limit=_EVERYTHING))
            if change[0] == run.id.bytes
            for _, name, *_ in change[1].moves
        ]

    def logs(self, run: FlowRun | TaskRun | None = None) -> list[str]:
        """Return what was logged, by all or by one task run."""
        chosen = None if run is None else run.id
        return [row.message for _, row in self.client.read_logs(task_run_id=chosen)]


def audit(ledger: Ledger) -> None:
    """Check what holds for every ledger: its rows are what its events add up to, and no run is half-way.

    Invariants, by their numbers in the reliability catalogue: moves are legal and the sequence is dense (I5), an ended flow run
    has no open task runs (I1), roll-ups equal their recomputation (I15).
    """
    events = ledger.events(limit=_EVERYTHING)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    flow_rows = {row.id: row for row in ledger.flow_runs(RunFilter(), limit=_EVERYTHING)}  # fmt: skip
    task_rows = {row.id: row for row in ledger.task_runs(RunFilter(), limit=_EVERYTHING)}  # fmt: skip
    rebuilt = rebuild(events)
    assert rebuilt.flow_rows == flow_rows
    assert rebuilt.task_rows == task_rows
    assert rebuilt.documents == {
        row.id: row
        for kind in KINDS
        for row in ledger.documents.find(DocumentFilter(kind), limit=_EVERYTHING)
    }
    for flow_run_id in {flow_run_id for flow_run_id, _ in rebuilt.inputs}:
        inputs = ledger.inputs.find(flow_run_id, limit=_EVERYTHING)
        expected = {row.key: row for row in inputs}
        assert expected == {key: row for (of, key), row in rebuilt.inputs.items() if of == flow_run_id}  # fmt: skip
    assert rebuilt.limits == {limit.name: limit for limit in ledger.limits.all()}
    assert rebuilt.holders == list(ledger.limits.holders())
    for row in task_rows.values():
        owner = flow_rows.get(row.flow_run_id or b"")
        if owner is not None and is_terminal(owner.state_type):
            assert is_terminal(row.state_type) or row.state_name == "NotReady", row
    _audit_moves(events)


def _audit_moves(events: Sequence[Event]) -> None:
    states: dict[bytes, str] = {}
    for run_id, change in _changes(events):
        reopens = getattr(change, "attempt", None) is not None
        for kind, name, *_ in change.moves:
            before = states.get(run_id, "PENDING")
            is_task = not hasattr(change, "attempt")
            if is_task and before == "COMPLETED" and name == "RolledBack":
                continue  # another name for where it is
            assert can_move(before, kind, reopen=reopens or is_task), (before, kind)
            states[run_id] = kind


def _changes(events: Sequence[Event]) -> Iterator[tuple[bytes, Any]]:
    decoders: dict[str, Callable[[bytes], Any]] = {
        "flow_run": decode_flow_change,
        "task_run": decode_task_change,
    }
    for event in events:
        decode = decoders.get(event.kind)
        if decode is not None:
            run_id = event.task_run_id or event.flow_run_id
            assert run_id is not None
            yield run_id, decode(event.payload)
