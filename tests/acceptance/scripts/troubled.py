"""A flow whose tasks do what tasks should not, one after the other; the arguments say where and what.

None of it may keep an ordinary task from running afterwards, or the flow from being recorded.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from oracle import note

from caudal import flow, get_run_logger, task
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class LockedError(Exception):
    """Cannot be pickled: it holds a lock."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class LopsidedError(Exception):
    """Can be pickled, but not unpickled: it takes two arguments and keeps one."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} {code}")


class MuteError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("mute")

    __repr__ = __str__


class ScriptError(Exception):
    """Is known to the main script alone."""


class Opaque:  # noqa: PLW1641 - has no hash either
    """Can be neither shown nor compared."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


def raise_locked() -> None:
    """Raise what cannot be pickled."""
    raise LockedError("the lock is in the way")


def raise_lopsided() -> None:
    """Raise what cannot be unpickled."""
    raise LopsidedError(7, "lopsided")


def raise_mute() -> None:
    """Raise what cannot be shown."""
    raise MuteError


def raise_script() -> None:
    """Raise what only the main script can name."""
    raise ScriptError("from the script")


def raise_surrogate() -> None:
    """Raise text that is no valid Unicode."""
    raise ValueError("broken \udcff text")


def raise_memory() -> None:
    """Fail as a full memory does."""
    raise MemoryError("no more")


def raise_chain() -> None:
    """Raise an error that comes from one that cannot be pickled."""
    try:
        raise_locked()
    except LockedError as error:
        raise ValueError("chained") from error


def raise_group() -> None:
    """Raise several errors at once."""
    raise ExceptionGroup("several", [ValueError("one"), LockedError("two")])


def raise_stop() -> None:
    """Raise what ends generators."""
    raise StopIteration("over")


def recurse() -> None:
    """Never come back."""
    recurse()


def exit_politely() -> None:
    """Leave as scripts do."""
    sys.exit(3)


def exit_at_once() -> None:
    """Leave as nobody should."""
    os._exit(3)


def kill() -> None:
    """Be killed, as by a system that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def return_lock() -> Any:
    """Return what cannot be pickled."""
    return threading.Lock()


def return_generator() -> Iterator[int]:
    """Return what can be read once."""
    return (number for number in range(3))


def return_lambda() -> Callable[[int], int]:
    """Return a function without a name."""
    return lambda number: number + 1


def return_opaque() -> Opaque:
    """Return what cannot be shown."""
    return Opaque()


def return_large() -> bytes:
    """Return 50 MB."""
    return bytes(50_000_000)


def start_thread() -> None:
    """Leave a thread behind that outlives the script."""
    threading.Thread(target=threading.Event().wait, args=(1,)).start()


def log_surrogates() -> None:
    """Log text that is no valid Unicode."""
    get_run_logger().warning("broken \udcff %s", "\ud800", extra={"field": "\udcfe"})


def log_wrongly() -> None:
    """Log arguments that do not fit their text."""
    get_run_logger().info("%d apples", "three")
    logging.getLogger("elsewhere").warning("%d apples", "three")


@task
def ordinary(_given: object = None) -> str:
    """Work as tasks do."""
    return "ordinary"


def attempt(action: str, *, persist: bool) -> None:
    """Submit a task that does something, and say what its future holds."""
    trouble = task(name=action, persist_result=persist)(globals()[action])
    future = trouble.submit()
    future.wait()
    kind = type(future.result(raise_on_failure=False))
    origin = "its own" if kind is globals().get(kind.__name__) else "another"
    note(f"{action}: {future.state.type}, {origin} {kind.__name__}")
    assert ordinary.submit().result() == "ordinary"


def main(runner: str, keep: str, *actions: str) -> None:
    """Run a flow in which each action is a task.

    Args:
        runner: ``threads`` or ``processes``.
        keep: ``persist`` to store results.
        actions: Names of functions.
    """
    chosen = {"threads": ThreadPoolTaskRunner, "processes": ProcessPoolTaskRunner}

    @flow(task_runner=chosen[runner], persist_result=keep == "persist")
    def troubled(given: object) -> None:
        for action in actions:
            attempt(action, persist=keep == "persist")
        assert ordinary(given) == ordinary.submit([given]).result()

    troubled(Opaque())


if __name__ == "__main__":
    main(*sys.argv[1:])
