"""Where the root modules find the engine that the composition root has made.

``caudal/__init__.py`` registers how to make an engine; the first flow or task run of the process makes it. A test, or a
worker that serves several ledgers, puts another one in its place for a context.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from caudal.engine.engine import Engine

#: Environment variable of processes in which ``import prefect`` means caudal; see ``caudal.compat``.
AS_PREFECT = "CAUDAL__AS_PREFECT"

_lock = threading.RLock()
_factory: list[Callable[[], Engine]] = []
_made: list[Engine] = []
_override: ContextVar[Engine | None] = ContextVar("caudal_engine", default=None)


def register(factory: Callable[[], Engine]) -> None:
    """Say how this process makes its engine; the last call counts."""
    _factory[:] = [factory]


def current_engine() -> Engine:
    """Return the engine of this context, made on first use.

    Raises:
        SettingError: ``temporary_settings`` here ask for another one.
    """
    engine = _override.get()
    if engine is None:
        engine = _made[0] if _made else _make()
    engine.refuse_other_settings()
    return engine


def _make() -> Engine:
    with _lock:
        if not _made:
            _made.append(_factory[0]())
        return _made[0]


def made_engine() -> Engine | None:
    """Return the engine of this context if one was made already."""
    return _override.get() or (_made[0] if _made else None)


def close_engine() -> None:
    """Close the process's engine, so that the next use makes a new one."""
    with _lock:
        while _made:
            _made.pop().close()


@contextmanager
def use_engine(engine: Engine) -> Generator[Engine]:
    """Use an engine instead of the process's own within a ``with`` block."""
    token = _override.set(engine)
    try:
        yield engine
    finally:
        _override.reset(token)


@contextmanager
def fresh_engine() -> Generator[None]:
    """Have an engine made anew, when it is needed, for all threads within a ``with`` block; it is closed at the end."""
    with _lock:
        before, _made[:] = _made[:], []
    token = _override.set(None)
    try:
        yield
    finally:
        try:
            close_engine()
        finally:
            _made[:] = before
            _override.reset(token)


def _forget_after_fork() -> None:
    """Drop the engine in a forked child: its threads and its lease belong to the parent."""
    _made.clear()
    _override.set(None)


os.register_at_fork(after_in_child=_forget_after_fork)
