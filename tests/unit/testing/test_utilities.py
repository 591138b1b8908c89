"""The harness for tests of flows, and the helpers beside it."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caudal import flow, get_client, task
from caudal.settings import (
    CAUDAL_HOME,
    CAUDAL_LEDGER_PATH,
    CAUDAL_TASKS_DEFAULT_RETRIES,
    get_current_settings,
    temporary_settings,
)
from caudal.settings.current import exchange_settings
from caudal.task_runners import ProcessPoolTaskRunner
from caudal.testing.fixtures import caudal_harness
from caudal.testing.utilities import (
    assert_does_not_warn,
    caudal_test_harness,
    exceptions_equal,
)

if TYPE_CHECKING:
    from caudal.client import SyncClient

__all__ = ["caudal_harness"]


@task(persist_result=True)
def work(size: int) -> bytes:
    """Return that many bytes."""
    return b"x" * size


@flow
def around(size: int = 1) -> bytes:
    """Do some work."""
    return work(size)


@flow
async def later() -> str:
    """Do nothing on an event loop."""
    await asyncio.sleep(0)
    return "later"


@pytest.mark.usefixtures("engine")
def test_runs_in_a_harness_are_recorded_there_alone() -> None:
    """It starts empty, its client reads it, and the process's own ledger goes on afterwards."""
    around()
    with caudal_test_harness() as client:
        assert client.read_flow_runs() == []
        around()
        around()
        assert len(client.read_flow_runs()) == len(get_client().read_flow_runs()) == 2
        assert len(client.read_task_runs(task_name="work")) == 2

    around()
    assert len(get_client().read_flow_runs()) == 2


def test_nothing_stays(home: Path) -> None:
    """Files of large results lie in a folder that is removed; the home folder of the user is not touched."""
    settings = get_current_settings()
    with caudal_test_harness():
        around(100_000)
        folder = CAUDAL_HOME.value()
        assert list(folder.rglob("*"))

    assert not folder.exists()
    assert folder != home
    assert list(home.iterdir()) == []
    assert get_current_settings() is settings


def test_no_large_result_goes_to_the_bucket_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes to the harness's own folder."""
    monkeypatch.setenv("CAUDAL_RESULTS_STORAGE_URL", "s3://nowhere/results")
    exchange_settings(None)
    with caudal_test_harness():
        assert get_current_settings().results_storage_url is None
        assert len(around(20_000)) == 20_000
        assert list(CAUDAL_HOME.value().rglob("storage/**/*"))
    assert get_current_settings().results_storage_url == "s3://nowhere/results"


def test_harnesses_may_be_nested() -> None:
    """The outer one goes on with what it has."""
    with caudal_test_harness() as outer:
        around()
        with caudal_test_harness() as inner:
            assert inner.read_flow_runs() == []
            around()
        around()
        assert len(outer.read_flow_runs()) == 2


def test_other_settings_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment, of a block around and of a block within."""
    monkeypatch.setenv("CAUDAL_LEDGER_PATH", "/nowhere/runs.db")
    monkeypatch.setenv("CAUDAL_FLOWS_DEFAULT_RETRIES", "4")
    with temporary_settings({CAUDAL_TASKS_DEFAULT_RETRIES: 2}), caudal_test_harness():
        assert get_current_settings().flows_default_retries == 4
        assert CAUDAL_TASKS_DEFAULT_RETRIES.value() == 2
        assert CAUDAL_LEDGER_PATH.value() == ":memory:"
        with temporary_settings({CAUDAL_TASKS_DEFAULT_RETRIES: 0}):
            around()


@pytest.mark.usefixtures("engine")
def test_a_harness_holds_for_threads_and_older_contexts() -> None:
    """Test runners make contexts before fixtures are set up, and servers answer on threads of their own."""
    before = contextvars.copy_context()
    with caudal_test_harness() as client:
        before.run(around)
        thread = threading.Thread(target=around)
        thread.start()
        thread.join()

        assert len(client.read_flow_runs()) == 2
    assert get_client().read_flow_runs() == []


def test_a_failed_test_ends_its_harness() -> None:
    """An exception goes through."""
    with pytest.raises(ZeroDivisionError), caudal_test_harness():
        raise ZeroDivisionError
    assert CAUDAL_LEDGER_PATH.value() != ":memory:"


def test_tasks_in_processes_work_in_a_harness() -> None:
    """A runner that served one harness serves the next with its settings."""
    home = task(lambda: str(CAUDAL_HOME.value()), name="home")
    with ProcessPoolTaskRunner(1) as runner:
        homes = flow(
            lambda: [home.submit().result(), str(CAUDAL_HOME.value())],
            name="homes",
            task_runner=runner,
        )
        for _ in range(2):
            with caudal_test_harness() as client:
                theirs, ours = homes()
                assert theirs == ours
                assert client.read_flow_runs()[0].task_completed == 1


def test_the_fixture_gives_a_harness(caudal_harness: SyncClient) -> None:
    """Flows on event loops too are recorded in it."""
    assert asyncio.run(later()) == "later"

    (run,) = caudal_harness.read_flow_runs()
    assert run.state.is_completed()
    assert Path(CAUDAL_HOME.value()).is_dir()


def test_exceptions_are_compared_by_type_and_arguments() -> None:
    """As they are when one of them was in another process."""
    error = ValueError("no", 1)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert error != copy
    assert exceptions_equal(error, copy)
    assert not exceptions_equal(error, ValueError("no"))
    assert not exceptions_equal(error, TypeError("no", 1))


def test_a_warning_can_be_ruled_out() -> None:
    """Kinds that are named may come."""
    with assert_does_not_warn([UserWarning]):
        warnings.warn("of a kind", UserWarning, stacklevel=1)
    with pytest.raises(AssertionError, match="UserWarning"), assert_does_not_warn():
        warnings.warn("of a kind", UserWarning, stacklevel=1)
