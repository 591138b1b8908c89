"""Delayed calls of tasks outlive every process: whoever makes them, and whoever runs them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from caudal.exceptions import CrashedRun
from caudal.futures import DistributedFuture
from caudal.settings import temporary_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Lab

PATIENCE = 30


@pytest.fixture
def results(sound_lab: Lab) -> Iterator[Any]:
    """Give a function that waits for the results of calls, from this process."""
    from caudal.engine.composition import close_engine  # noqa: PLC0415

    with temporary_settings({"home": sound_lab.home, "ledger_path": sound_lab.path}):
        close_engine()
        yield lambda ids: [
            DistributedFuture[int](UUID(text)).result(PATIENCE) for text in ids
        ]
        close_engine()


def delay(lab: Lab, *numbers: int) -> list[str]:
    """Have a process delay calls, and return the ids of their task runs once it has ended."""
    done = lab.run("served.py", "delay", *map(str, numbers))
    assert done.status == 0, done.err
    return done.out.split()


def test_calls_wait_for_a_process_that_serves_them(
    sound_lab: Lab, results: Any
) -> None:
    """They are durable when ``delay`` returns, run once each, and their results are had by id."""
    ids = delay(sound_lab, 2, 3, 4)
    with sound_lab.ledger() as ledger:
        rows = [ledger.task_run(UUID(text).bytes) for text in ids]
    assert [row and row.state_name for row in rows] == ["Scheduled"] * 3
    server = sound_lab.start("served.py", "serve")
    assert results(ids) == [4, 9, 16]
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE) == 0
    assert sorted(sound_lab.noted()) == sorted(
        f"{what} {number}" for number in (2, 3, 4) for what in ("start", "end")
    )


def test_the_calls_of_a_killed_process_go_to_another_one(
    sound_lab: Lab, results: Any
) -> None:
    """SIGKILL in the middle of a call: another process that serves takes it up; those that wait notice nothing."""
    ids = delay(sound_lab, 0)
    first = sound_lab.start("served.py", "serve")
    sound_lab.wait_for("start 0")
    first.kill()
    first.wait(PATIENCE)
    sound_lab.start("served.py", "serve")
    sound_lab.wait_for("start 0", times=2)
    sound_lab.gate.touch()
    assert results(ids) == [0]
    assert sound_lab.noted().count("end 0") == 1
    assert sound_lab.flow_run().attempt == 2


def test_two_processes_share_the_calls(sound_lab: Lab, results: Any) -> None:
    """Each call goes to one of them."""
    servers = [sound_lab.start("served.py", "serve") for _ in range(2)]
    ids = delay(sound_lab, *range(1, 31))
    assert results(ids) == [number * number for number in range(1, 31)]
    starts = [line for line in sound_lab.noted() if line.startswith("start")]
    assert len(starts) == len(set(starts)) == 30
    for server in servers:
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0


def test_a_call_that_kills_its_processes_is_given_up(
    sound_lab: Lab, results: Any
) -> None:
    """After more losses than ``recovery_limit`` nobody takes it up, and those who wait are told."""
    ids = delay(sound_lab, -1)
    for _ in range(3):
        server = sound_lab.start("served.py", "serve", CAUDAL_RECOVERY_LIMIT="1")
        sound_lab.wait_until(
            lambda server=server: server.poll() is not None or _given_up(sound_lab),
            "the process died or gave the call up",
        )
    with pytest.raises(CrashedRun):
        results(ids)
    assert results(delay(sound_lab, 5)) == [25]
    assert sound_lab.noted().count("start -1") == 2


def _given_up(lab: Lab) -> bool:
    return any(row.details.get("given_up") for row in lab.flow_runs())


def test_a_process_that_is_told_to_stop_ends_what_it_began(
    sound_lab: Lab, results: Any
) -> None:
    """SIGTERM lets the call end, and begins no other."""
    server = sound_lab.start("served.py", "serve")
    ids = delay(sound_lab, 0)
    sound_lab.wait_for("start 0")
    server.send_signal(signal.SIGTERM)
    (later,) = delay(sound_lab, 7)
    sound_lab.gate.touch()
    assert server.wait(PATIENCE) == 0
    assert results(ids) == [0]
    with sound_lab.ledger() as ledger:
        row = ledger.task_run(UUID(later).bytes)
    assert row is not None
    assert row.state_name == "Scheduled"
