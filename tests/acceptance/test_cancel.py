"""Flow runs that another process cancels, wherever their code is."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_interrupt import FLOWS, assert_cancelled

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab


def cancel(lab: Lab) -> None:
    """Cancel the run that no other run called, from another process."""
    lab.wait_until(lab.flow_runs, "the run is on record")
    (top,) = [row for row in lab.flow_runs() if row.parent_flow_run_id is None]
    done = lab.run("caudal", "flow-run", "cancel", top.name)
    assert (0, f"Flow run '{top.name}' is being cancelled by its process.\n") == done[
        :2
    ]


@pytest.mark.parametrize("flow", [*FLOWS, "deaf_threads", "other_thread", "swallowing"])
def test_a_cancelled_run_ends_wherever_its_code_is(sound_lab: Lab, flow: str) -> None:
    """Runs and task runs are recorded as cancelled, hooks ran, and the caller gets a CancelledRun."""
    process = sound_lab.start("slow.py", flow)
    sound_lab.wait_for("working", FLOWS.get(flow, 1))
    cancel(sound_lab)
    done = sound_lab.end_of(process)
    assert done.status == 1
    assert "caudal.exceptions.runs.CancelledRun: The flow run was cancelled." in done.err  # fmt: skip
    assert "Exception ignored" not in done.err
    assert "Exception in thread" not in done.err
    assert_cancelled(sound_lab)


def test_the_command_that_runs_a_flow_reports_that_it_was_cancelled(
    sound_lab: Lab,
) -> None:
    """``caudal run`` ends as for a run that did not complete, and says what to do next; cancellation hooks run once."""
    script = sound_lab.scripts / "slow.py"
    process = sound_lab.start("caudal", "run", f"{script}:hooked", "-o", "json")
    sound_lab.wait_for("working")
    cancel(sound_lab)
    done = sound_lab.end_of(process)
    assert done.status == 1, done.err
    assert json.loads(done.out)["state_name"] == "Cancelled"
    assert_cancelled(sound_lab)
    assert [line for line in sound_lab.noted() if line != "working"] == ["cancelled"]


def test_a_run_whose_process_is_gone_is_cancelled_at_once(sound_lab: Lab) -> None:
    """Nobody is there to notice, so the command itself closes the run and its tasks."""
    process = sound_lab.start("slow.py", "threads")
    sound_lab.wait_for("working", 2)
    sound_lab.wait_until(lambda: len(sound_lab.states()) == 3, "tasks are on record")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    name = sound_lab.flow_run().name
    done = sound_lab.run("caudal", "flow-run", "cancel", name, "--output", "json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["state_name"] == "Cancelled"
    assert {"CANCELLED"} == set(sound_lab.states().values())


def test_a_run_that_has_ended_cannot_be_cancelled(sound_lab: Lab) -> None:
    """The error says how it ended; nothing is written."""
    assert sound_lab.run("slow.py", "quick").status == 0
    name = sound_lab.flow_run().name
    done = sound_lab.run("caudal", "flow-run", "cancel", name)
    assert done.status == 2
    assert f"flow run '{name}' cannot be cancelled: it is Completed." in done.err
    assert sound_lab.flow_run().state_type == "COMPLETED"


def test_only_the_child_that_was_cancelled_ends(sound_lab: Lab) -> None:
    """Its caller gets the error, may handle it, and completes."""
    process = sound_lab.start("slow.py", "patient_parent")
    sound_lab.wait_for("working")
    sound_lab.wait_until(lambda: len(sound_lab.flow_runs()) == 2, "it is on record")
    (child,) = [row for row in sound_lab.flow_runs() if row.flow_name == "child"]
    assert sound_lab.run("caudal", "flow-run", "cancel", child.name).status == 0
    assert sound_lab.end_of(process).status == 0
    kinds = {row.flow_name: row.state_type for row in sound_lab.flow_runs()}
    assert kinds == {"child": "CANCELLED", "patient-parent": "COMPLETED"}


def test_a_child_in_a_worker_process_is_cancelled_with_its_parent(
    sound_lab: Lab,
) -> None:
    """Its process is killed with the task that called it, and its run is cancelled, not crashed."""
    process = sound_lab.start("slow.py", "far_parent")
    sound_lab.wait_for("working")
    cancel(sound_lab)
    assert sound_lab.end_of(process).status == 1
    sound_lab.listed()  # whoever looks closes what the killed process left
    assert_cancelled(sound_lab)
