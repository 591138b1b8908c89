"""How often a failed run is tried again, and how long it waits before that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class RetryPolicy(NamedTuple):
    """A number of retries and the delays between them."""

    #: Tries after the first one.
    retries: int
    #: Seconds before each retry; the last one serves all further retries. Empty means at once.
    delays: tuple[float, ...] = ()
    #: Spread of each delay, as a factor of it; 0 is none.
    jitter: float = 0.0

    def delay(self, retry: int, random: Random) -> float:
        """Return how many seconds to wait before a retry.

        Args:
            retry: Number of the retry, from 1.
            random: Source of the jitter.
        """
        if not self.delays:
            return 0.0
        base = self.delays[min(retry, len(self.delays)) - 1]
        if not self.jitter:
            return base
        return base * random.uniform(1.0, 1.0 + self.jitter)

    def facts(self, retry: int, at: float, after: str | None) -> dict[str, Any]:
        """Return what is recorded of a run that waits for a retry.

        Args:
            retry: Number of the retry, from 1.
            at: When it will start, in seconds since the epoch, UTC.
            after: How the attempt before ended.
        """
        return {"number": retry, "of": self.retries, "at": at, "after": after}


#: The most delays a policy may hold, as in Prefect 3.
MAX_DELAYS = 50


def retry_policy(
    retries: int,
    delay: float | list[float] | Callable[[int], list[float]] | None,
    jitter: float | None = None,
) -> RetryPolicy | None:
    """Return the policy for a decorator's retry arguments, or None when there are no retries.

    Args:
        retries: Tries after the first one.
        delay: Seconds before each retry: one number, one for each retry, or a function of the number of retries that returns them.
        jitter: Spread of each delay, as a factor of it.

    Raises:
        ValueError: A number is negative, or there are more than 50 delays.
    """
    if retries < 0:
        msg = f"retries must be 0 or more, not {retries!r}"
        raise ValueError(msg)
    if jitter is not None and jitter < 0:
        msg = f"retry_jitter_factor must be 0 or more, not {jitter!r}"
        raise ValueError(msg)
    given = (delay(retries) if retries else None) if callable(delay) else delay
    delays = (
        tuple(map(float, given))
        if isinstance(given, (list, tuple))
        else (float(given or 0),)
    )
    if len(delays) > MAX_DELAYS:
        msg = f"at most {MAX_DELAYS} retry delays can be given, not {len(delays)}"
        raise ValueError(msg)
    if any(seconds < 0 for seconds in delays):
        msg = f"retry delays must be 0 or more seconds, not {delays!r}"
        raise ValueError(msg)
    if not retries:
        return None
    return RetryPolicy(retries, delays if any(delays) else (), jitter or 0.0)
