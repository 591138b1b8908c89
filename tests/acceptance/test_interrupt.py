"""Ctrl-C and SIGTERM wherever a flow can be."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

#: Flows of ``slow.py``, and how many of their tasks work at a time.
FLOWS = {
    "body": 1,
    "inline": 1,
    "threads": 2,
    "processes": 2,
    "coroutine": 1,
    "async_inline": 1,
    "async_submitted": 3,
    "loop": 2,
    "retry_inline": 1,
    "retry_submitted": 1,
    "retry_flow": 1,
    "parent": 1,
}


def assert_cancelled(lab: Lab) -> None:
    """Assert that every run is recorded as cancelled, that nothing was finished, and that nothing goes on."""
    assert {"CANCELLED"} == {row.state_type for row in lab.flow_runs()}
    tasks = lab.task_runs().values()
    assert {row.name: "CANCELLED" for row in tasks} == lab.states()
    assert "finished" not in lab.noted()
    lab.wait_for_all_gone()


@pytest.mark.parametrize("flow", FLOWS)
def test_an_interrupted_script_ends_and_leaves_a_cancelled_run(
    sound_lab: Lab, flow: str
) -> None:
    """Ctrl-C ends the script as Python does; runs and task runs are recorded as cancelled, workers are gone."""
    process = sound_lab.start("slow.py", flow)
    sound_lab.wait_for("working", FLOWS[flow])
    os.killpg(process.pid, signal.SIGINT)
    done = sound_lab.end_of(process)
    assert done.status == -signal.SIGINT
    assert done.err.endswith("KeyboardInterrupt\n")
    assert "Exception ignored" not in done.err
    assert "Exception in thread" not in done.err
    assert_cancelled(sound_lab)


@pytest.mark.parametrize("flow", ["body", "threads", "processes", "async_submitted"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_ends_and_leaves_a_cancelled_run(
    sound_lab: Lab, flow: str, number: signal.Signals
) -> None:
    """``caudal run`` ends with the status that shells give to the signal, without a traceback."""
    script = sound_lab.scripts / "slow.py"
    process = sound_lab.start("caudal", "run", f"{script}:{flow}")
    sound_lab.wait_for("working", FLOWS[flow])
    os.killpg(process.pid, number)
    done = sound_lab.end_of(process)
    assert 128 + number == done.status, done.err
    assert "Traceback" not in done.err
    assert_cancelled(sound_lab)


def test_task_runs_that_hear_no_interrupt_are_closed(sound_lab: Lab) -> None:
    """A thread that cannot be interrupted gets a while to end; then its task run is closed before the flow run is."""
    process = sound_lab.start("slow.py", "deaf_threads")
    sound_lab.wait_for("working", 2)
    os.killpg(process.pid, signal.SIGINT)
    assert sound_lab.end_of(process).status == -signal.SIGINT
    assert_cancelled(sound_lab)


def test_a_second_interrupt_ends_the_wait_for_tasks(sound_lab: Lab) -> None:
    """Whoever presses Ctrl-C twice waits no longer, and the record is as complete."""
    process = sound_lab.start("slow.py", "deaf_threads")
    sound_lab.wait_for("working", 2)
    os.killpg(process.pid, signal.SIGINT)
    sound_lab.wait_for("interrupted")
    time.sleep(0.2)  # by then it waits
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=4)
    assert process.returncode == -signal.SIGINT
    assert_cancelled(sound_lab)


def test_a_second_interrupt_ends_the_wait_of_the_command_too(sound_lab: Lab) -> None:
    """``caudal run`` lets it through."""
    script = sound_lab.scripts / "slow.py"
    process = sound_lab.start("caudal", "run", f"{script}:deaf_threads")
    sound_lab.wait_for("working", 2)
    os.killpg(process.pid, signal.SIGINT)
    sound_lab.wait_for("interrupted")
    time.sleep(0.7)  # sooner it would count as the same one
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=4)
    assert process.returncode == 130
    assert_cancelled(sound_lab)


def test_a_terminated_script_is_listed_as_crashed(sound_lab: Lab) -> None:
    """SIGTERM ends a script at once, its workers too; the next look at the runs closes what it left open."""
    process = sound_lab.start("slow.py", "processes")
    sound_lab.wait_for("working", 2)
    os.kill(process.pid, signal.SIGTERM)
    assert sound_lab.end_of(process).status == -signal.SIGTERM
    assert [run["state_name"] for run in sound_lab.listed()] == ["Crashed"]
    assert set(sound_lab.states().values()) == {"CRASHED"}
    sound_lab.wait_for_all_gone()
    assert "finished" not in sound_lab.noted()
