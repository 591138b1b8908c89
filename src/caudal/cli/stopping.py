"""Ctrl-C and SIGTERM while a flow runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

from caudal.clock import monotonic
from caudal.engine.flow_run import GRACE_SECONDS

if TYPE_CHECKING:
    from types import FrameType

#: For how long interrupts after the first one change nothing.
_GRACE_SECONDS = GRACE_SECONDS + 1


class Signals:
    """Makes SIGTERM interrupt the flow as Ctrl-C does, within a ``with`` block, and remembers which of them came.

    Args:
        is_async: Whether an event loop runs the flow; it then handles the interrupt itself.
    """

    def __init__(self, *, is_async: bool) -> None:
        #: The first signal that came.
        self.received: int | None = None
        self._is_async = is_async
        self._raised_at = -_GRACE_SECONDS
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
        if monotonic() - self._raised_at < _GRACE_SECONDS:
            return  # it is stopping; a second interrupt would cut the record of that short
        self._raised_at = monotonic()
        raise KeyboardInterrupt
