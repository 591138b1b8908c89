"""Processes that share a limit: it is never exceeded, and who dies gives back what it held."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from caudal.clock import timestamp
from caudal.ledger.port import RunFilter
from caudal.model.limits import LimitChange

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

#: So long that no lease runs out while a test waits.
LONG = "3600"


def limit(lab: Lab, slots: int) -> None:
    """Limit the tag of the script's tasks."""
    with lab.ledger() as ledger:
        ledger.limits.change(LimitChange("tag:db", slots), timestamp())


def most_within(lab: Lab) -> int:
    """Return how many were within the limit at most at a time; a process was out of it from its note ``kill`` on."""
    within: dict[str, int] = {}
    most = 0
    for line in lab.oracle.read_text().splitlines():
        word, pid = line.split()
        if word in {"kill", "dead"}:
            within[pid] = 0
        else:
            within[pid] = within.get(pid, 0) + (1 if word == "enter" else -1)
        most = max(most, sum(within.values()))
    return most


@pytest.mark.parametrize("flow", ["by_tag", "by_name"])
def test_no_limit_is_exceeded_by_many_processes(sound_lab: Lab, flow: str) -> None:
    """All of them get through, two at a time, and nothing is held at the end."""
    limit(sound_lab, 2)
    processes = [sound_lab.start("limited.py", flow, TASKS="6") for _ in range(6)]
    ends = [sound_lab.end_of(process) for process in processes]
    assert [done.status for done in ends] == [0] * 6, ends
    assert sound_lab.noted().count("leave") == 36
    assert most_within(sound_lab) <= 2
    with sound_lab.ledger() as ledger:
        assert not ledger.limits.holders()


def test_a_killed_process_holds_nothing(sound_lab: Lab) -> None:
    """Who waited for its slot says for whom, and goes on as soon as it is dead, however long its lease is."""
    limit(sound_lab, 1)
    holder = sound_lab.start(
        "limited.py", "by_tag", HOLD="1", CAUDAL_LEASE_SECONDS=LONG
    )
    sound_lab.wait_for("enter")
    waiting = sound_lab.start("limited.py", "by_tag", CAUDAL_LEASE_SECONDS=LONG)

    def message() -> str | None:
        with sound_lab.ledger() as ledger:
            where = RunFilter(state_names=("AwaitingConcurrencySlot",))
            rows = ledger.task_runs(where)
        return rows[0].details["message"] if rows and rows[0].details else None

    sound_lab.wait_until(message, "it waits")
    held_by = "is held by task run 'tagged-0' of flow run"
    assert held_by in (message() or "")
    assert sound_lab.noted() == ["enter"]

    holder.kill()

    assert sound_lab.end_of(waiting).status == 0
    assert sound_lab.noted() == ["enter", "enter", "leave"]
    assert sound_lab.listed()[0]["state_name"] == "Completed"


def test_processes_that_are_killed_at_any_moment_leave_no_slot_behind(
    sound_lab: Lab,
) -> None:
    """Others go on beside them, and the limit holds throughout."""
    limit(sound_lab, 2)
    for place in range(4):
        doomed = [
            sound_lab.start(
                "limited.py", "by_tag", TASKS="50", CAUDAL_LEASE_SECONDS=LONG
            )
            for _ in range(2)
        ]
        sound_lab.wait_for("enter", 10 * (place + 1))
        for process in doomed:
            with sound_lab.oracle.open("a") as file:
                file.write(f"kill {process.pid}\n")
            os.killpg(process.pid, signal.SIGKILL)
            sound_lab.end_of(process)
            with sound_lab.oracle.open("a") as file:
                file.write(f"dead {process.pid}\n")
    done = sound_lab.run("limited.py", "by_name", TASKS="3")
    assert done.status == 0, done.err
    assert most_within(sound_lab) <= 2
    sound_lab.listed()
    with sound_lab.ledger() as ledger:
        assert len(ledger.limits.all()) == 1


def test_a_process_that_was_silent_learns_that_its_slots_were_taken(
    sound_lab: Lab,
) -> None:
    """Others go on once its lease has run out; strict code fails at the end of its block."""
    limit(sound_lab, 1)
    silent = sound_lab.start("limited.py", "by_name", HOLD="1", CAUDAL_LEASE_SECONDS="0.5")  # fmt: skip
    sound_lab.wait_for("enter")
    silent.send_signal(signal.SIGSTOP)
    other = sound_lab.run("limited.py", "by_name")
    assert other.status == 0, other.err
    sound_lab.gate.touch()
    silent.send_signal(signal.SIGCONT)
    done = sound_lab.end_of(silent)
    assert done.status == 1
    assert (
        "ConcurrencySlotsLostError: the slots of 'tag:db' were taken away" in done.err
    )
