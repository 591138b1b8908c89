"""Work that processes must not do at a time, or twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

PROCESSES = 4


@pytest.mark.parametrize("kind", ["tasks", "blocks"])
def test_processes_do_serializable_work_once(sound_lab: Lab, kind: str) -> None:
    """Of many that want the same at once, one works; the others wait and take its result."""
    started = [sound_lab.start("serial.py", kind) for _ in range(PROCESSES)]
    sound_lab.wait_for("ready", PROCESSES)
    sound_lab.gate.touch()
    assert [sound_lab.end_of(process).status for process in started] == [0] * PROCESSES
    times = Counter(sound_lab.noted())
    assert {name: times[name] for name in times if " " in name} == {
        f"{what} {number}": 1 for what in ("begin", "end") for number in range(3)
    }
    assert times["done"] == PROCESSES


@pytest.mark.parametrize("kind", ["tasks", "blocks"])
def test_the_lock_of_a_killed_process_does_not_stay(sound_lab: Lab, kind: str) -> None:
    """Who waits for it takes it over and does the work itself."""
    sound_lab.gate.touch()
    killed = sound_lab.start("serial.py", kind, "hang")
    sound_lab.wait_for("begin 0")
    other = sound_lab.start("serial.py", kind)
    sound_lab.wait_for("ready", 2)
    assert "end 0" not in sound_lab.noted()
    killed.kill()
    assert sound_lab.end_of(other).status == 0
    assert sound_lab.noted().count("end 0") == 1
    assert sound_lab.noted()[-1] == "done"
