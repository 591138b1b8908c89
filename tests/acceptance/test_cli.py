"""The ``caudal`` command as people and programs use it: real processes, real signals, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import sys
import threading
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Lab

PIPELINE = """
    import os, time
    from pathlib import Path
    from caudal import flow, task

    @task
    def double(number: int) -> int:
        return 2 * number

    @task(persist_result=True)
    def load(total: int) -> int:
        with Path("loads").open("a") as file:
            file.write(f"{total}\\n")
        return total

    @task
    def check(total: int, limit: int) -> int:
        if total > limit and not Path("allowed").exists():
            raise ValueError(f"{total} is more than {limit}")
        return total

    @flow
    def sums(count: int = 3, limit: int = 1000, label: str = "all"):
        print("summing", label)
        total = load(sum(future.result() for future in double.map(range(count))))
        return {"label": label, "total": check(total, limit)}
"""
SLOW = """
    import asyncio, time
    from pathlib import Path
    from caudal import flow, task

    @task
    def nap(number: int) -> None:
        Path(f"napping-{number}").touch()
        for _ in range(6000):
            time.sleep(0.01)

    @flow
    def threads():
        nap.map(range(3))
        nap(3)

    @flow
    async def coroutine():
        Path("napping-3").touch()
        await asyncio.sleep(60)
"""


@pytest.fixture
def write(lab: Lab) -> Callable[[str, str], Path]:
    """Give a function that writes a file where commands run."""

    def write_file(name: str, text: str) -> Path:
        file = lab.folder / name
        file.write_text(dedent(text))
        return file

    return write_file


@pytest.fixture
def pipeline(write: Callable[[str, str], Path]) -> str:
    """Give the name of a file with one flow."""
    return write("pipeline.py", PIPELINE).name


def test_a_flow_runs_to_its_end(lab: Lab, pipeline: str) -> None:
    """Status 0; stdout is the flow's own; the summary says what to type next, and that works."""
    done = lab.run("caudal", "run", pipeline)

    assert (done.status, done.out) == (0, "summing all\n")
    assert re.search(r"^double +3 +3 +0 +0 ", done.err, re.MULTILINE)
    assert re.search(
        r"^Flow run \S+ of flow sums: Completed after ", done.err, re.MULTILINE
    )
    assert "Traceback" not in done.err
    command = re.search(r"^  caudal (flow-run inspect \S+)", done.err, re.MULTILINE)
    assert command is not None
    inspected = lab.run("caudal", *command[1].split())
    assert inspected.status == 0
    assert re.search(r"^state +Completed$", inspected.out, re.MULTILINE)


def test_parameters_reach_the_flow(lab: Lab, pipeline: str) -> None:
    """Numbers are numbers, and texts that look like numbers stay texts."""
    arguments = ("-p", "count=4", "-p", "label=007", "--output", "json")

    done = lab.run("caudal", "run", f"{pipeline}:sums", *arguments)

    outcome: dict[str, Any] = json.loads(done.out)
    assert done.status == 0
    assert outcome["result"] == {"label": "007", "total": 12}
    assert (outcome["state_type"], outcome["error"]) == ("COMPLETED", None)
    assert [group["name"] for group in outcome["tasks"]] == ["double", "load", "check"]
    assert "summing 007" in done.err
    assert outcome["flow_run_id"] == lab.listed()[0]["id"]


def test_a_flow_that_fails_shows_the_users_lines(lab: Lab, pipeline: str) -> None:
    """Status 1; the summary has the error and how to go on."""
    done = lab.run("caudal", "run", pipeline, "-p", "limit=1")

    end = done.err.partition("Flow run ")[2].rpartition("of flow sums: Failed")[2]
    assert done.status == 1
    assert f'File "{lab.folder / pipeline}"' in end
    assert "ValueError: 6 is more than 1" in end
    assert "/caudal/" not in end
    assert "caudal flow-run resume" in end


@pytest.mark.parametrize("form", ["by id", "by file"])
def test_a_failed_run_goes_on_where_it_stopped(
    lab: Lab, pipeline: str, form: str
) -> None:
    """What was stored is not done again, and parameters are those on record."""
    lab.run("caudal", "run", pipeline, "-p", "limit=1", "-p", "label=x")
    run = lab.listed()[0]
    (lab.folder / "allowed").touch()

    if form == "by id":
        done = lab.run("caudal", "flow-run", "resume", run["id"][:18], "-o", "json")
    else:
        done = lab.run("caudal", "run", pipeline, "--resume", run["name"], "-o", "json")

    outcome = json.loads(done.out)
    assert (done.status, outcome["flow_run_id"]) == (0, run["id"])
    assert outcome["result"] == {"label": "x", "total": 6}
    assert (lab.folder / "loads").read_text() == "6\n"
    assert lab.listed()[0]["attempt"] == 2


def test_a_resumed_run_can_be_given_other_parameters(lab: Lab, pipeline: str) -> None:
    """Those that are not given again are those on record."""
    lab.run("caudal", "run", pipeline, "-p", "limit=1", "-p", "label=x")
    run = lab.listed()[0]

    done = lab.run(
        "caudal",
        "run",
        pipeline,
        "--resume",
        run["name"],
        "-p",
        "limit=9",
        "-o",
        "json",
    )

    assert done.status == 0
    assert json.loads(done.out)["result"] == {"label": "x", "total": 6}


def test_a_run_that_completed_is_not_resumed(lab: Lab, pipeline: str) -> None:
    """Status 2, because nothing is run."""
    lab.run("caudal", "run", pipeline)

    done = lab.run("caudal", "flow-run", "resume", lab.listed()[0]["id"])

    assert done.status == 2
    assert "it completed" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "there is no such file"),
        (["pipelin.py"], "Did you mean 'pipeline.py'?"),
        (["pipeline.py:sms"], "it has no flow 'sms'. Did you mean 'sums'?"),
        (["broken.py"], 'broken.py", line 2\n    def sums(:'),
        (["raising.py"], "ModuleNotFoundError: No module named 'no_such_module'"),
        (["two.py"], "it defines several flows: 'one', 'two'"),
        (
            ["pipeline.py", "-p", "cuont=3"],
            "no parameter 'cuont'. Did you mean 'count'?",
        ),
        (["pipeline.py", "-p", "count=few"], "count: Input should be a valid integer"),
        (["pipeline.py", "-p", "count"], "-p takes NAME=VALUE"),
        (
            ["pipeline.py", "--resume", "no-such-run"],
            "there is no flow run 'no-such-run'",
        ),
        ([], "Missing argument 'FILE[:FLOW]'"),
    ],
)
def test_wrong_usage_is_explained_and_nothing_is_run(
    lab: Lab, write: Callable[[str, str], Path], arguments: list[str], message: str
) -> None:
    """Status 2, one message without a traceback of caudal's own, and no run on record."""
    write("pipeline.py", PIPELINE)
    write("broken.py", "x = 1\ndef sums(:\n    pass\n")
    write("raising.py", "import no_such_module\n")
    write(
        "two.py",
        "from caudal import flow\n@flow\ndef one(): pass\n@flow\ndef two(): pass\n",
    )

    done = lab.run("caudal", "run", *arguments)

    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert "caudal/cli" not in done.err
    assert lab.listed() == []


def test_an_unknown_setting_is_explained(
    lab: Lab, write: Callable[[str, str], Path]
) -> None:
    """Status 2, the nearest setting and the file it is in; the flow's file is not even loaded."""
    write("pipeline.py", "raise ValueError('loaded')\n")
    file = write("caudal.toml", 'durabilty = "sync"\n')

    done = lab.run("caudal", "run", "pipeline.py")

    assert done.status == 2
    assert "'durabilty'" in done.err
    assert "'durability'" in done.err
    assert str(file) in done.err
    assert "loaded" not in done.err


def test_a_damaged_ledger_is_explained(lab: Lab, pipeline: str) -> None:
    """Status 1, the file and what to do; it is left as it is."""
    garbage = b"this is no ledger at all " * 400
    lab.path.write_bytes(garbage)

    for arguments in (["run", pipeline], ["flow-run", "ls"]):
        done = lab.run("caudal", *arguments)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(
            f"Error: the ledger {str(lab.path)!r} cannot be used"
        )
        assert len(done.err.splitlines()) == 1
    assert lab.path.read_bytes() == garbage


def test_a_home_that_cannot_be_written_is_explained(lab: Lab, pipeline: str) -> None:
    """Status 1 and the setting that chooses another."""
    for arguments in (["run", pipeline], ["flow-run", "ls"]):
        done = lab.run("caudal", *arguments, CAUDAL_HOME="/proc/no/home")
        assert (done.status, done.out) == (1, "")
        assert "CAUDAL_HOME" in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize("flow", ["threads", "coroutine"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupted_run_is_cancelled(
    lab: Lab, write: Callable[[str, str], Path], flow: str, number: int, status: int
) -> None:
    """The status tells the signal, the run and its tasks are closed, and the last lines say how to go on."""
    write("slow.py", SLOW)
    process = lab.start("caudal", "run", f"slow.py:{flow}")
    lab.wait_until((lab.folder / "napping-3").exists, "the flow runs")

    os.killpg(process.pid, number)
    done = lab.end_of(process)

    assert done.status == status
    assert f"of flow {flow}: Cancelled" in done.err
    assert "caudal flow-run resume" in done.err
    assert "Traceback" not in done.err
    assert lab.flow_run().state_type == "CANCELLED"
    assert set(lab.states().values()) <= {"CANCELLED"}


def test_an_impatient_second_interrupt_loses_nothing(
    lab: Lab, write: Callable[[str, str], Path]
) -> None:
    """While the run is being closed, Ctrl-C changes nothing."""
    write("slow.py", SLOW)
    process = lab.start("caudal", "run", "slow.py:threads", "-o", "json")
    lab.wait_until((lab.folder / "napping-3").exists, "the flow runs")

    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
    done = lab.end_of(process)

    assert done.status == 130
    assert json.loads(done.out)["state_type"] == "CANCELLED"


def test_runs_of_a_killed_process_are_listed_as_crashed(
    lab: Lab, write: Callable[[str, str], Path]
) -> None:
    """Whoever looks first notices."""
    write("slow.py", SLOW)
    process = lab.start("caudal", "run", "slow.py:threads")
    lab.wait_until((lab.folder / "napping-3").exists, "the flow runs")
    lab.wait_until(
        lambda: lab.path.exists() and lab.flow_runs(), "the run is on record"
    )

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert [run["state_type"] for run in lab.listed()] == ["CRASHED"]


def test_a_wide_map_prints_a_handful_of_lines(lab: Lab, pipeline: str) -> None:
    """Where stderr is no terminal, ten thousand runs are no ten thousand lines."""
    done = lab.run(
        "caudal", "run", pipeline, "-p", "count=10000", "-p", "limit=100000000"
    )

    assert done.status == 0
    assert len(done.err.splitlines()) < 20
    assert re.search(r"^double +10000 +10000 ", done.err, re.MULTILINE)


def test_json_logs_are_all_that_stderr_has(lab: Lab, pipeline: str) -> None:
    """Each line of stderr is an object, but for the summary when people read stdout."""
    done = lab.run(
        "caudal",
        "run",
        pipeline,
        "-o",
        "json",
        CAUDAL_LOGGING_FORMAT="json",
        CAUDAL_LOGGING_LOG_PRINTS="true",
    )

    messages = [json.loads(line)["message"] for line in done.err.splitlines()]
    assert "summing all" in messages


@pytest.mark.parametrize("name", ["statistics.py", "two.dots.py", "my-pipeline.py"])
def test_a_file_named_like_a_module_runs_in_worker_processes(
    lab: Lab, write: Callable[[str, str], Path], name: str
) -> None:
    """What the file defines gets to the workers, whatever the file is called; so does what stands beside it."""
    write("helper_of_test.py", "def triple(number):\n    return 3 * number\n")
    write(
        name,
        """
        from caudal import flow, task
        from caudal.task_runners import ProcessPoolTaskRunner
        from helper_of_test import triple

        class Box:
            def __init__(self, number):
                self.number = number

        @task
        def work(number):
            return Box(triple(number))

        @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
        def remote():
            return [future.result().number for future in work.map([1, 2])]
        """,
    )

    done = lab.run("caudal", "run", name, "-o", "json")

    assert json.loads(done.out)["result"] == [3, 6], done.err


def test_a_report_that_cannot_be_written_is_no_failure(lab: Lab, pipeline: str) -> None:
    """The status is that of the run."""
    full = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh")

    assert lab.run("caudal", "run", pipeline, wrapper=full).status == 0
    assert lab.run("caudal", "run", pipeline, "-p", "limit=0", wrapper=full).status == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(lab: Lab, pipeline: str, closed: str) -> None:
    """The flow runs, and what is on record is shown, as far as there is a stream for it."""
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")

    ran = lab.run("caudal", "run", pipeline, wrapper=shell)
    listed = lab.run("caudal", "flow-run", "ls", wrapper=shell)

    assert (ran.status, listed.status) == (0, 0)
    assert lab.flow_run().state_name == "Completed"
    assert ("Completed" in ran.err) == ("2>" not in closed)
    assert ("Completed" in listed.out) == (" >" not in f" {closed}")


def test_output_that_nobody_reads_on_is_no_error(lab: Lab, pipeline: str) -> None:
    """``caudal flow-run logs RUN | head -1`` ends quietly."""
    lab.run("caudal", "run", pipeline)
    name = lab.listed()[0]["name"]
    process = lab.start("caudal", "flow-run", "logs", name)
    assert process.stdout is not None
    process.stdout.close()

    process.wait()

    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_terminal_shows_live_progress(
    lab: Lab, write: Callable[[str, str], Path]
) -> None:
    """Lines and a bar while it runs, log lines above them, and at the end a summary in their place."""
    write(
        "live.py",
        """
        import time
        from pathlib import Path
        from caudal import flow, get_run_logger, task

        @task
        def work(number):
            while number > 1 and not Path("go-on").exists():
                time.sleep(0.01)

        @flow
        def live():
            futures = work.map(range(4))
            get_run_logger().warning("mapped them")
            print("printed")
            futures.wait()
        """,
    )
    terminal = Terminal(lab)

    terminal.start("run", "live.py")
    terminal.wait_for(r"2/4 .*2 running")
    (lab.folder / "go-on").touch()
    status, text = terminal.end()

    assert status == 0
    assert "flow live" in text
    assert "━" in text
    assert "mapped them" in text
    assert "printed" in text
    end = text.rpartition("Task ")[2]
    assert re.search(r"work +4 +4 +0 +0 ", end)
    assert "Completed" in end
    assert "\x1b[?25h" in text, "the cursor is shown again"


def test_control_c_on_a_terminal_interrupts_the_run(
    lab: Lab, write: Callable[[str, str], Path]
) -> None:
    """The key does what the signal does."""
    write("slow.py", SLOW)
    terminal = Terminal(lab)

    terminal.start("run", "slow.py:threads")
    terminal.wait_for("running")
    terminal.type(b"\x03")
    status, text = terminal.end()

    assert status == 130
    assert "Cancelled" in text
    assert lab.flow_run().state_type == "CANCELLED"


class Terminal:
    """A terminal of 100 columns in which a command runs.

    Args:
        lab: Where it runs.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._pid = 0
        self._screen = -1
        self._output = bytearray()
        self._reader = threading.Thread(target=self._read)

    def start(self, *arguments: str) -> None:
        """Start ``caudal`` with arguments."""
        self._pid, self._screen = pty.fork()
        if self._pid == 0:  # pragma: no cover - another process
            os.chdir(self._lab.folder)
            environment = {
                **os.environ,
                "CAUDAL_HOME": str(self._lab.home),
                "TERM": "xterm",
                "PYTHONIOENCODING": "utf-8",
            }
            os.execve(  # noqa: S606 - our own interpreter
                sys.executable,
                [sys.executable, "-m", "caudal", *arguments],
                environment,
            )
        ioctl(self._screen, TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self._reader.start()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._screen, keys)

    def wait_for(self, pattern: str) -> None:
        """Wait until something was shown."""
        self._lab.wait_until(lambda: re.search(pattern, self._text()), pattern)

    def end(self) -> tuple[int, str]:
        """Wait for the command's end and return its status and everything that was shown."""
        _, status = os.waitpid(self._pid, 0)
        self._reader.join()
        os.close(self._screen)
        return os.waitstatus_to_exitcode(status), self._text(with_control=True)

    def _text(self, *, with_control: bool = False) -> str:
        text = bytes(self._output).decode(errors="replace")
        return text if with_control else re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def _read(self) -> None:
        while True:
            try:
                self._output += os.read(self._screen, 65536)
            except OSError:  # the other end is closed
                return
