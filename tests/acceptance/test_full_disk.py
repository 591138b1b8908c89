"""Disks without room: what was durable stays, what did not fit is an error, and nothing is half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab


def limit_file_size(kilobytes: int) -> tuple[str, ...]:
    """Return a command that lets the command behind it write no file beyond a size."""
    blocks = kilobytes * 2  # of 512 bytes
    return ("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh")


def small_disk(lab: Lab, megabytes: int) -> tuple[str, ...]:
    """Return a command that gives the command behind it a home on a small disk of its own, and copies the home out at its end."""
    script = (
        f"mount -t tmpfs -o size={megabytes}m tmpfs {lab.home} || exit 99\n"
        f'"$@"; status=$?; cp -a {lab.home}/. {lab.folder}/copy; exit $status'
    )
    alone = ["unshare", "--mount"]
    if os.geteuid() != 0:
        alone += ["--map-root-user"]
    probe = [*alone, "mount", "-t", "tmpfs", "tmpfs", str(lab.home)]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system of their own")
    (lab.folder / "copy").mkdir()
    return (*alone, "sh", "-c", script, "sh")


def assert_whole(lab: Lab, last_noted: str) -> None:
    """Assert that the last flow run that was durable is there, and that what was cut off is listed as crashed."""
    durable = int(last_noted.split()[1]) + 1
    listed = [run["state_name"] for run in lab.listed()]
    assert listed.count("Completed") == durable
    assert set(listed) <= {"Completed", "Crashed"}
    assert listed.count("Crashed") in {1, 2}
    lab.check()


def test_a_ledger_on_a_full_disk_ends_the_flow_and_keeps_what_it_has(lab: Lab) -> None:
    """The flow raises what happened and what to do; everything that was durable before can be read."""
    wrapper = small_disk(lab, 3)
    done = lab.run(
        "filling.py",
        "ledger",
        wrapper=wrapper,
        CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS="0.2",
    )
    assert done.status == 1
    message = done.err.splitlines()[-1]
    assert "LedgerError: the ledger " in message
    assert "the disk is full" in message
    assert "Free some space" in message
    shutil.copytree(lab.folder / "copy", lab.home, dirs_exist_ok=True)
    assert_whole(lab, lab.noted()[-1])


def test_a_ledger_that_may_not_grow_ends_the_flow_and_keeps_what_it_has(
    lab: Lab,
) -> None:
    """A write that the system refuses is no different, through the command neither."""
    done = lab.run(
        "caudal", "run", f"{lab.scripts / 'filling.py'}:ledger",
        wrapper=limit_file_size(1_000), CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS="0.2",
    )  # fmt: skip
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "Error: the ledger " in done.err
    assert "Check the disk" in done.err
    assert_whole(lab, lab.noted()[-1])


def test_storage_on_a_full_disk_fails_the_task_and_leaves_no_part(lab: Lab) -> None:
    """The task run says that there is no room and what to do; other results are stored before and after."""
    done = lab.run("filling.py", "storage", wrapper=small_disk(lab, 8))
    assert done.status == 0, done.err
    assert lab.noted() == ["stored 1", "Failed StorageError", "stored 1 again"]
    shutil.copytree(lab.folder / "copy", lab.home, dirs_exist_ok=True)
    assert_only_small_result(lab)
    assert "there is no room for it" in message_of_task(lab)
    lab.check()


def test_storage_that_may_not_grow_fails_the_task_and_leaves_no_part(
    sound_lab: Lab,
) -> None:
    """A limit on the size of files is no different."""
    done = sound_lab.run("filling.py", "storage", wrapper=limit_file_size(8_000))
    assert done.status == 0, done.err
    assert sound_lab.noted() == ["stored 1", "Failed StorageError", "stored 1 again"]
    assert_only_small_result(sound_lab)
    assert "there is no room for it" in message_of_task(sound_lab)


def message_of_task(lab: Lab) -> str:
    """Return the message of the task run that failed."""
    return (lab.task_runs()["make-1"].details or {})["message"]


def assert_only_small_result(lab: Lab) -> None:
    """Assert that nothing but the result that fitted is in storage."""
    assert lab.states() == {
        "make-0": "COMPLETED",
        "make-1": "FAILED",
        "make-2": "COMPLETED",
    }
    files = [file for file in (lab.home / "storage").rglob("*") if file.is_file()]
    assert [1_000_000 <= file.stat().st_size < 1_100_000 for file in files] == [True]
