"""Serves tasks: runs what ``task.delay`` recorded, in this process, one of any number of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from caudal.clock import monotonic, now
from caudal.engine.background import load_payload, waiting_runs
from caudal.engine.composition import current_engine
from caudal.engine.flow_calls import resume_flow_run
from caudal.exceptions import CaudalError, FlowRunNotResumableError
from caudal.flows import Flow
from caudal.logging import get_logger
from caudal.running import run_scope
from caudal.tasks import Task
from caudal.twins import dispatched, in_own_thread

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime
    from http.server import ThreadingHTTPServer

    from caudal.model.runs import FlowRunRow

__all__ = ["TaskWorker", "aserve", "serve"]

#: Seconds between two looks for work, and for what dead processes left.
POLL_SECONDS, SWEEP_SECONDS = 0.1, 1.0
#: Threads where there is no limit.
_MANY = 256


class TaskWorker:
    """Runs delayed calls of tasks in threads of this process.

    Of several workers that serve a task each call goes to one. The calls of a worker that died go to the others, or to the next one
    that is started: see the setting ``recovery_limit``.

    Args:
        tasks: The tasks. They are told apart by their names.
        limit: Calls at a time; None is no limit.

    Raises:
        TypeError: One of them is no task.
        ValueError: There is none, two have one name, or the limit is below 1.
    """

    def __init__(self, *tasks: Task[..., Any], limit: int | None = 10) -> None:
        for each in tasks:
            if not isinstance(each, Task):  # pyright: ignore[reportUnnecessaryIsInstance] - users make mistakes
                msg = f"only tasks can be served, not {each!r}. Decorate the function with @task."
                raise TypeError(msg)
        twice = [name for name, n in Counter(t.name for t in tasks).items() if n > 1]
        if not tasks or twice:
            msg = f"two tasks are called {twice[0]!r}" if twice else "there is no task"
            raise ValueError(f"{msg} to serve; give tasks with names of their own")
        if limit is not None and limit < 1:
            msg = f"limit must be 1 or more, or None for no limit, not {limit!r}"
            raise ValueError(msg)
        #: The tasks by name, their results stored so that other processes can read them.
        self.tasks: dict[str, Task[..., Any]] = {
            each.name: each.with_options(persist_result=True) for each in tasks
        }
        self.limit: int | None = limit
        #: When it was started; None while it does not serve.
        self.started_at: datetime | None = None
        self._in_flight: dict[bytes, tuple[str, datetime]] = {}
        self._finished: Counter[str] = Counter()
        self._stop = threading.Event()

    async def astart(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Prefect's signature
        """Serve until stopped; see `start`."""
        try:
            await in_own_thread(self.start, timeout)
        finally:
            self._stop.set()

    @dispatched(astart)
    def start(self, timeout: float | None = None) -> None:
        """Serve until `stop` is called, then end the calls that were begun and return.

        Args:
            timeout: Seconds after which it stops by itself; None is never.
        """
        engine = current_engine()
        until = None if timeout is None else monotonic() + timeout
        self._stop.clear()
        self.started_at = now()
        names = ", ".join(map(repr, self.tasks))
        get_logger("task_worker").info("serving %s", names)
        next_sweep = monotonic()
        with ThreadPoolExecutor(self.limit or _MANY, "caudal-task-worker") as pool:
            while not self._stop.is_set() and (until is None or monotonic() < until):
                if monotonic() >= next_sweep:
                    engine.sweep()
                    next_sweep = monotonic() + SWEEP_SECONDS
                for row in waiting_runs(engine, self.tasks):
                    if len(self._in_flight) >= (self.limit or _MANY):
                        break
                    self._begin(pool, row, self.tasks[row.flow_name])
                self._stop.wait(POLL_SECONDS)
        self.started_at = None

    async def astop(self) -> None:
        """Begin no further call; see `stop`."""
        self._stop.set()

    @dispatched(astop)
    def stop(self) -> None:
        """Begin no further call; `start` returns when those that were begun have ended."""
        self._stop.set()

    def status(self) -> dict[str, Any]:
        """Return what the worker does now, ready for JSON."""
        in_flight: dict[str, dict[str, str]] = {name: {} for name in self.tasks}
        for flow_run_id, (name, at) in list(self._in_flight.items()):
            in_flight[name][flow_run_id.hex()] = at.isoformat()
        current = len(self._in_flight)
        return {
            "client_id": f"{socket.gethostname()}-{os.getpid()}",
            "started_at": self.started_at and self.started_at.isoformat(),
            "stopping": self._stop.is_set(),
            "limit": self.limit,
            "current": current,
            "available": None if self.limit is None else self.limit - current,
            "tasks": sorted(self.tasks),
            "finished": {name: self._finished[name] for name in self.tasks},
            "in_flight": in_flight,
        }

    def _begin(
        self, pool: ThreadPoolExecutor, row: FlowRunRow, task: Task[..., Any]
    ) -> None:
        """Claim a call and have a thread carry it out; nothing happens when another process was faster."""
        try:
            claimed = current_engine().claim(row.id)
        except FlowRunNotResumableError:
            return
        self._in_flight[row.id] = (task.name, now())
        pool.submit(copy_context().run, self._carry_out, claimed, task)

    def _carry_out(self, row: FlowRunRow, task: Task[..., Any]) -> None:
        engine = current_engine()
        flow = _flow_around(row, task)
        try:
            scope = resume_flow_run(flow.spec, row, {}, engine, goes_on=True)
            scope.durable_key = row.durable_key
            scope.keeps_errors = True
            outcome = run_scope(flow.spec, scope, return_state=True)
            if task.isasync:
                asyncio.run(outcome)
        except CaudalError as error:  # the ledger refuses it, or cannot be reached
            get_logger("task_worker").error("%s was given up: %s", row.name, error)
        finally:
            del self._in_flight[row.id]
            self._finished[task.name] += 1


def _flow_around(row: FlowRunRow, task: Task[..., Any]) -> Flow[..., Any]:
    """Return the flow whose run a delayed call is: it calls the task as it was to be called."""
    if task.isasync:

        async def acall() -> Any:
            args, kwargs, after = load_payload(current_engine(), row, task.spec)
            return await task(*args, return_state=True, wait_for=after, **kwargs)

        return Flow(acall, name=task.name, persist_result=False)

    def call() -> Any:
        args, kwargs, after = load_payload(current_engine(), row, task.spec)
        return task(*args, return_state=True, wait_for=after, **kwargs)

    return Flow(call, name=task.name, persist_result=False)


async def aserve(
    *tasks: Task[..., Any],
    limit: int | None = 10,
    status_server_port: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - Prefect's signature
) -> None:
    """Run delayed calls of tasks until stopped; see `serve`."""
    worker = TaskWorker(*tasks, limit=limit)
    with _status_server(worker, status_server_port):
        await worker.astart(timeout)


@dispatched(aserve)
def serve(
    *tasks: Task[..., Any],
    limit: int | None = 10,
    status_server_port: int | None = None,
    timeout: float | None = None,
) -> None:
    """Run delayed calls of tasks in this process, until it is stopped by SIGTERM or Ctrl-C.

    The first signal lets the calls that were begun end; a second one ends the process, and their runs go on elsewhere.

    Args:
        tasks: The tasks.
        limit: Calls at a time; None is no limit.
        status_server_port: Port of this machine at which ``GET /status`` says what the process does; None opens none.
        timeout: Seconds after which it stops by itself; None is never.

    Raises:
        TypeError: One of them is no task.
        ValueError: There is none, two have one name, or the limit is below 1.
    """
    worker = TaskWorker(*tasks, limit=limit)
    with _stopped_by_signals(worker), _status_server(worker, status_server_port):
        worker.start(timeout)


@contextmanager
def _stopped_by_signals(worker: TaskWorker) -> Generator[None]:
    """Have the first SIGTERM or SIGINT stop a worker; the next one does what it always did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def stop(_signal: int, _frame: Any) -> None:
        restore()
        worker.stop()

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for kind in kinds:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        restore()


@contextmanager
def _status_server(worker: TaskWorker, port: int | None) -> Generator[None]:
    """Answer ``GET /status`` at a port of this machine, within a ``with`` block."""
    if port is None:
        yield
        return
    server = _make_server(worker, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _make_server(worker: TaskWorker, port: int) -> ThreadingHTTPServer:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415 - rarely asked for

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/status":
                self.send_error(404)
                return
            body = json.dumps(worker.status()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
