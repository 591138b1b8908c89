"""Real processes in a caudal home of their own, and what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from caudal.ledger.port import RunFilter
from caudal.ledger.replay import rebuild
from caudal.ledger.sqlite import SqliteLedger
from caudal.model.states import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from caudal.model.runs import FlowRunRow, TaskRunRow

SCRIPTS = Path(__file__).parent / "scripts"
#: Seconds after which something that has to happen counts as never happening.
PATIENCE = 30


class Done(NamedTuple):
    """How a process ended."""

    status: int
    out: str
    err: str


class Lab:
    """A caudal home in which processes run, and the file in which their code says what it really did.

    Args:
        home: The home; it need not exist.
        folder: Where processes run; no settings file is above it.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.path = home / "caudal.db"
        self.scripts = SCRIPTS
        self.oracle = folder / "oracle"
        self.gate = folder / "gate"
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, *command: str | Path, wrapper: tuple[str, ...] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Start ``caudal`` or a module of it with arguments, or a script with arguments, in a process group of its own.

        Args:
            command: ``caudal``, ``caudal.compat``, or the name of a script, and arguments.
            wrapper: A command that starts the command behind it.
            environment: More environment variables.
        """
        program, *arguments = map(str, command)
        if program.partition(".")[0] == "caudal":
            python = [sys.executable, "-m", program]
        else:
            python = [sys.executable, str(SCRIPTS / program)]
        process = subprocess.Popen(
            [*wrapper, *python, *arguments],
            env={
                **os.environ,
                "CAUDAL_HOME": str(self.home),
                "ORACLE": str(self.oracle),
                "GATE": str(self.gate),
                **environment,
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(
        self, *command: str | Path, wrapper: tuple[str, ...] = (), **environment: str
    ) -> Done:
        """Start a process and wait for its end; see `start`."""
        return self.end_of(self.start(*command, wrapper=wrapper, **environment))

    @staticmethod
    def end_of(process: subprocess.Popen[str]) -> Done:
        """Wait for the end of a process."""
        out, err = process.communicate(timeout=2 * PATIENCE)
        return Done(process.returncode, out, err)

    @staticmethod
    def wait_until(condition: Callable[[], Any], what: str) -> None:
        """Wait until a function returns something true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.01)

    def noted(self) -> list[str]:
        """Return what processes noted, in order."""
        return [line.rpartition(" ")[0] for line in self._lines()]

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until something has been noted, a number of times."""
        self.wait_until(lambda: self.noted().count(text) >= times, text)

    def wait_for_all_gone(self) -> None:
        """Wait until no process runs that noted something."""
        for pid in {int(line.rpartition(" ")[2]) for line in self._lines()}:
            self.wait_until(lambda pid=pid: not is_running(pid), f"{pid} ended")

    def listed(self) -> list[dict[str, Any]]:
        """Return the flow runs that ``caudal flow-run ls`` shows, newest first."""
        done = self.run("caudal", "flow-run", "ls", "--output", "json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    @contextmanager
    def ledger(self) -> Generator[SqliteLedger]:
        """Open the ledger."""
        ledger = SqliteLedger(self.path)
        try:
            yield ledger
        finally:
            ledger.close()

    def flow_runs(self) -> list[FlowRunRow]:
        """Return all flow runs, newest first."""
        with self.ledger() as ledger:
            return list(ledger.flow_runs(RunFilter(), limit=1_000_000))

    def flow_run(self) -> FlowRunRow:
        """Return the only flow run, once it is on record."""
        self.wait_until(lambda: bool(self.flow_runs()), "a flow run is on record")
        (row,) = self.flow_runs()
        return row

    def task_runs(self) -> dict[str, TaskRunRow]:
        """Return all task runs by their names."""
        with self.ledger() as ledger:
            rows = ledger.task_runs(RunFilter(), limit=1_000_000)
        return {row.name: row for row in rows}

    def states(self) -> dict[str, str]:
        """Return the kinds of state of all task runs by their names."""
        return {name: row.state_type for name, row in self.task_runs().items()}

    def check(self) -> None:
        """Assert what holds for every ledger, whatever happened to its writers.

        Events are dense, rows are what the events add up to, and a run that has ended left no task run open, unless
        an input failed that it waited for.
        """
        with self.ledger() as ledger:
            events = ledger.events(limit=1_000_000)
            flows = {
                row.id: row for row in ledger.flow_runs(RunFilter(), limit=1_000_000)
            }
            tasks = {
                row.id: row for row in ledger.task_runs(RunFilter(), limit=1_000_000)
            }
            limits = {limit.name: limit for limit in ledger.limits.all()}
            holders = list(ledger.limits.holders())
        assert list(range(1, len(events) + 1)) == [event.seq for event in events]
        rebuilt = rebuild(events)
        assert rebuilt.flow_rows == flows
        assert rebuilt.task_rows == tasks
        assert (rebuilt.limits, rebuilt.holders) == (limits, holders)
        for task in tasks.values():
            flow = flows[task.flow_run_id or b""]
            has_ended = is_terminal(task.state_type) or task.state_name == "NotReady"
            assert has_ended or not is_terminal(flow.state_type), (flow, task)

    def close(self) -> None:
        """End what was started and still runs."""
        for process in self._started:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _lines(self) -> list[str]:
        try:
            return self.oracle.read_text().splitlines()
        except FileNotFoundError:
            return []


def is_running(pid: int) -> bool:
    """Say whether a process runs; one that has ended and that nobody asked about does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


@pytest.fixture
def lab(home: Path, tmp_path: Path) -> Generator[Lab]:
    """Give a home for processes; after the test none of them runs."""
    lab = Lab(home, tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def sound_lab(lab: Lab) -> Generator[Lab]:
    """Give a home for processes, whose ledger has to be in good order after the test."""
    yield lab
    lab.close()
    lab.check()
