"""Flows whose tasks do what tasks should not; the argument says which one runs.

Each is followed by an ordinary task, which has to work in spite of it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from caudal import flow, get_run_logger, task
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
from oracle import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNNERS = {"threads": ThreadPoolTaskRunner, "processes": ProcessPoolTaskRunner}


class LockedError(Exception):
    """Cannot be pickled: it holds a lock."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class LopsidedError(Exception):
    """Can be pickled, and not unpickled: it takes two arguments and keeps one."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")


class MuteError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("mute")

    __repr__ = __str__


class PlainError(Exception):
    """Can be pickled, but is known to the main script alone."""


class Opaque:
    """Cannot be shown or compared."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


def raise_locked() -> None:
    raise LockedError("the lock is in the way")


def raise_lopsided() -> None:
    raise LopsidedError(7, "lopsided")


def raise_mute() -> None:
    raise MuteError


def raise_plain() -> None:
    raise PlainError("plain")


def raise_surrogate() -> None:
    raise ValueError("broken \udcff text")


def raise_memory() -> None:
    raise MemoryError("no more")


def raise_chain() -> None:
    try:
        raise_locked()
    except LockedError as error:
        raise ValueError("chained") from error


def raise_group() -> None:
    raise ExceptionGroup("several", [ValueError("one"), LockedError("two")])


def recurse() -> int:
    return recurse() + 1


def exit_politely() -> None:
    sys.exit(3)


def exit_at_once() -> None:
    os._exit(3)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def stop_iteration() -> None:
    raise StopIteration("over")


def generator_exit() -> None:
    raise GeneratorExit


def return_lock() -> Any:
    return threading.Lock()


def return_generator() -> Iterator[int]:
    return (number for number in range(3))


def return_lambda() -> Callable[[int], int]:
    return lambda number: number + 1


def return_large() -> bytes:
    return bytes(50_000_000)


def return_opaque() -> Any:
    return Opaque()


def start_thread() -> None:
    def work() -> None:
        time.sleep(0.5)
        note("thread finished")

    threading.Thread(target=work).start()


def write_surrogates() -> None:
    get_run_logger().warning("broken \udcff %s", "\ud800", extra={"field": "\udcfe"})
    sys.stdout.flush()


def log_wrongly() -> None:
    get_run_logger().info("%d apples", "three")
    logging.getLogger("elsewhere").info("%d", "three")


@task
def ordinary() -> str:
    """Work as tasks do."""
    note("ordinary")
    return "ordinary"


@task
def take(value: Any) -> bool:
    """Take a value and return whether it came."""
    return value is not None


def main(runner: str, action: str, persist: str) -> None:
    """Run a flow around one action.

    Args:
        runner: ``threads``, ``processes`` or ``inline``.
        action: The function that a task calls.
        persist: ``persist`` to store results.
    """
    stored = persist == "persist"
    trouble = task(name=action, persist_result=stored)(globals()[action])

    @flow(task_runner=RUNNERS.get(runner))
    def troubled() -> str:
        if runner == "inline":
            value = trouble(return_state=True)
        else:
            value = trouble.submit()
            value.wait()
        note(f"{value.state.type.value if runner != 'inline' else value.type.value}")
        assert ordinary.submit().result() == "ordinary"
        result = value.result(raise_on_failure=False)
        note(f"{type(result).__name__}")
        return value.result()

    troubled()


if __name__ == "__main__":
    main(*sys.argv[1:])
