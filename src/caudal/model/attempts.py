"""What the attempts of a task run took: time waited, time run, processor time, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caudal.model.runs import Move, Used
from caudal.model.states import StateType

if TYPE_CHECKING:
    from collections.abc import Iterable

_PENDING = StateType.PENDING.value
_RUNNING = StateType.RUNNING.value


class Attempt(NamedTuple):
    """One try of a task run. Times are seconds since the epoch, UTC."""

    #: When it began to wait: the run was made, taken up again, or the try before had failed.
    queued_at: float
    started_at: float
    #: None while it runs; this and what follows.
    ended_at: float | None = None
    #: Name of the state that it ended in; a try that is followed by another one at once has failed.
    state_name: str | None = None
    #: Processor time, where the runner could tell.
    cpu_seconds: float | None = None
    #: Most memory that its process held, where the runner could tell.
    peak_memory_bytes: int | None = None

    @property
    def queue_seconds(self) -> float:
        """For how long it waited: for inputs, a place, a limit, the delay of a retry."""
        return self.started_at - self.queued_at

    @property
    def wall_seconds(self) -> float | None:
        """For how long it ran; None while it does."""
        return None if self.ended_at is None else self.ended_at - self.started_at


def attempts_of(moves: Iterable[Move], used: Iterable[Used]) -> list[Attempt]:
    """Return the tries of a task run, in order.

    Args:
        moves: All states that it went through, in order.
        used: What its attempts used, by the time of their end.
    """
    by_end = {each.at: each for each in used}
    attempts: list[Attempt] = []
    waits_since: float | None = None
    is_running = False
    for kind, name, at, _ in moves:
        if is_running:
            ended = "Failed" if kind == _RUNNING else name
            usage = by_end.get(at)
            attempts[-1] = attempts[-1]._replace(
                ended_at=at,
                state_name=ended,
                cpu_seconds=None if usage is None else usage.cpu_seconds,
                peak_memory_bytes=None if usage is None else usage.peak_memory_bytes,
            )
            waits_since = at
        if kind == _PENDING:
            waits_since = at
        is_running = kind == _RUNNING
        if is_running:
            attempts.append(Attempt(at if waits_since is None else waits_since, at))
    return attempts
