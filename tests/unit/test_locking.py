"""Lock managers: the promises that each keeps, and what is special to locks in files."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from caudal.exceptions import ConfigurationError
from caudal.locking import FileSystemLockManager, LockManager, MemoryLockManager

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ["k", "a/b", "../up", "..", ".guard", "é", "x" * 5000, "a.b", "a.c", "A"]


@pytest.fixture(params=["memory", "files"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> LockManager:
    """Give each lock manager in turn, without locks."""
    if request.param == "files":
        return FileSystemLockManager(tmp_path / "locks")
    manager = MemoryLockManager()
    manager._held.clear()
    return manager


def test_one_holder_at_a_time(locks: LockManager) -> None:
    """While one has the lock another waits in vain; then it gets it."""
    assert locks.acquire_lock("k", "one")
    assert not locks.acquire_lock("k", "two", acquire_timeout=0.02)
    assert locks.is_locked("k")
    assert locks.is_lock_holder("k", "one")
    assert not locks.is_lock_holder("k", "two")
    locks.release_lock("k", "one")
    assert not locks.is_locked("k")
    assert locks.acquire_lock("k", "two", acquire_timeout=0)


def test_the_holder_may_acquire_again(locks: LockManager) -> None:
    """A second acquisition by the same holder does not wait; one release frees the lock."""
    assert locks.acquire_lock("k", "one")
    assert locks.acquire_lock("k", "one", acquire_timeout=0)
    locks.release_lock("k", "one")
    assert not locks.is_locked("k")


def test_only_the_holder_can_release(locks: LockManager) -> None:
    """Releasing what one does not have is an error and changes nothing."""
    with pytest.raises(ValueError, match="not held by 'one'"):
        locks.release_lock("k", "one")
    locks.acquire_lock("k", "one")
    with pytest.raises(ValueError, match="not held by 'two'"):
        locks.release_lock("k", "two")
    assert locks.is_lock_holder("k", "one")


def test_a_lock_can_be_taken_for_a_time(locks: LockManager) -> None:
    """When the time is over the next one gets it, and the late holder cannot release it."""
    assert locks.acquire_lock("k", "one", hold_timeout=0.01)
    assert locks.acquire_lock("k", "two", acquire_timeout=5)
    with pytest.raises(ValueError, match="not held by 'one'"):
        locks.release_lock("k", "one")


def test_waiting_ends_with_the_lock(locks: LockManager) -> None:
    """``wait_for_lock`` takes nothing, and gives up after its time."""
    assert locks.wait_for_lock("k")
    locks.acquire_lock("k", "one")
    assert not locks.wait_for_lock("k", timeout=0.01)
    threading.Timer(0.02, locks.release_lock, ["k", "one"]).start()
    assert locks.wait_for_lock("k")
    assert not locks.is_locked("k")


@pytest.mark.parametrize("key", KEYS)
def test_any_text_is_a_key_of_its_own(locks: LockManager, key: str) -> None:
    """Locks of different keys do not meet."""
    for other in KEYS:
        if other != key:
            locks.acquire_lock(other, "other")
    assert locks.acquire_lock(key, "one", acquire_timeout=0)
    assert locks.is_lock_holder(key, "one")


def test_threads_take_turns(locks: LockManager) -> None:
    """Of many threads one is inside at a time."""
    inside, worst = 0, 0

    def work(number: int) -> None:
        nonlocal inside, worst
        for turn in range(3):
            locks.acquire_lock("k", f"{number}-{turn}")
            inside += 1
            worst = max(worst, inside)
            time.sleep(0.001)
            inside -= 1
            locks.release_lock("k", f"{number}-{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == 1


def test_coroutines_wait_while_the_loop_goes_on(locks: LockManager) -> None:
    """A waiting coroutine lets the holder release; time-outs work as for threads."""

    async def main() -> list[bool]:
        locks.acquire_lock("k", "one")
        outcomes = [
            await locks.aacquire_lock("k", "two", acquire_timeout=0.01),
            await locks.await_for_lock("k", timeout=0.01),
        ]
        waiting = asyncio.create_task(locks.aacquire_lock("k", "two"))
        await asyncio.sleep(0)
        locks.release_lock("k", "one")
        outcomes.append(await waiting)
        locks.release_lock("k", "two")
        outcomes.append(await locks.await_for_lock("k"))
        return outcomes

    assert asyncio.run(main()) == [False, False, True, True]


def test_managers_travel_to_other_processes(locks: LockManager) -> None:
    """A pickled manager is one with the same locks."""
    locks.acquire_lock("k", "one")
    again = pickle.loads(pickle.dumps(locks))  # noqa: S301 - our own bytes
    assert again.is_lock_holder("k", "one")


def test_all_managers_in_memory_are_one() -> None:
    """Whoever makes one sees the locks of all."""
    assert MemoryLockManager() is MemoryLockManager()


_HOLD = """
import sys, time
from caudal.locking import FileSystemLockManager
assert FileSystemLockManager(sys.argv[1]).acquire_lock("k", "child")
print("locked", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """As long as the process lives nobody gets its lock; once it is killed the next one does."""
    locks = FileSystemLockManager(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        assert locks.is_lock_holder("k", "child")
        assert not locks.acquire_lock("k", "me", acquire_timeout=0.2)
        child.kill()
    assert locks.acquire_lock("k", "me", acquire_timeout=10)
    assert locks.is_lock_holder("k", "me")


def test_the_lock_of_another_machine_is_respected(tmp_path: Path) -> None:
    """Whether a process there lives cannot be known here."""
    locks = FileSystemLockManager(tmp_path)
    locks.acquire_lock("k", "one")
    about = json.loads((tmp_path / "k.lock").read_text())
    (tmp_path / "k.lock").write_text(json.dumps({**about, "host": "elsewhere", "pid": 1}))  # fmt: skip
    assert not locks.acquire_lock("k", "two", acquire_timeout=0)


def test_a_foreign_file_in_the_place_of_a_lock_is_named(tmp_path: Path) -> None:
    """It is neither taken for a lock nor overwritten."""
    (tmp_path / "k.lock").write_text("anything")
    with pytest.raises(ConfigurationError, match=r"k\.lock"):
        FileSystemLockManager(tmp_path).acquire_lock("k", "one")
    assert (tmp_path / "k.lock").read_text() == "anything"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """After the last release the folder holds its guard alone."""
    locks = FileSystemLockManager(tmp_path)
    locks.acquire_lock("k", "one")
    locks.release_lock("k", "one")
    assert os.listdir(tmp_path) == [".guard"]  # noqa: PTH208 - names are enough
