"""Executes attempts in worker processes: all processors, real isolation, and a time-out that kills.

The run's program stays in this process, on a pool thread; only the call of the user's function goes to a worker and its outcome comes
back. A worker is a fresh interpreter (``python -m caudal.workers.attempts``), not a fork, and it does not import the main
script, so scripts need no ``if __name__ == "__main__"`` guard. It serves one call at a time and is used again. One that
dies fails the call that it served, and is replaced. When this process dies, by SIGKILL too, the workers see their connection
close and end at once, so no orphan goes on computing.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import weakref
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from caudal.clock import monotonic
from caudal.exceptions import (
    RemoteError,
    RunTimeoutError,
    SerializationError,
    WorkerCrashedError,
)
from caudal.runners.about import about_run
from caudal.runners.pickling import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.model.specs import Spec
    from caudal.settings import Settings

#: Seconds that a worker whose connection is closed gets to end.
_CLOSING_SECONDS = 2.0

#: What a worker says of a run on the way, and the method that takes it.
_TOLD = {"log": "log", "waits": "note_waits"}


class ProcessRunner:
    """Executes attempts in worker processes.

    Args:
        max_workers: Processes at most, per flow run.
        start: A function that each process calls before its first task, and its arguments.
    """

    is_remote = True

    def __init__(
        self, max_workers: int, start: tuple[Callable[..., object], Any] | None = None
    ) -> None:
        self.max_workers: int | None = max_workers
        self._start = None if start is None else dumps(start)
        self._idle: list[_Worker] = []
        self._busy: dict[Any, _Worker] = {}
        self._lock = threading.Lock()
        # Workers end with the runner that started them, at the latest when this process exits.
        weakref.finalize(self, _end, self._idle)

    def call(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
    ) -> Any:
        """Run the function once in a worker; see the port."""
        message = _encode_call(spec, args, kwargs, run)
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        settings = run.scope.parts.settings
        if worker is not None and worker.settings is not settings:
            worker.kill()  # it worked for another engine, with another ledger
            worker = None
        if worker is None:
            worker = _Worker(settings, self._start)
        self._busy[run] = worker
        if (
            run.scope.stopping is not None
        ):  # whoever stops runs may have missed this one
            worker.interrupt()
        try:
            outcome = worker.execute(message, spec.timeout, run)
        except BaseException:
            worker.kill()
            raise
        finally:
            self._busy.pop(run, None)
        with self._lock:
            self._idle.append(worker)
        return _decode_outcome(outcome)

    async def acall(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
    ) -> Any:
        """Run the function once in a worker, from an event loop; see the port."""
        import asyncio  # noqa: PLC0415 - costs 40 ms; only event loops need it

        return await asyncio.to_thread(self.call, spec, args, kwargs, run)

    def interrupt(self, run: Any, thread: int) -> None:  # noqa: ARG002 - the port
        """Kill the worker that serves a run."""
        worker = self._busy.get(run)
        if worker is not None:
            worker.interrupt()

    def close(self) -> None:
        """End the idle workers; a second call does nothing."""
        with self._lock:
            _end(self._idle)


def _end(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().kill()


class _Worker:
    """One worker process and the connection to it.

    Args:
        settings: The settings of that process.
        start: What it calls first, pickled; None is nothing.
    """

    def __init__(self, settings: Settings, start: bytes | None = None) -> None:
        self.settings = settings
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "CAUDAL__WORKER": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "caudal.workers.attempts", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
            process_group=0,  # Ctrl-C goes to this process alone, which decides
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._interrupted = False
        self._connection.send_bytes(pickle.dumps((list(sys.path), settings, start)))

    def execute(self, message: bytes, timeout: float | None, run: Any) -> bytes:
        """Send a call and return the worker's answer.

        Raises:
            RunTimeoutError: There was no answer in time; the worker is to be killed.
            WorkerCrashedError: The worker died.
            KeyboardInterrupt: The call was interrupted.
        """
        deadline = None if timeout is None else monotonic() + timeout
        try:
            self._connection.send_bytes(message)
            while True:
                left = None if deadline is None else max(0.0, deadline - monotonic())
                if not self._connection.poll(left):
                    assert timeout is not None, (
                        "without a limit poll does not return empty-handed"
                    )
                    raise RunTimeoutError(timeout)  # noqa: TRY301 - see the handler
                kind, body = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own child
                if kind == "outcome":
                    return body
                if kind in _TOLD:
                    getattr(run, _TOLD[kind])(body)
                elif kind == "used":
                    run.used = body
                elif kind == "values":
                    run.set_values(pickle.loads(body))  # noqa: S301 - our own child
                else:
                    run.describe_asset(*body)
        except RunTimeoutError:  # which is an OSError, too
            raise
        except (EOFError, OSError):
            if self._interrupted:
                raise KeyboardInterrupt from None
            raise WorkerCrashedError(run.name, self._how_it_ended()) from None

    def interrupt(self) -> None:
        """Have the call that another thread waits for end at once."""
        self._interrupted = True
        self._process.kill()

    def kill(self) -> None:
        """End the process at once and let go of it; only for the thread that uses it."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        if code < 0:
            name = signal.Signals(-code).name
            hint = (
                "; the system may have run out of memory" if name == "SIGKILL" else ""
            )
            return f"it was ended by {name}{hint}"
        return f"it exited with status {code}"


def _encode_call(
    spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
) -> bytes:
    try:
        return dumps((spec.decorated, args, kwargs, about_run(run)))
    except Exception as error:
        raise SerializationError(
            f"arguments of task {spec.name!r}",
            "cloudpickle",
            f"{type(error).__name__}: {error}",
        ) from error


def _decode_outcome(body: bytes) -> Any:
    kind, value = pickle.loads(body)  # noqa: S301 - our own child
    if kind == "value":
        return pickle.loads(value)  # noqa: S301 - our own child
    if kind == "error":
        error, text = value
        error.__cause__ = error.__cause__ or RemoteTraceback(text)
        raise error
    *_, trace = value
    raise RemoteError(*value) from RemoteTraceback(trace) if trace else None


class RemoteTraceback(Exception):  # noqa: N818 - shown as the cause, never caught
    """Where an exception was raised in the worker process, as text."""

    is_only_shown = True

    def __str__(self) -> str:
        return f"\n{self.args[0]}"
