"""Named places at which a process can be made to die by SIGKILL, as in a power cut: nothing is flushed, closed or said.

A place is one side of a function of the engine or the ledger. `arm` puts a counter around that function, in this process
only; where nobody arms anything, nothing is there that could cost time. ``commit:3`` names the third time that a process gets to a place.
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import threading
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class CrashPoint(NamedTuple):
    """A place at which a process can be made to die."""

    #: What is done and what is not when the process dies there.
    about: str
    #: Module and name of a function, with a colon between them.
    function: str
    #: Whether the process dies when the function has returned, not when it is called.
    after: bool = False
    #: Name of the function that has to be under way.
    within: str | None = None


_LEDGER = "caudal.ledger.sqlite.ledger:SqliteLedger"

#: Every place, by name.
CRASH_POINTS: dict[str, CrashPoint] = {
    "before-claim": CrashPoint(
        "Nothing of the claim is written.", f"{_LEDGER}.claim"
    ),
    "in-claim": CrashPoint(
        "The claim is written and not committed.",
        f"{_LEDGER}._write", after=True, within="claim",
    ),
    "after-claim": CrashPoint(
        "The claim is committed, and the claimer does not know.",
        f"{_LEDGER}.claim", after=True,
    ),
    "in-sweep": CrashPoint(
        "The runs of dead processes are closed, and that is not committed.",
        f"{_LEDGER}._write", after=True, within="sweep",
    ),
    "after-sweep": CrashPoint(
        "The runs of dead processes are closed.", f"{_LEDGER}.sweep", after=True
    ),
    "before-recovery": CrashPoint(
        "What earlier attempts left is read, and the flow's code has not been called.",
        "caudal.engine.recorded:Recorded.__init__",
    ),
    "in-recovery": CrashPoint(
        "A kept result of an earlier attempt has been taken over.",
        "caudal.engine.caching:Keeping.adopt", after=True,
    ),
    "before-call": CrashPoint(
        "The user's function, a flow's too, has not been called.",
        "caudal.engine.commands:Call.perform",
    ),
    "after-call": CrashPoint(
        "The user's function has returned, and nobody knows the value.",
        "caudal.engine.commands:Call.perform", after=True,
    ),
    "before-result": CrashPoint(
        "There is a value, and nothing of it is stored.",
        "caudal.engine.results:Results.write",
    ),
    "in-result": CrashPoint(
        "The file of a large value is there, and no record of it.",
        "caudal.storage.local:LocalStore.write", after=True,
    ),
    "after-result": CrashPoint(
        "The record of a result is on its way to the journal.",
        "caudal.engine.results:Results.write", after=True,
    ),
    "before-commit": CrashPoint(
        "A batch of the journal is put together, and nothing of it is written.",
        f"{_LEDGER}.commit",
    ),
    "in-commit": CrashPoint(
        "A batch is written and not committed.",
        f"{_LEDGER}._write", after=True, within="commit",
    ),
    "after-commit": CrashPoint(
        "A batch is committed, and nobody who waits for it knows.",
        f"{_LEDGER}.commit", after=True,
    ),
    "before-end": CrashPoint(
        "A flow run's last state is on its way, and the call has not returned.",
        "caudal.engine.commands:Durable.perform",
    ),
    "after-end": CrashPoint(
        "A flow run's last state is durable, and the call has not returned.",
        "caudal.engine.commands:Durable.perform", after=True,
    ),
    "before-release": CrashPoint(
        "All runs have ended, and the process still holds its lease.",
        f"{_LEDGER}.release",
    ),
}  # fmt: skip


def arm(place: str) -> None:
    """Have this process die at a place.

    Args:
        place: Name of a crash point; a colon and a number behind it say at which time that the process gets there.

    Raises:
        KeyError: There is no such place.
    """
    name, _, turn = place.partition(":")
    point = CRASH_POINTS[name]
    module, _, path = point.function.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, attribute = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    wrapped = _dying(getattr(owner, attribute), point, int(turn or 1))
    setattr(owner, attribute, wrapped)


def _dying(
    function: Callable[..., Any], point: CrashPoint, turn: int
) -> Callable[..., Any]:
    turns, lock = count(1), threading.Lock()

    def reached() -> None:
        if point.within is not None and not _is_within(point.within):
            return
        with lock:
            if next(turns) == turn:
                os.kill(os.getpid(), signal.SIGKILL)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not point.after:
            reached()
        outcome = function(*args, **kwargs)
        if point.after:
            reached()
        return outcome

    return call


def _is_within(name: str) -> bool:
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == name:
            return True
        frame = frame.f_back
    return False
