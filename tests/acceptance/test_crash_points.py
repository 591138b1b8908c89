"""SIGKILL at every named place of the engine, and what comes out when the run is resumed.

The steps of the flow note what they really do in a file that caudal knows nothing about, each with a token that it makes up and returns. So the file
says which executions there were, and the ledger's results say which of them counts. The numbers are those of the invariants in the
reliability catalogue.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from caudal.ledger.port import RunFilter
from caudal.model.ids import format_id
from caudal.storage.local import LocalStore
from caudal.storage.results import decode
from caudal.testing.crash_points import CRASH_POINTS

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

#: Places that a first run gets to.
FIRST = [
    "before-call:1",
    "before-call:2",
    "before-call:3",
    "before-call:7",
    "after-call:1",
    "after-call:3",
    "after-call:5",
    "after-call:8",
    "before-result:1",
    "before-result:4",
    "before-result:9",
    "in-result",
    "after-result:1",
    "after-result:3",
    "after-result:7",
    "before-commit:1",
    "before-commit:2",
    "before-commit:3",
    "in-commit:1",
    "in-commit:2",
    "in-commit:3",
    "after-commit:1",
    "after-commit:2",
    "after-commit:3",
    "before-end:1",
    "before-end:2",
    "after-end:1",
    "after-end:2",
    "after-end:3",
    "before-release",
]
#: Places that a process gets to which looks for runs of dead processes.
SWEEPING = ["in-sweep", "after-sweep"]
#: Places that a process gets to which resumes a run.
SECOND = [
    "before-claim",
    "in-claim",
    "after-claim",
    "before-recovery",
    "in-recovery",
    "before-call:1",
    "after-result:1",
    "in-commit:1",
    "after-commit:1",
    "after-end",
]
#: How often a step may be tried in one process.
TRIES = Counter({"flaky": 3})


class Done(NamedTuple):
    """A line that a step noted."""

    step: str
    token: str
    pid: str


def done(lab: Lab) -> list[Done]:
    """Return what the steps did, in order."""
    lines = lab.oracle.read_text().splitlines() if lab.oracle.exists() else []
    return [Done(*line.split()[1:]) for line in lines if line.startswith("did ")]


def results(lab: Lab) -> dict[bytes, str]:
    """Return the tokens among the results that are on record, by id of the task run."""
    store = LocalStore(lab.home / "storage")
    found: dict[bytes, str] = {}
    with lab.ledger() as ledger:
        for row in ledger.task_runs(RunFilter(), limit=1000):
            if row.state_type == "COMPLETED":
                stored = ledger.result((row.details or {})["result_key"])
                assert stored is not None, "a completed step has its result (I2)"
                value = decode(stored, store)
                token = value if isinstance(value, str) else value[0]
                found[row.id] = token
    return found


def is_complete(lab: Lab) -> bool:
    """Say whether the record says that the work is done."""
    return any(
        row.flow_name == "work" and row.state_type == "COMPLETED"
        for row in lab.flow_runs()
    )


def final_value(lab: Lab) -> dict[str, str]:
    """Return the flow's stored result."""
    (row,) = [row for row in lab.flow_runs() if row.flow_name == "work"]
    with lab.ledger() as ledger:
        stored = ledger.result(f"flow-run-{format_id(row.id)}")
    assert stored is not None
    return decode(stored, LocalStore(lab.home / "storage"))


def kill(lab: Lab, command: str, place: str) -> None:
    """Run or resume the flow in a process that dies at a place, and check what is acknowledged by then."""
    ended = lab.run("crashing.py", command, CRASH_AT=place)
    assert ended.status == -signal.SIGKILL, ended
    lab.check()
    noted = lab.noted()
    acknowledged = {line for line in noted if line.startswith("ack inner")}
    states = [row.state_type for row in lab.flow_runs() if row.flow_name == "inner"]
    assert states.count("COMPLETED") >= len(acknowledged), "I14: what a call returned is durable"  # fmt: skip
    known = {token for _, token, _ in done(lab)}
    assert set(results(lab).values()) <= known, "results come from executions (I2)"


def finish(lab: Lab) -> None:
    """Have a process end the work, and check what came out of it all."""
    before, executed = results(lab), done(lab)
    if not is_complete(lab):
        ended = lab.run("crashing.py", "resume" if lab.flow_runs() else "run")
        assert ended.status == 0, ended.err
        assert json.loads(ended.out) == final_value(lab)
    assert {row.state_type for row in lab.flow_runs()} == {"COMPLETED"}, "I1"
    names = Counter(row.flow_name for row in lab.flow_runs())
    assert names == {"work": 1, "inner": 2}, "no run is made twice (I1)"
    after, value, everything = results(lab), final_value(lab), done(lab)
    assert {run_id: after[run_id] for run_id in before} == before, (
        "a recorded result never changes (I4)"
    )
    again = {step for step, _, _ in everything[len(executed) :]}
    kept = {step for step, token, _ in executed if token in before.values()}
    assert not kept & again, "a recorded step is not done again (I4)"
    assert sorted(value.values()) == sorted(after.values()), "one result each (I2)"
    steps = {token: step for step, token, _ in everything}
    assert {steps[token] for token in value.values()} == set(value), "I2"
    tries = Counter((step, pid) for step, _, pid in everything)
    assert all(times <= TRIES[step] or times == 1 for (step, _), times in tries.items()), "I7"  # fmt: skip


def test_every_crash_point_is_killed() -> None:
    """No place is named and never tried."""
    places = FIRST + SWEEPING + SECOND
    tried = {place.partition(":")[0] for place in places}
    assert tried == CRASH_POINTS.keys()


@pytest.mark.parametrize("place", FIRST)
def test_a_run_killed_at_a_crash_point_is_resumed_to_the_same_end(
    sound_lab: Lab, place: str
) -> None:
    """I1, I2, I4, I5, I7 and I14 hold wherever the process died: recorded steps stay, the others are done."""
    kill(sound_lab, "run", place)
    finish(sound_lab)


@pytest.mark.parametrize("place", SECOND)
def test_a_resumed_run_killed_at_a_crash_point_is_resumed_again(
    sound_lab: Lab, place: str
) -> None:
    """A kill while a run is taken up again costs no more than the first one."""
    kill(sound_lab, "run", "before-call:9")
    kill(sound_lab, "resume", place)
    finish(sound_lab)


@pytest.mark.parametrize("place", SWEEPING)
def test_a_run_is_resumed_after_a_sweep_that_was_killed(
    sound_lab: Lab, place: str
) -> None:
    """A sweep closes the runs of a dead process, or leaves them for the next one to find."""
    kill(sound_lab, "run", "before-call:9")
    kill(sound_lab, "sweep", place)
    closed = sound_lab.run("crashing.py", "sweep").status
    assert closed == (1 if place == "in-sweep" else 0)
    finish(sound_lab)
