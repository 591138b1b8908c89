"""What a worker process runs: it takes calls from its connection, one at a time, and answers each.

A reader thread waits for messages; when the connection closes, because the parent ended or died, it ends the process at once,
whatever the main thread does.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from caudal.engine import composition, logs
from caudal.engine.context import added_tags, current
from caudal.engine.remote import RemoteTask
from caudal.engine.returns import text_of
from caudal.model.runs import LogRow
from caudal.runners.pickling import dumps
from caudal.settings import get_current_settings
from caudal.settings.current import exchange_settings, in_force
from caudal.workers.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.settings import Settings


def main() -> None:
    """Serve the connection whose file number is the first argument, until it closes."""
    connection = Connection(int(sys.argv[1]))
    try:
        sys.path[:], settings, start = pickle.loads(connection.recv_bytes())  # noqa: S301 - our own parent
    except (EOFError, OSError):  # it is gone already
        return
    exchange_settings(settings)
    if composition.AS_PREFECT in os.environ:
        from caudal import compat  # noqa: PLC0415 - only pipelines written for Prefect need it

        compat.install()
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, calls), daemon=True).start()
    send = _sender(connection)
    _forward_logs(send, settings)
    logs.capture_prints()
    if start is not None:
        initializer, arguments = pickle.loads(start)  # noqa: S301 - our own parent
        initializer(*arguments)
    while True:
        message = calls.get()
        usage = Usage()
        outcome = _serve(message, send)
        send("used", usage.so_far())
        send("outcome", outcome)


def _sender(connection: Connection) -> Callable[[str, Any], None]:
    """Return a function that sends a message to the parent, from any thread."""
    lock = threading.Lock()

    def send(kind: str, body: Any) -> None:
        message = pickle.dumps((kind, body))
        try:
            with lock:
                connection.send_bytes(message)
        except OSError:  # the parent is gone
            os._exit(1)

    return send


def _read(connection: Connection, calls: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            calls.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def _serve(message: bytes, send: Callable[[str, Any], None]) -> bytes:
    """Make a call and return its pickled outcome, after the values that it set in its transaction."""
    try:
        task, args, kwargs, about = pickle.loads(message)  # noqa: S301 - our own parent
        run = RemoteTask(task.spec, about, send)
        value, values = _call(task, args, kwargs, run)
        if values:
            send("values", dumps(values))
        engine = composition.made_engine()
        if (
            engine is not None
        ):  # the task's code ran tasks itself: they are durable before its result is
            engine.journal.barrier().wait()
    except BaseException as error:  # noqa: BLE001 - everything goes back to the parent
        return _encode_error(error)
    try:
        return pickle.dumps(("value", dumps(value)))
    except Exception as error:  # noqa: BLE001 - whatever a value's pickling raises
        reason = f"it returned a {type(value).__module__}.{type(value).__qualname__}, which cannot be sent to another process"
        advice = "Return something that can be pickled, or use ThreadPoolTaskRunner."
        return pickle.dumps(
            ("text", ("SerializationError", f"{reason}: {error}. {advice}", ""))
        )


def _call(
    task: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: RemoteTask
) -> tuple[Any, dict[str, Any]]:
    run.args, run.kwargs = args, kwargs
    block: Settings | None = run.about["settings"]
    if block is not None:
        # The engine of this process is like the parent's all the same.
        block = block.with_engine_of(get_current_settings())
    tagged = added_tags.set(run.about["added_tags"])
    token = current.set(run)  # pyright: ignore[reportArgumentType] - it has what the user's code may ask for
    try:
        with in_force(block):
            values = pickle.loads(run.about["values"]) if run.about["values"] else None  # noqa: S301 - our own parent
            if values is not None:
                run.begin_transaction(values)
            if task.spec.is_async:
                import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

                value = asyncio.run(task.spec.body(*args, **kwargs))
            else:
                value = task.spec.body(*args, **kwargs)
                if value.__class__ is GeneratorType:
                    # As in threads: a generator executes as part of the run.
                    value = list(value)
            return value, run.end_transaction(failed=False)
    except BaseException:
        run.end_transaction(failed=True)
        raise
    finally:
        current.reset(token)
        added_tags.reset(tagged)


def _encode_error(error: BaseException) -> bytes:
    trace = error.__traceback__
    while (
        trace is not None
        and trace.tb_frame.f_globals.get("__name__") == "__main__"
        and trace.tb_next
    ):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    try:
        body = dumps(("error", (error, text)))
        pickle.loads(body)  # noqa: S301 - some exceptions pickle but do not come back
    except Exception:  # noqa: BLE001 - whatever a user's exception raises
        return pickle.dumps(("text", (type(error).__name__, text_of(error), text)))
    return body


def _forward_logs(send: Callable[[str, Any], None], settings: Settings) -> None:
    """Send what runs log to the parent, which records it."""

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if current.get() is None:
                return
            message = logs.whole_text(record)[: logs.MAX_MESSAGE_CHARACTERS]
            row = LogRow(
                record.created, record.levelno, record.name, message, extra=logs.structured(record)
            )  # fmt: skip
            send("log", row)

    logs.install(settings.logging_level, settings.logging_format)
    root = logging.getLogger("caudal")
    root.handlers[:] = [logs.console, Forward()]


if __name__ == "__main__":
    main()
