"""Child processes that are read while they run and that leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caudal.integrations.dbt import process
from caudal.integrations.dbt.process import ChildProcess

DEADLINE_SECONDS = 20


def start(program: str) -> ChildProcess:
    """Start a Python program as a child."""
    command = [sys.executable, "-c", program]
    return ChildProcess(command, cwd=Path.cwd(), env=dict(os.environ))


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + DEADLINE_SECONDS
    while is_running(pid):
        assert time.monotonic() < end, "the process goes on"
        time.sleep(0.02)


def test_lines_of_both_outputs_are_read_in_pieces_and_whole() -> None:
    """Long lines, half lines and a last line without an end come out as they were written."""
    program = (
        "import sys, time\n"
        "sys.stdout.write('half'); sys.stdout.flush(); time.sleep(0.1)\n"
        "print(' line'); print('x' * 200_000)\n"
        "print('error', file=sys.stderr)\n"
        "sys.stdout.write('no end')\n"
    )
    with start(program) as child:
        lines = list(child.lines())
        exit_code = child.wait()

    assert exit_code == 0
    assert sorted(lines, key=len) == [
        b"error",
        b"no end",
        b"half line",
        b"x" * 200_000,
    ]


def test_a_line_is_there_while_the_child_still_runs() -> None:
    """Reading does not wait for the end."""
    with start("print('first', flush=True); input(); print('second')") as child:
        assert next(child.lines()) == b"first"


def test_a_child_that_left_a_grandchild_on_its_pipes_has_ended() -> None:
    """A process that the child started and forgot does not hold the reader."""
    program = (
        "import subprocess, sys\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print(other.pid)"
    )
    with start(program) as child:
        (pid,) = child.lines()

    os.kill(int(pid), signal.SIGKILL)


def test_leaving_the_block_interrupts_the_child() -> None:
    """An interrupt lets it clean up."""
    program = (
        "import time\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt: raise SystemExit(7)\n"
    )
    with start(program) as child:
        assert next(child.lines()) == b"ready"

    assert child.wait() == 7


def test_a_child_that_ignores_interrupts_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a while nothing of its group is left, even when it goes on talking."""
    monkeypatch.setattr(process, "STOP_SECONDS", 0.3)
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True: print('here', flush=True); time.sleep(0.01)\n"
    )
    with start(program) as child:
        assert next(child.lines()) == b"here"

    assert child.wait() == -signal.SIGKILL


def test_a_child_does_not_outlive_a_killed_parent() -> None:
    """When this process dies by SIGKILL, the child is interrupted by the system."""
    program = (
        "import os, sys, pathlib\n"
        "from caudal.integrations.dbt.process import ChildProcess\n"
        "child = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "process = ChildProcess([sys.executable, '-c', child], cwd=pathlib.Path.cwd(), env=dict(os.environ))\n"
        "for line in process.lines(): print(line.decode(), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()

    wait_until_gone(pid)
