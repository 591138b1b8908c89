"""Ctrl-C and SIGTERM while a flow runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

from caudal.clock import monotonic

if TYPE_CHECKING:
    from types import FrameType

#: Interrupts that reach the flow: the first stops it, the second ends the wait for its tasks. More could cut the record short.
_INTERRUPTS = 2
#: An interrupt that follows the one before it sooner is the same one: a key that was hit twice.
_APART_SECONDS = 0.5


class Signals:
    """Makes SIGTERM interrupt the flow as Ctrl-C does, within a ``with`` block, and remembers which of them came.

    Args:
        is_async: Whether an event loop runs the flow; it then handles the interrupt itself.
    """

    def __init__(self, *, is_async: bool) -> None:
        #: The first signal that came.
        self.received: int | None = None
        self._is_async = is_async
        self._interrupts = 0
        self._interrupted_at = -_APART_SECONDS
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._set(signal.SIGTERM, self._on_terminate)
        if not self._is_async:
            self._set(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _set(self, number: int, handler: Any) -> None:
        self._previous[number] = signal.signal(number, handler)

    def _on_terminate(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or number
        signal.raise_signal(signal.SIGINT)

    def _on_interrupt(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or number
        is_new = monotonic() - self._interrupted_at >= _APART_SECONDS
        self._interrupted_at = monotonic()
        if is_new and self._interrupts < _INTERRUPTS:
            self._interrupts += 1
            raise KeyboardInterrupt
