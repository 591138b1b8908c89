"""Slots of concurrency limits that are not to be had."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError


class ConcurrencySlotAcquisitionError(CaudalError):
    """Slots of concurrency limits cannot be acquired, however long one waits, or were not after as many tries as were allowed.

    Args:
        names: The limits.
        reason: What is in the way.
        advice: What to do.
    """

    names: tuple[str, ...]
    reason: str
    advice: str

    def __init__(self, names: tuple[str, ...], reason: str, advice: str) -> None:
        super().__init__(names, reason, advice)
        self.names, self.reason, self.advice = names, reason, advice

    def __str__(self) -> str:
        return f"no slots of {_quoted(self.names)} were acquired: {self.reason}. {self.advice}"


class AcquireConcurrencySlotTimeoutError(CaudalError, TimeoutError):
    """Slots of concurrency limits did not come free in time.

    Args:
        names: The limits.
        seconds: How long was waited.
        reason: Which limit was full and who held it, as a sentence.
    """

    names: tuple[str, ...]
    seconds: float
    reason: str

    def __init__(self, names: tuple[str, ...], seconds: float, reason: str) -> None:
        super().__init__(names, seconds, reason)
        self.names, self.seconds, self.reason = names, seconds, reason

    def __str__(self) -> str:
        return f"no slots of {_quoted(self.names)} came free within {self.seconds:g} second(s). {self.reason}"


class ConcurrencySlotsLostError(CaudalError):
    """Slots were taken away from the code that held them, so others may have run beside it.

    Args:
        names: The limits.
    """

    names: tuple[str, ...]

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names

    def __str__(self) -> str:
        return (
            f"the slots of {_quoted(self.names)} were taken away before they were released: the limit was reset or deleted, or this "
            "process was silent for longer than CAUDAL_LEASE_SECONDS. Other code may have run at the same time."
        )


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
