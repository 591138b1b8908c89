"""A child process in a group of its own, whose lines are read while it runs and that leaves nothing behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from caudal.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

#: Seconds that an interrupted child gets to end by itself.
STOP_SECONDS = 10.0
#: Seconds after which a thread that waits for lines looks up, so that it can be interrupted.
_POLL_SECONDS = 0.2
_READ_BYTES = 1 << 16

#: Starts the command such that Linux interrupts it when this process dies (prctl 1 is PR_SET_PDEATHSIG), and such that it heeds
#: interrupts even if this process was started by a shell that ignores them.
_LAUNCHER = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, signal.SIGINT)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """A running command; leaving its ``with`` block ends it.

    Args:
        command: The program, as an absolute path, and its arguments.
        cwd: Folder it runs in.
        env: Its whole environment.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]
    ) -> None:
        if sys.platform == "linux":
            launcher = [sys.executable, "-ISc", _LAUNCHER, str(os.getpid())]
            command = [*launcher, *command]
        self._process = subprocess.Popen(  # noqa: S603 - the user's own dbt
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def lines(self, *, deadline: float | None = None) -> Iterator[bytes]:
        """Return the lines of both its outputs, each as soon as it is written, until it has ended.

        Args:
            deadline: When to return before that, on the monotonic clock.
        """
        rests: dict[int, bytes] = {}
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None, "both outputs are pipes"
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map() and not _is_past(deadline):
                ready = selector.select(_POLL_SECONDS)
                if not ready and self._process.poll() is not None:
                    break  # something that it started holds the pipes open
                for key, _ in ready:
                    content = os.read(key.fd, _READ_BYTES)
                    if not content:
                        selector.unregister(key.fileobj)
                    *whole, rests[key.fd] = (rests.get(key.fd, b"") + content).split(
                        b"\n"
                    )
                    yield from whole
        yield from filter(None, rests.values())

    def wait(self) -> int:
        """Wait until it has ended and return its exit status, negative for a signal."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(_POLL_SECONDS)

    def stop(self) -> None:
        """End it: interrupt its group, wait a while, then kill the group. Does nothing when it has ended."""
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGINT)
                self._let_end(monotonic() + STOP_SECONDS)
        finally:
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
            self._process.wait()
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()

    def _let_end(self, deadline: float) -> None:
        """Wait, and read on meanwhile, so that a full pipe does not hold it up."""
        for _ in self.lines(deadline=deadline):
            pass
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline - monotonic(), 0))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and monotonic() > deadline
