"""SIGKILL and SIGSTOP in the middle of a flow, and what goes on from there.

Steps keep their results. What a process noted in the oracle file is what it really did, whatever is on record.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from caudal.ledger.port import RunFilter

if TYPE_CHECKING:
    import subprocess

    from tests.acceptance.conftest import Done, Lab

#: Flow, where it waits, and what has been noted by then.
PLACES = [
    ("inline", "0", "start 0"),
    ("inline", "2", "start 2"),
    ("inline", "between", "between"),
    ("threads", "3", "start 3"),
    ("processes", "3", "start 3"),
]
#: Seconds of a lease that is to run out.
LEASE = "0.5"


def start_held(
    lab: Lab, flow: str, place: str, text: str, **environment: str
) -> subprocess.Popen[str]:
    """Start a flow and return its process once it waits at a place and its past is on record."""
    process = lab.start("steps.py", flow, HOLD=place, **environment)
    lab.wait_for(text)
    started = {entry.split()[1] for entry in lab.noted() if entry.startswith("end")}
    lab.wait_until(lambda: len(completed(lab)) >= len(started), "ends are on record")
    return process


def completed(lab: Lab) -> set[str]:
    """Return the numbers of the steps whose completion is on record."""
    states = lab.states().items()
    return {name.split("-")[1] for name, state in states if state == "COMPLETED"}


def resume(lab: Lab) -> Done:
    """Resume the only flow run."""
    return lab.run("caudal", "flow-run", "resume", lab.flow_run().name)


def log_messages(lab: Lab) -> list[str]:
    """Return all log lines that are on record."""
    with lab.ledger() as ledger:
        return [row.message for _, row in ledger.logs(limit=10_000)]


@pytest.mark.parametrize(("flow", "place", "text"), PLACES)
def test_a_killed_flow_run_is_resumed_where_it_was(
    sound_lab: Lab, flow: str, place: str, text: str
) -> None:
    """It is listed as crashed at once, and resuming it runs every step that is not on record, and no other."""
    process = start_held(sound_lab, flow, place, text)
    process.kill()
    sound_lab.end_of(process)
    sound_lab.wait_for_all_gone()
    recorded = completed(sound_lab)
    assert [run["state_name"] for run in sound_lab.listed()] == ["Crashed"]
    states = sound_lab.states()
    assert set(states.values()) <= {"COMPLETED", "CRASHED"}
    before = Counter(sound_lab.noted())
    done = resume(sound_lab)
    assert done.status == 0, done.err
    assert sound_lab.flow_run().state_type == "COMPLETED"
    assert set(sound_lab.states().values()) == {"COMPLETED"}
    assert len(sound_lab.states()) == 6
    new = Counter(sound_lab.noted()) - before
    repeated = {number for number in "012345" if new[f"start {number}"]}
    assert repeated == set("012345") - recorded
    assert all(new[f"start {number}"] == 1 for number in repeated)


def test_a_completed_task_run_of_a_resumed_run_says_nothing_of_the_crash(
    sound_lab: Lab,
) -> None:
    """The message of the state it was in before does not stay."""
    process = start_held(sound_lab, "inline", "2", "start 2")
    process.kill()
    assert resume(sound_lab).status == 0
    details = [row.details or {} for row in sound_lab.task_runs().values()]
    assert [detail.get("message") for detail in details] == [None] * 6


def test_a_flow_run_can_be_killed_and_resumed_again_and_again(sound_lab: Lab) -> None:
    """A kill while it is resumed costs no more than the first one."""
    for place in ("0", "2", "4"):
        command = ["steps.py", "inline"]
        if sound_lab.path.exists():
            command = ["caudal", "flow-run", "resume", sound_lab.flow_run().name]
        process = sound_lab.start(*command, HOLD=place)
        sound_lab.wait_for(f"start {place}")
        sound_lab.wait_until(
            lambda place=place: len(completed(sound_lab)) == int(place), "recorded"
        )
        process.kill()
        sound_lab.end_of(process)
    assert resume(sound_lab).status == 0
    starts = Counter(entry for entry in sound_lab.noted() if "start" in entry)
    assert [starts[f"start {number}"] for number in range(6)] == [2, 1, 2, 1, 2, 1]
    assert sound_lab.flow_run().attempt == 4


def test_a_flow_run_that_goes_on_is_not_resumed(sound_lab: Lab) -> None:
    """The message says which process works on it, and that process is not disturbed."""
    process = start_held(sound_lab, "inline", "2", "start 2")
    done = resume(sound_lab)
    assert done.status == 2
    assert f"process {process.pid} on " in done.err
    assert "stop it first" in done.err
    sound_lab.gate.touch()
    assert sound_lab.end_of(process).status == 0
    assert sound_lab.flow_run().attempt == 1
    assert done.err.count("Traceback") == 0


def test_of_two_processes_that_resume_a_run_one_does(sound_lab: Lab) -> None:
    """The other one says why not, and no step runs twice."""
    start_held(sound_lab, "inline", "2", "start 2").kill()
    sound_lab.wait_for_all_gone()
    name = sound_lab.flow_run().name
    both = [
        sound_lab.start("caudal", "flow-run", "resume", name, HOLD="3")
        for _ in range(2)
    ]
    sound_lab.wait_for("start 3")
    sound_lab.wait_until(lambda: any(each.poll() == 2 for each in both), "refused")
    sound_lab.gate.touch()
    ends = sorted(sound_lab.end_of(each).status for each in both)
    assert ends == [0, 2]
    assert Counter(sound_lab.noted())["start 3"] == 1


@pytest.mark.parametrize("flow", ["inline", "threads", "processes"])
def test_a_process_that_wakes_up_after_its_lease_writes_nothing(
    sound_lab: Lab, flow: str
) -> None:
    """After a pause longer than its lease another process owns the run: its record stays, and the sleeper says so."""
    sleeper = start_held(
        sound_lab, flow, "2", "start 2", CAUDAL_LEASE_SECONDS=LEASE
    )  # fmt: skip
    os.kill(sleeper.pid, signal.SIGSTOP)
    wait_for_leases(sound_lab)
    assert resume(sound_lab).status == 0
    row, tasks = sound_lab.flow_run(), sound_lab.task_runs()
    with sound_lab.ledger() as ledger:
        events = ledger.events(limit=10_000)
    sound_lab.gate.touch()
    os.kill(sleeper.pid, signal.SIGCONT)
    done = sound_lab.end_of(sleeper)
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("caudal.exceptions.")
    assert "was taken over by another process" in done.err
    assert sound_lab.flow_run() == row
    assert sound_lab.task_runs() == tasks
    with sound_lab.ledger() as ledger:
        assert ledger.events(limit=10_000) == events


def wait_for_leases(lab: Lab) -> None:
    """Wait until the leases of all processes have run out."""

    def have_expired() -> bool:
        with lab.ledger() as ledger:
            return all(lease.expires_at < time.time() for lease in ledger.leases())  # noqa: TID251 - the processes' clock

    lab.wait_until(have_expired, "leases expired")


def test_a_process_that_lost_its_lease_replaces_no_result(sound_lab: Lab) -> None:
    """A result that is on record stays as its owner stored it."""
    sleeper = start_held(
        sound_lab, "pids", "2", "start 2", CAUDAL_LEASE_SECONDS=LEASE
    )  # fmt: skip
    os.kill(sleeper.pid, signal.SIGSTOP)
    wait_for_leases(sound_lab)
    assert resume(sound_lab).status == 0
    before = stored_results(sound_lab)
    sound_lab.gate.touch()
    os.kill(sleeper.pid, signal.SIGCONT)
    sound_lab.end_of(sleeper)
    assert stored_results(sound_lab) == before


def stored_results(lab: Lab) -> dict[str, bytes | None]:
    """Return the stored results of all task runs by their names."""
    results: dict[str, bytes | None] = {}
    with lab.ledger() as ledger:
        for row in ledger.task_runs(RunFilter()):
            stored = ledger.result((row.details or {})["result_key"])
            results[row.name] = None if stored is None else stored.inline
    return results


def test_a_process_that_lost_its_lease_starts_nothing(sound_lab: Lab) -> None:
    """It may end what it was doing when it fell asleep, but no step runs in it that the new owner did."""
    sleeper = start_held(
        sound_lab, "forgetful", "2", "start 2", CAUDAL_LEASE_SECONDS=LEASE
    )  # fmt: skip
    os.kill(sleeper.pid, signal.SIGSTOP)
    wait_for_leases(sound_lab)
    assert resume(sound_lab).status == 0
    before = Counter(sound_lab.noted())
    sound_lab.gate.touch()
    os.kill(sleeper.pid, signal.SIGCONT)
    sound_lab.end_of(sleeper)
    late = Counter(sound_lab.noted()) - before
    assert not [entry for entry in late if entry.startswith("start")]


def test_a_process_that_lost_its_lease_leaves_nothing_behind(sound_lab: Lab) -> None:
    """Artifacts, variables and slots are refused with an error, and its hooks are not run: the new owner's are."""
    limit = ("caudal", "global-concurrency-limit", "create")
    assert sound_lab.run(*limit, "gpu", "--limit", "1").status == 0
    rate = ("--limit", "9", "--slot-decay-per-second", "1")
    assert sound_lab.run(*limit, "rate", *rate).status == 0
    sleeper = sound_lab.start("zombie.py", ME="old", CAUDAL_LEASE_SECONDS=LEASE)
    sound_lab.wait_for("old start")
    os.kill(sleeper.pid, signal.SIGSTOP)
    wait_for_leases(sound_lab)
    assert resume(sound_lab).status == 0
    before, events = sound_lab.noted(), count_of_events(sound_lab)
    assert [entry for entry in before if "hook" in entry] == [
        "new commit hook",
        "new hook step-0 Completed",
        "new hook zombie Completed",
    ]
    sound_lab.gate.touch()
    os.kill(sleeper.pid, signal.SIGCONT)
    done = sound_lab.end_of(sleeper)
    assert done.status == 1
    assert "LeaseLostError" in done.err
    assert sound_lab.noted()[len(before) :] == [
        "old artifact LeaseLostError",
        "old variable LeaseLostError",
        "old slot LeaseLostError",
        "old rate LeaseLostError",
        "old transaction done",
        "old end",
    ]
    assert count_of_events(sound_lab) == events


def count_of_events(lab: Lab) -> int:
    """Return how many events are on record."""
    with lab.ledger() as ledger:
        return len(ledger.events(limit=100_000))
