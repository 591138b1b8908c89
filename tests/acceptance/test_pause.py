"""Flow runs that wait for people, in their own process and without one."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab


def wait_for_state(lab: Lab, name: str) -> None:
    """Wait until the only flow run is in a state."""
    lab.wait_until(lambda: lab.flow_run().state_name == name, name)


def test_a_paused_script_goes_on_when_another_process_says_so(sound_lab: Lab) -> None:
    """It is given an input, which is checked by whoever gives it."""
    process = sound_lab.start("approval.py", "paused")
    sound_lab.wait_for("loaded")
    wait_for_state(sound_lab, "Paused")
    name = sound_lab.flow_run().name
    shown = sound_lab.run("caudal", "flow-run", "inspect", name)
    assert "Publish the numbers?" in shown.out
    resume = ("caudal", "flow-run", "resume", name, "--input")
    wrong = sound_lab.run(*resume, '{"approved": "perhaps"}')
    assert wrong.status == 2
    assert "approved: Input should be a valid boolean" in wrong.err
    right = sound_lab.run(*resume, '{"approved": true}', "-o", "json")
    assert right.status == 0, right.err
    assert json.loads(right.out)["name"] == name
    assert sound_lab.end_of(process).status == 0
    assert sound_lab.noted() == ["loaded", "approved True"]
    assert sound_lab.flow_run().state_type == "COMPLETED"


def test_a_suspended_script_ends_and_goes_on_in_another_process(
    sound_lab: Lab,
) -> None:
    """What it stored is not done again, and no process waits meanwhile."""
    script = sound_lab.scripts / "approval.py"
    first = sound_lab.run("caudal", "run", f"{script}:suspended", "-o", "json")
    assert first.status == 0, first.err
    record = json.loads(first.out)
    assert record["state_name"] == "Suspended"
    assert sound_lab.flow_run().owner is None
    resume = ("caudal", "flow-run", "resume", record["name"], "-o", "json")
    missing = sound_lab.run(*resume)
    assert missing.status == 2
    assert "approved: Field required" in missing.err
    assert sound_lab.flow_run().state_name == "Suspended"
    second = sound_lab.run(*resume, "--input", '{"approved": false}')
    assert second.status == 0, second.err
    assert json.loads(second.out)["state_name"] == "Completed"
    assert sound_lab.noted() == ["loaded", "approved False"]


def test_a_paused_run_whose_process_died_is_taken_up_with_its_input(
    sound_lab: Lab,
) -> None:
    """Who resumes it does its work, and it does not wait again."""
    process = sound_lab.start("approval.py", "paused")
    wait_for_state_of(sound_lab, "Paused")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    name = sound_lab.flow_run().name
    done = sound_lab.run(
        "caudal", "flow-run", "resume", name, "--input", '{"approved": true}'
    )
    assert done.status == 0, done.err
    assert sound_lab.noted() == ["loaded", "approved True"]
    assert sound_lab.flow_run().attempt == 2


def wait_for_state_of(lab: Lab, name: str) -> None:
    """Wait until there is a flow run, and it is in a state."""
    lab.wait_for("loaded")
    wait_for_state(lab, name)


def test_another_process_suspends_a_run_between_two_tasks(sound_lab: Lab) -> None:
    """The task that executes ends well, the next one does not start before the run is resumed."""
    process = sound_lab.start("approval.py", "steps")
    sound_lab.wait_for("step 0")
    name = sound_lab.flow_run().name
    asked = sound_lab.run("caudal", "flow-run", "suspend", name)
    assert asked[:2] == (0, f"Flow run '{name}' stops at its next task.\n")
    done = sound_lab.end_of(process)
    assert done.status == 1
    assert f"Suspended and has no result yet. Go on with: caudal flow-run resume {name}" in done.err  # fmt: skip
    steps = len(sound_lab.noted())
    assert {"COMPLETED"} == set(sound_lab.states().values())
    resumed = sound_lab.run("caudal", "flow-run", "resume", name)
    assert resumed.status == 0, resumed.err
    assert sound_lab.noted() == [f"step {number}" for number in range(20)]
    assert steps < 20


def test_a_script_that_waits_can_be_cancelled(sound_lab: Lab) -> None:
    """In its process, and when it has none."""
    process = sound_lab.start("approval.py", "paused")
    wait_for_state_of(sound_lab, "Paused")
    name = sound_lab.flow_run().name
    assert sound_lab.run("caudal", "flow-run", "cancel", name).status == 0
    assert sound_lab.end_of(process).status == 1
    assert sound_lab.flow_run().state_name == "Cancelled"


def kill_paused(lab: Lab, seconds: str) -> None:
    """Kill the process of a durable flow that waits."""
    process = lab.start("approval.py", "lasting", seconds)
    wait_for_state_of(lab, "Paused")
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_durable_run_whose_process_died_while_it_waited_waits_again(
    sound_lab: Lab,
) -> None:
    """The next call goes on with it, and what nobody has approved is not taken for approved."""
    kill_paused(sound_lab, "600")
    name = sound_lab.flow_run().name
    shown = sound_lab.run("caudal", "flow-run", "explain", name)
    assert f"{name} is Suspended" in shown.out
    assert "no process works on it" in shown.out
    assert "works on it" not in shown.out.replace("no process works on it", "")
    until = sound_lab.flow_run().details["pause"]["until"]
    second = sound_lab.start("approval.py", "lasting", "600")
    wait_for_state(sound_lab, "Paused")
    row = sound_lab.flow_run()
    assert (row.attempt, row.details["pause"]["until"]) == (2, until)
    resume = ("caudal", "flow-run", "resume", name, "--input", '{"approved": true}')
    assert sound_lab.run(*resume).status == 0
    assert sound_lab.end_of(second).status == 0
    assert sound_lab.noted() == ["loaded", "approved True"]
    assert sound_lab.flow_run().state_type == "COMPLETED"


def test_a_run_whose_process_died_is_not_resumed_too_late(sound_lab: Lab) -> None:
    """It fails as it would have in its process."""
    kill_paused(sound_lab, "1")
    until = sound_lab.flow_run().details["pause"]["until"]
    sound_lab.wait_until(lambda: time.time() > until, "its time is over")  # noqa: TID251
    name = sound_lab.flow_run().name
    resume = ("caudal", "flow-run", "resume", name, "--input", '{"approved": true}')
    late = sound_lab.run(*resume)
    assert late.status != 0
    assert "not resumed in time" in late.err
    assert sound_lab.flow_run().state_type == "FAILED"
    assert sound_lab.noted() == ["loaded"]
