"""Raises an exception in the code that a thread executes, as far as CPython can.

In the main thread a signal wakes blocking system calls (``time.sleep``, a wait for a lock) and its handler raises. SIGURG is used: nothing but
urgent data on a socket sends it, and whoever does not handle it does not notice. In any other thread, and in the main thread when somebody else
handles that signal, the exception is set to be raised at the thread's next Python instruction; a long C call ends first.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from caudal.runners.deadline import raise_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNAL: int | None = getattr(signal, "SIGURG", None)
#: What is to be raised in the main thread, and whether it is still wanted there.
_for_main: deque[tuple[type[BaseException], Callable[[], bool]]] = deque()


def prepare_thread() -> int:
    """Make this thread one that ``interrupt_thread`` reaches, and return its identity."""
    ident = threading.get_ident()
    if (
        ident == threading.main_thread().ident
        and _SIGNAL is not None
        and signal.getsignal(_SIGNAL) is signal.SIG_DFL
    ):
        signal.signal(_SIGNAL, _on_signal)
    return ident


def interrupt_thread(
    thread: int, error: type[BaseException], is_wanted: Callable[[], bool]
) -> None:
    """Have an exception raised in another thread.

    Args:
        thread: The thread's identity.
        error: What to raise.
        is_wanted: Asked in the main thread right before; what comes too late is dropped.
    """
    if (
        thread == threading.main_thread().ident
        and _SIGNAL is not None
        and signal.getsignal(_SIGNAL) is _on_signal
    ):
        _for_main.append((error, is_wanted))
        signal.pthread_kill(thread, _SIGNAL)
    else:
        raise_in_thread(thread, error)


def _on_signal(_number: int, _frame: Any) -> None:
    while _for_main:
        error, is_wanted = _for_main.popleft()
        if is_wanted():
            raise error
