"""Processes that share a ledger file, and processes that are killed while they write."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from caudal.ledger.port import RunFilter
from caudal.ledger.replay import rebuild
from caudal.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = 50
BATCHES = 20

#: Opens the ledger when it is told to, writes batches of a flow run, and reads them back.
WRITER = """
import sys
from caudal.ledger.port import RunFilter
from caudal.ledger.sqlite import SqliteLedger
from caudal.testing.samples import SampleRun

path, batches = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
ledger = SqliteLedger(path, busy_timeout_seconds=60)
run = SampleRun(name=f"process-{sys.argv[3]}").start(ledger)
for number in range(batches):
    ending = [run.change("COMPLETED")] if number == batches - 1 else []
    batch = run.batch(run.task("RUNNING", "COMPLETED"), run.task("FAILED"), *ending)
    assert not ledger.commit(batch).refused
    print(number, flush=True)
assert len(ledger.task_runs(RunFilter(flow_run_id=run.id))) == 2 * batches
ledger.close()
"""

#: Opens many fresh ledgers, each at the same moment as the other processes.
OPENER = """
import sys, time
from caudal.ledger.sqlite import SqliteLedger

folder, files = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
start = float(sys.stdin.readline())
for number in range(files):
    while time.monotonic() < start + number / 30:
        pass
    SqliteLedger(f"{folder}/{number}.db", busy_timeout_seconds=60).close()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that waits for a line before it touches a ledger."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def let_go(processes: list[subprocess.Popen[str]], line: str = "go") -> None:
    """Give all processes their line when the last one is ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()


def assert_all_succeed(processes: list[subprocess.Popen[str]]) -> None:
    """Wait for all processes; none may fail or complain."""
    errors = [process.communicate()[1] for process in processes]
    assert errors == [""] * len(processes)
    assert {process.returncode for process in processes} == {0}


def test_fresh_ledgers_may_be_opened_at_the_same_moment(tmp_path: Path) -> None:
    """Whoever comes first makes the schema, and the answer "locked" that SQLite then gives the others reaches nobody."""
    with ExitStack() as stack:
        openers = [stack.enter_context(start(OPENER, tmp_path, 60)) for _ in range(6)]
        let_go(openers, str(monotonic() + 0.2))
        assert_all_succeed(openers)


def test_fifty_processes_create_and_write_one_ledger_at_once(tmp_path: Path) -> None:
    """Nobody sees a lock error, and every row and event is there, in one dense sequence."""
    path = tmp_path / "fresh" / "caudal.db"
    with ExitStack() as stack:
        writers = [
            stack.enter_context(start(WRITER, path, BATCHES, number))
            for number in range(PROCESSES)
        ]
        let_go(writers)
        assert_all_succeed(writers)
    ledger = SqliteLedger(path)
    rows = ledger.flow_runs(RunFilter(), limit=PROCESSES + 1)
    names = {f"process-{number}" for number in range(PROCESSES)}
    assert names == {row.name for row in rows}
    assert {(row.state_type, row.task_count) for row in rows} == {
        ("COMPLETED", 2 * BATCHES)
    }
    number_of_events = PROCESSES * (2 * BATCHES + 2)
    events = ledger.events(limit=number_of_events + 1)
    assert list(range(1, number_of_events + 1)) == [event.seq for event in events]
    ledger.close()


@pytest.mark.parametrize("kill_after", [1, 40])
def test_a_killed_writer_leaves_a_consistent_ledger(
    tmp_path: Path, kill_after: int
) -> None:
    """After SIGKILL in the middle of writing, everything that was acknowledged is there and rows equal the replay."""
    path = tmp_path / "caudal.db"
    with start(WRITER, path, 1_000_000, 0) as writer:
        let_go([writer])
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(kill_after)]
        writer.kill()
        acknowledged = int(lines[-1]) + 1
    ledger = SqliteLedger(path)
    events = ledger.events(limit=1_000_000)
    rebuilt = rebuild(events)
    (row,) = ledger.flow_runs(RunFilter())
    tasks = ledger.task_runs(RunFilter(flow_run_id=row.id), limit=1_000_000)
    assert row.state_type == "RUNNING"
    assert rebuilt.flow_rows == {row.id: row}
    assert rebuilt.task_rows == {task.id: task for task in tasks}
    assert list(range(1, len(events) + 1)) == [event.seq for event in events]
    assert 2 * acknowledged <= row.task_count == len(tasks)
    ledger.close()
