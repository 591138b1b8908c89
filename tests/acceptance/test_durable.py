"""Durable flows whose process is killed with SIGKILL go on: at a restart, in another process, by a command, and not for ever."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from caudal.ledger.port import RunFilter

if TYPE_CHECKING:
    import subprocess

    from caudal.model.runs import FlowRunRow
    from tests.acceptance.conftest import Done, Lab


def completed(lab: Lab) -> int:
    """Return how many task runs are on record as completed."""
    with lab.ledger() as ledger:
        return len(ledger.task_runs(RunFilter(("COMPLETED",))))


def start_held(lab: Lab, label: str, number: int) -> subprocess.Popen[str]:
    """Start a flow and return its process once it waits in a step and the steps before are on record."""
    known = completed(lab) if lab.path.exists() else 0
    process = lab.start("durable.py", label, HOLD=f"{label}{number}")
    lab.wait_for(f"start {label}{number}")
    lab.wait_until(lambda: completed(lab) == known + number, "ends are on record")
    return process


def kill(lab: Lab, process: subprocess.Popen[str]) -> None:
    """Kill a process and wait for its end."""
    process.kill()
    lab.end_of(process)


def run_of(lab: Lab, label: str) -> FlowRunRow:
    """Return the only flow run that was called with a label."""
    (row,) = [row for row in lab.flow_runs() if row.parameters.get("label") == label]
    return row


def noted(lab: Lab, label: str) -> list[int]:
    """Return how often each of the four steps began."""
    starts = Counter(lab.noted())
    return [starts[f"start {label}{number}"] for number in range(4)]


def test_a_restart_goes_on_with_the_run_at_once(sound_lab: Lab) -> None:
    """The same call finds the run that was killed: the same id, the next attempt, and nothing done twice that is on record."""
    kill(sound_lab, start_held(sound_lab, "a", 2))
    before = sound_lab.flow_run()
    done = sound_lab.run("durable.py", "a")
    assert done.status == 0, done.err
    assert f"Resuming flow run '{before.name}'" in done.err
    after = sound_lab.flow_run()
    assert (after.id, after.attempt, after.state_type) == (before.id, 2, "COMPLETED")
    assert noted(sound_lab, "a") == [1, 1, 2, 1]
    assert sound_lab.run("durable.py", "a").status == 0
    assert (
        len(sound_lab.flow_runs()) == 2
    )  # what has come to its end is not gone on with


def test_a_call_with_other_parameters_is_another_run(sound_lab: Lab) -> None:
    """It leaves the lost run to whom it belongs."""
    kill(sound_lab, start_held(sound_lab, "a", 1))
    done = sound_lab.run("durable.py", "b", CAUDAL_RECOVERY_IN_BACKGROUND="false")
    assert done.status == 0
    assert run_of(sound_lab, "b").attempt == 1
    assert run_of(sound_lab, "a").state_type == "CRASHED"


def test_a_call_while_the_run_is_worked_on_is_another_run(sound_lab: Lab) -> None:
    """A live process keeps its run."""
    process = start_held(sound_lab, "a", 1)
    assert sound_lab.run("durable.py", "a").status == 0
    sound_lab.gate.touch()
    assert sound_lab.end_of(process).status == 0
    rows = sound_lab.flow_runs()
    assert [(row.attempt, row.state_type) for row in rows] == [(1, "COMPLETED")] * 2


def test_lost_runs_of_one_call_are_taken_up_one_by_one(sound_lab: Lab) -> None:
    """The oldest first, each once."""
    first = start_held(sound_lab, "a", 1)
    second = sound_lab.start("durable.py", "a", HOLD="a1")
    sound_lab.wait_for("start a1", times=2)
    kill(sound_lab, first)
    kill(sound_lab, second)
    off = {"CAUDAL_RECOVERY_IN_BACKGROUND": "false"}
    for ended in (1, 2):
        assert sound_lab.run("durable.py", "a", **off).status == 0
        states = [row.state_type for row in reversed(sound_lab.flow_runs())]
        assert states[:ended] == ["COMPLETED"] * ended
    assert [row.attempt for row in sound_lab.flow_runs()] == [2, 2]


def test_another_process_of_the_file_goes_on_with_the_run(sound_lab: Lab) -> None:
    """It does so in a process of its own, and does not end before that is done."""
    other = start_held(sound_lab, "b", 0)
    lost = start_held(sound_lab, "a", 2)
    kill(sound_lab, lost)
    sound_lab.wait_for("end a3")
    sound_lab.gate.touch()
    assert sound_lab.end_of(other).status == 0
    row = run_of(sound_lab, "a")
    assert (row.attempt, row.state_type) == (2, "COMPLETED")
    assert noted(sound_lab, "a") == [1, 1, 2, 1]
    pids = {line.split()[-1] for line in sound_lab._lines() if "a3" in line}
    assert str(other.pid) not in pids


def test_a_command_goes_on_with_lost_runs(sound_lab: Lab) -> None:
    """All of them, whatever their parameters, which come back as they were."""
    kill(sound_lab, start_held(sound_lab, "a", 2))
    ordered = sound_lab.start("durable.py", "order", HOLD="o0")
    sound_lab.wait_for("start o0")
    sound_lab.wait_until(lambda: len(sound_lab.flow_runs()) == 2, "it is on record")
    kill(sound_lab, ordered)
    done = recover(sound_lab)
    assert done.status == 0, done.err
    assert done.out.count(" goes on, attempt 2.") == 2
    assert done.out.count(": Completed.") == 2
    assert "order 28.02. ['harbour', 'north'] Order" in sound_lab.noted()
    assert noted(sound_lab, "a") == [1, 1, 2, 1]
    assert recover(sound_lab) == (0, "", "")


def recover(lab: Lab, **environment: str) -> Done:
    """Go on with all lost runs."""
    return lab.run("caudal", "flow-run", "recover", **environment)


def test_a_restart_finds_parameters_that_json_cannot_hold(sound_lab: Lab) -> None:
    """They are compared by what they hold."""
    process = sound_lab.start("durable.py", "order", HOLD="o0")
    sound_lab.wait_for("start o0")
    sound_lab.wait_until(lambda: len(sound_lab.flow_runs()) == 1, "it is on record")
    kill(sound_lab, process)
    assert sound_lab.run("durable.py", "order").status == 0
    assert sound_lab.flow_run().attempt == 2


def test_a_run_that_kills_every_process_is_given_up(sound_lab: Lab) -> None:
    """After as many recoveries as allowed it stays Crashed and says why, until somebody forces it."""
    deadly = {"DEADLY": "a1", "CAUDAL_RECOVERY_LIMIT": "2"}
    assert sound_lab.run("durable.py", "a", **deadly).status == -9
    done = recover(sound_lab, **deadly)
    assert done.status == 1
    row = sound_lab.flow_run()
    assert (row.state_type, row.attempt) == ("CRASHED", 3)
    assert noted(sound_lab, "a")[1:] == [
        3,
        0,
        0,
    ]  # the end of the first may be too fresh
    assert "lost 3 times" in row.details["message"]
    assert recover(sound_lab, **deadly).out == ""
    refused = sound_lab.run("caudal", "flow-run", "resume", row.name)
    assert refused.status == 2
    assert f"caudal flow-run resume {row.name} --force" in refused.err
    forced = sound_lab.run("caudal", "flow-run", "resume", row.name, "--force")
    assert forced.status == 0, forced.err
    assert noted(sound_lab, "a")[1:] == [4, 1, 1]


def test_a_durable_run_is_on_record_before_its_code_runs(sound_lab: Lab) -> None:
    """However soon its process dies, the next call goes on with it."""
    for attempt in (1, 2, 3):
        assert sound_lab.run("durable.py", "a", DEADLY="a0").status == -9
        assert sound_lab.flow_run().attempt == attempt


def test_a_given_up_run_is_not_taken_up_by_a_restart(sound_lab: Lab) -> None:
    """Nor does the call start a new run, which would do it all again: it says what there is, until somebody decides."""
    deadly = {"DEADLY": "a1", "CAUDAL_RECOVERY_LIMIT": "1"}
    for _ in range(2):
        assert sound_lab.run("durable.py", "a", **deadly).status == -9
    before, name = sound_lab.noted(), sound_lab.flow_run().name
    refused = sound_lab.run("durable.py", "a", **deadly)
    assert refused.status == 1
    assert f"flow run {name!r} cannot be taken up again: it was given up" in refused.err
    assert f"caudal flow-run resume {name} --force" in refused.err
    assert sound_lab.noted() == before
    give_up = ("caudal", "flow-run", "recover", "--give-up", name)
    assert f"`{' '.join(give_up)}`" in refused.err
    assert sound_lab.run(*give_up).status == 0
    assert sound_lab.run("durable.py", "a").status == 0
    assert [row.attempt for row in sound_lab.flow_runs()] == [1, 2]


def test_a_run_that_ends_its_process_is_not_lost(sound_lab: Lab) -> None:
    """``sys.exit`` is the run's own doing: the next call starts a new one."""
    assert sound_lab.run("durable.py", "a", LEAVE="a1").status == 3
    assert sound_lab.flow_run().state_type == "CRASHED"
    assert sound_lab.run("durable.py", "a").status == 0
    assert [row.attempt for row in sound_lab.flow_runs()] == [1, 1]


def test_a_file_that_calls_its_flow_is_loaded_without_running_it(
    sound_lab: Lab,
) -> None:
    """The lost run goes on, and no other one begins."""
    process = sound_lab.start("unguarded.py", HOLD="yes")
    sound_lab.wait_for("start bare")
    sound_lab.wait_until(lambda: len(sound_lab.flow_runs()) == 1, "it is on record")
    kill(sound_lab, process)
    done = recover(sound_lab)
    assert done.status == 0, done.err
    assert "is not run while" in done.err
    row = sound_lab.flow_run()
    assert (row.attempt, row.state_type) == (2, "COMPLETED")


def test_a_flow_within_the_flow_goes_on_too(sound_lab: Lab) -> None:
    """It is the same run in its next attempt, and belongs to its parent, which alone is taken up."""
    process = sound_lab.start("durable.py", "outer", HOLD="a2")
    sound_lab.wait_for("start a2")
    sound_lab.wait_until(lambda: completed(sound_lab) == 2, "ends are on record")
    kill(sound_lab, process)
    done = recover(sound_lab)
    assert done.status == 0, done.err
    rows = sound_lab.flow_runs()
    assert [(row.attempt, row.state_type) for row in rows] == [(2, "COMPLETED")] * 2
    assert noted(sound_lab, "a") == [1, 1, 2, 1]
    assert Counter(sound_lab.noted())["outer a"] == 2


def test_a_service_goes_on_with_runs_as_they_are_lost(sound_lab: Lab) -> None:
    """It keeps looking until it is interrupted."""
    watch = ("caudal", "flow-run", "recover", "--watch")
    service = sound_lab.start(*watch, CAUDAL_LEASE_SECONDS="1")
    for label in ("a", "b"):
        kill(sound_lab, start_held(sound_lab, label, 2))
        sound_lab.wait_for(f"end {label}3")
        sound_lab.wait_until(
            lambda label=label: run_of(sound_lab, label).state_type == "COMPLETED",
            "the run has ended",
        )
    service.send_signal(signal.SIGINT)
    done = sound_lab.end_of(service)
    assert done.status == 130
    assert done.out.count("attempt 2.") == 2


def test_a_lost_run_can_be_given_up(sound_lab: Lab) -> None:
    """Nothing goes on with it by itself any more; a person can."""
    kill(sound_lab, start_held(sound_lab, "a", 2))
    name = sound_lab.flow_run().name
    give_up = ("caudal", "flow-run", "recover", "--give-up", name)
    assert sound_lab.run(*give_up).status == 0
    assert sound_lab.run(*give_up).status == 2
    assert recover(sound_lab).out == ""
    assert sound_lab.run("durable.py", "a").status == 0
    assert [row.attempt for row in sound_lab.flow_runs()] == [1, 1]
    forced = sound_lab.run("caudal", "flow-run", "resume", name, "--force")
    assert forced.status == 0, forced.err
    assert [row.attempt for row in sound_lab.flow_runs()] == [1, 2]


def test_failed_tries_count_when_the_process_dies(sound_lab: Lab) -> None:
    """With one retry a task fails twice and no more; the try in which its process died says nothing of it."""
    assert sound_lab.run("tries.py", "between").status == -9
    done = sound_lab.run("tries.py", "between")
    assert done.status == 1
    assert "ValueError: no" in done.err
    assert sound_lab.noted() == ["hopeless"] * 3
    row = sound_lab.flow_run()
    assert (row.state_type, row.attempt) == ("FAILED", 2)
    shown = sound_lab.run("caudal", "flow-run", "explain", row.name)
    assert "hopeless-0 is Failed after 2 attempts" in shown.out


def test_a_task_that_failed_is_not_tried_again_when_the_process_dies(
    sound_lab: Lab,
) -> None:
    """The flow's code gets the same exceptions, and goes the same way; who resumes a run that ended has all tries again."""
    for _ in range(2):
        assert sound_lab.run("tries.py", "handled").status == -9
    done = sound_lab.run("tries.py", "handled")
    assert (done.status, done.out) == (0, "caught [0, 1]\n")
    assert Counter(sound_lab.noted()) == {"failing 0": 2, "failing 1": 2, "step": 3}
    retry = ("caudal", "flow-run", "retry", sound_lab.flow_run().name)
    assert sound_lab.run(*retry, "--from", "step").status == 0
    assert Counter(sound_lab.noted()) == {"failing 0": 4, "failing 1": 4, "step": 4}


def test_tries_of_a_flow_count_when_its_process_dies(sound_lab: Lab) -> None:
    """They are those of the flow, whatever process makes them."""
    assert sound_lab.run("tries.py", "stubborn").status == -9
    assert sound_lab.run("tries.py", "stubborn").status == 1
    assert sound_lab.noted() == ["stubborn"] * 3


@pytest.mark.parametrize("lives", [True, False])
def test_a_call_waits_for_news_of_a_process_elsewhere(
    sound_lab: Lab, *, lives: bool
) -> None:
    """A lease of another machine that runs out gives the run up, one that is renewed keeps it."""
    kill(sound_lab, start_held(sound_lab, "a", 1))
    change_leases(sound_lab, "host = 'elsewhere', expires_at = expires_at + 5")
    call = sound_lab.start("durable.py", "a", CAUDAL_LEASE_SECONDS="0.6")
    time.sleep(1)
    assert len(sound_lab.flow_runs()) == 1
    change_leases(sound_lab, f"expires_at = expires_at {'+' if lives else '-'} 60")
    assert sound_lab.end_of(call).status == 0
    attempts = [row.attempt for row in sound_lab.flow_runs()]
    assert attempts == ([1, 1] if lives else [2])
    sound_lab.oracle.touch()
    with sound_lab.ledger() as ledger:  # let the check find an ended run
        ledger.sweep(time.time() + 1000, lambda _: os.getpid() < 0)  # noqa: TID251


def change_leases(lab: Lab, change: str) -> None:
    """Change all leases."""
    with sqlite3.connect(lab.path) as connection:
        connection.execute(f"UPDATE lease SET {change}")  # noqa: S608 - the test's own text
    connection.close()
