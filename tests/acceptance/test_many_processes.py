"""Processes that run flows on one ledger at the same time."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.conftest import Lab

#: Task runs of ``pipeline.py``.
TASKS = 5


def assert_all_recorded(lab: Lab, processes: list[subprocess.Popen[str]]) -> None:
    """Assert that every process came through without a word of trouble, and that each run is on record with its tasks."""
    ends = [lab.end_of(process) for process in processes]
    assert [done.status for done in ends] == [0] * len(ends), ends
    for done in ends:
        assert "lock" not in done.out + done.err
        assert "Traceback" not in done.err
        assert "WARNING" not in done.err
    rows = lab.flow_runs()
    assert len({row.id for row in rows}) == len(processes)
    for row in rows:
        counts = (row.state_type, row.task_count, row.task_completed)
        assert counts == ("COMPLETED", TASKS, TASKS)
    with lab.ledger() as ledger:
        assert ledger.leases() == []


@pytest.mark.parametrize("number", [2, 50])
def test_processes_that_start_at_once_share_a_fresh_ledger(
    sound_lab: Lab, number: int
) -> None:
    """They create it together, nobody sees a lock, and every run is recorded with all its tasks."""
    processes = [sound_lab.start("pipeline.py", HOLD="start") for _ in range(number)]
    sound_lab.wait_for("ready", number)
    sound_lab.gate.touch()
    assert_all_recorded(sound_lab, processes)
    assert Counter(sound_lab.noted()) == {"ready": number, "total": number}


def test_commands_read_while_flows_write(sound_lab: Lab) -> None:
    """Lists are consistent at every moment, and nobody disturbs anybody."""
    processes = [sound_lab.start("pipeline.py") for _ in range(4)]
    lists = [
        sound_lab.start("caudal", "flow-run", "ls", "--output", "json")
        for _ in range(4)
    ]
    ends = [sound_lab.end_of(process) for process in lists]
    assert [(done.status, done.err) for done in ends] == [(0, "")] * 4
    assert_all_recorded(sound_lab, processes)


def test_a_flow_waits_for_a_program_that_holds_the_ledger(sound_lab: Lab) -> None:
    """A lock that is let go in time costs time and nothing else."""
    assert sound_lab.run("pipeline.py").status == 0
    with sqlite3.connect(sound_lab.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        process = sound_lab.start("pipeline.py")
        time.sleep(0.5)
        other.execute("COMMIT")
    other.close()
    assert sound_lab.end_of(process).status == 0
    assert [row.state_type for row in sound_lab.flow_runs()] == ["COMPLETED"] * 2


def test_a_ledger_that_stays_locked_is_an_error_that_says_so(sound_lab: Lab) -> None:
    """After the busy timeout the flow ends with the reason and what to do, and the file is as it was."""
    assert sound_lab.run("pipeline.py").status == 0
    with sqlite3.connect(sound_lab.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        done = sound_lab.run("pipeline.py", CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS="0.2")
        other.execute("COMMIT")
    other.close()
    assert done.status == 1
    message = done.err.splitlines()[-1]
    assert "LedgerBusyError: the ledger " in message
    assert "longer than the busy timeout" in message
    assert "CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS" in message
    assert sound_lab.flow_run().state_type == "COMPLETED"
