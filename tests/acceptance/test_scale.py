"""Much of everything: what is bounded stays so, and nothing is lost.

Sizes are small here; ``make scale``, which sets SCALE, takes those that caudal promises. Processor time and memory are compared, never the
time on the wall.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

FULL = "SCALE" in os.environ
MEGABYTE = 1_000_000
#: Seconds that the largest of them may take on a busy machine.
PATIENCE = 600


def run(lab: Lab, name: str, size: int) -> dict[str, Any]:
    """Run a part of ``scale.py`` and return what it printed."""
    process = lab.start("scale.py", name, str(size), CAUDAL_LOGGING_LEVEL="ERROR")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return json.loads(out)


def completed(lab: Lab, flow: str) -> int:
    """Return how many task runs of a flow are on record as completed."""
    return sum(row.task_completed for row in lab.flow_runs() if row.flow_name == flow)


def test_a_wide_map_keeps_to_a_kilobyte_for_each_run(lab: Lab) -> None:
    """Its runs start while it is made, so that finished ones, which are small, are most of them."""
    size = 1_000_000 if FULL else 50_000
    made = run(lab, "wide", size)
    assert made["outcome"] == size
    assert made["memory"] <= size * 1100 + 60 * MEGABYTE
    assert completed(lab, "wide") == size


def test_a_long_chain_of_futures_ends(sound_lab: Lab) -> None:
    """Each task waits for the one before, without a thread and without depth on the stack."""
    size = 10_000 if FULL else 3_000
    made = run(sound_lab, "chain", size)
    assert made["outcome"] == size
    assert made["threads"] <= 16


def test_a_large_argument_is_not_touched(lab: Lab) -> None:
    """No walk, no copy, no hash: an array that takes memory only where it is read takes none."""
    size = 2_000 * MEGABYTE
    *lengths, grown = run(lab, "frame", size)["outcome"]
    assert lengths == [size, size, 1]
    assert grown <= 20 * MEGABYTE


def test_thousands_of_async_tasks_run_at_once(lab: Lab) -> None:
    """They wait for each other: none would end if one had to wait for its start."""
    size = 10_000 if FULL else 2_000
    assert run(lab, "together", size)["outcome"] == size
    assert completed(lab, "together") == size


def test_flows_nest_two_hundred_deep(sound_lab: Lab) -> None:
    """Caudal's own frames leave their code the stack that it would have without."""
    assert run(sound_lab, "deep", 200)["outcome"] == 200
    assert len(sound_lab.flow_runs()) == 201


def test_a_flow_calls_two_hundred_flows(sound_lab: Lab) -> None:
    """Each is a run of its own."""
    assert run(sound_lab, "broad", 200)["outcome"] == 200
    assert len(sound_lab.flow_runs()) == 202


def test_tasks_that_burn_processor_time_cost_no_more_than_others(lab: Lab) -> None:
    """At most a millisecond of processor time is added to each."""
    assert run(lab, "busy", 10 if FULL else 4)["outcome"] <= 0.001
