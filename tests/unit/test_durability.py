"""Each level of durability keeps what the documentation promises of it, as far as one process can tell."""

from __future__ import annotations

import os
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.app import open_store
from caudal.engine.composition import close_engine, current_engine
from caudal.ledger.port import RunFilter
from caudal.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caudal.engine.engine import Engine
    from caudal.ledger.port import Batch, Receipt

#: Seconds that a commit takes unless it is let go sooner.
SLOW_SECONDS = {"async": 30, "commit": 0.3, "sync": 0.3}


@task
def double(value: int) -> int:
    """Double a value."""
    return 2 * value


@flow
def doubled() -> int:
    """Call one task."""
    return double(2)


@pytest.fixture(params=SLOW_SECONDS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the test each level in turn, as the setting of its engine."""
    monkeypatch.setenv("CAUDAL_DURABILITY", request.param)
    return request.param


@pytest.fixture
def let_commit(
    level: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Event]:
    """Make commits slow until the event is set."""
    event, commit = Event(), engine.ledger.commit

    def slowly(batch: Batch) -> Receipt:
        event.wait(SLOW_SECONDS[level])
        return commit(batch)

    monkeypatch.setattr(engine.ledger, "commit", slowly)
    yield event
    event.set()


def states_on_record() -> list[str]:
    """Return the states of all flow and task runs that are in the ledger, without waiting for any."""
    ledger = current_engine().ledger
    found = [*ledger.flow_runs(RunFilter(), limit=9), *ledger.task_runs(RunFilter(), limit=9)]  # fmt: skip
    return [row.state_name for row in found]


def test_a_flow_call_returns_when_its_record_is_committed_except_with_async(
    level: str, let_commit: Event
) -> None:
    """With ``async`` nothing may be on record yet, and all is once the process has ended by itself."""
    assert doubled() == 4

    assert states_on_record() == ([] if level == "async" else ["Completed"] * 2)
    let_commit.set()
    close_engine()
    assert states_on_record() == ["Completed"] * 2


def test_large_results_are_forced_to_disk_with_sync_alone(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself, and the folders in which its name stands."""
    forced: list[Any] = []
    monkeypatch.setattr(os, "fsync", forced.append)

    open_store(load_settings()).write("key", b"value")

    assert bool(forced) == (level == "sync")


@pytest.mark.parametrize("level", ["async"], indirect=True)
def test_an_interrupted_flow_run_waits_for_its_record_with_async_too(
    level: str, engine: Engine
) -> None:
    """What went wrong is on record when the interrupt comes out of the call."""
    assert engine.settings.durability == level

    @flow
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert states_on_record() == ["Cancelled"]
