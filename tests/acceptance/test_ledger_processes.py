"""Processes that share a ledger file, and processes that are killed while they write."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
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


def start_writer(path: Path, batches: int, number: int) -> subprocess.Popen[str]:
    """Start a process that waits for a line before it opens the ledger."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(path), str(batches), str(number)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_fifty_processes_create_and_write_one_ledger_at_once(tmp_path: Path) -> None:
    """Nobody sees a lock error, and every row and event is there, in one dense sequence."""
    path = tmp_path / "fresh" / "caudal.db"
    with ExitStack() as stack:
        writers = [
            stack.enter_context(start_writer(path, BATCHES, number))
            for number in range(PROCESSES)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        errors = [writer.communicate()[1] for writer in writers]
    assert errors == [""] * PROCESSES
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
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
    with start_writer(path, 1_000_000, 0) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
        lines = [writer.stdout.readline() for _ in range(kill_after + 1)]
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
