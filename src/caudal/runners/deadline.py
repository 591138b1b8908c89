"""Ends a plain function call at a deadline, as far as CPython can.

In the main thread the deadline is an alarm signal, which interrupts blocking system calls too. In any other thread,
and in the main thread when somebody else uses the alarm, the call is moved to a helper thread: at the deadline an
exception is set to be raised in it at its next Python instruction, and the caller goes on without waiting for it.
Code that sits in a long C call then ends when that call does; its outcome is dropped.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from caudal.clock import monotonic
from caudal.exceptions import DeadlineReached, RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A timer may fire a little early.
_TOLERANCE_SECONDS = 0.001


class _Deadline:
    """When a call has to be over, on the monotonic clock; told apart by identity."""

    __slots__ = ("at", "is_over")

    def __init__(self, at: float) -> None:
        self.at = at
        #: Whether the alarm has rung for it: once only, so that the runs it ends can record that.
        self.is_over = False


#: Deadlines of nested calls in the main thread, outermost first.
_deadlines: list[_Deadline] = []


def call_with_deadline(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    seconds: float,
) -> Any:
    """Call a function and return what it returns.

    Args:
        fn: The function.
        args: Positional arguments.
        kwargs: Keyword arguments.
        seconds: How long it may take.

    Raises:
        RunTimeoutError: It took longer.
    """
    if _alarm_is_free():
        return _call_with_alarm(fn, args, kwargs, seconds)
    return _call_in_helper(fn, args, kwargs, seconds)


def raise_in_thread(thread: int, error: type[BaseException]) -> bool:
    """Have an exception raised in another thread at its next Python instruction; say whether the thread exists."""
    return bool(
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(error)
        )
    )


def _alarm_is_free() -> bool:
    if threading.current_thread() is not threading.main_thread() or not hasattr(
        signal, "setitimer"
    ):
        return False
    handler = signal.getsignal(signal.SIGALRM)
    return handler is _on_alarm or (
        handler is signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )


def _on_alarm(_signal: int, _frame: Any) -> None:
    now = monotonic()
    for deadline in _deadlines:
        if not deadline.is_over and deadline.at <= now + _TOLERANCE_SECONDS:
            deadline.is_over = True
            raise DeadlineReached(deadline)
    _set_alarm()


def _set_alarm() -> None:
    """Arm the alarm for the nearest deadline, or disarm it."""
    ahead = [deadline.at for deadline in _deadlines if not deadline.is_over]
    seconds = max(min(ahead) - monotonic(), 0.0001) if ahead else 0
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _call_with_alarm(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    seconds: float,
) -> Any:
    previous = signal.signal(signal.SIGALRM, _on_alarm)
    own = _Deadline(monotonic() + seconds)
    _deadlines.append(own)
    try:
        _set_alarm()
        return fn(*args, **kwargs)
    except DeadlineReached as reached:
        if reached.deadline is own:
            raise RunTimeoutError(seconds) from None
        raise  # that of a call around this one
    finally:
        _deadlines.remove(own)
        _set_alarm()
        if not _deadlines:
            signal.signal(signal.SIGALRM, previous)


def _call_in_helper(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    seconds: float,
) -> Any:
    outcome: list[Any] = []
    failure: list[BaseException] = []
    context = copy_context()

    def work() -> None:
        try:
            outcome.append(context.run(fn, *args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            failure.append(error)

    helper = threading.Thread(target=work, name="caudal-deadline", daemon=True)
    helper.start()
    helper.join(seconds)
    if helper.is_alive():
        assert helper.ident is not None, "a started thread has an identity"
        raise_in_thread(helper.ident, DeadlineReached)
        raise RunTimeoutError(seconds)
    if failure:
        raise failure[0]
    return outcome[0]
