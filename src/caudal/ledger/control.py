"""What is asked of flow runs from outside: that they stop, for good or for a while, and that they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caudal.model.runs import FlowRunRow, Lease

#: The state of a run whose process waits, and of one without a process.
PAUSED, SUSPENDED = "Paused", "Suspended"


class Asked(NamedTuple):
    """A flow run that somebody wants to stop."""

    flow_run_id: bytes
    #: The state that says so.
    state_type: str
    state_name: str
    message: str | None


class Control(Protocol):
    """Asks flow runs to stop or to go on, and tells their processes."""

    def cancel(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        message: str | None = None,
    ) -> FlowRunRow:
        """Ask for the end of a flow run and of every flow run below it, in one atomic step, and return its row.

        Each open one whose process works goes to CANCELLING, which it leaves for CANCELLED alone: whatever else its process writes
        as its state is refused. One that nobody works on (no owner, no lease, an expired one, ``is_alive`` is false) goes to
        CANCELLED at once with its open task runs, and loses its owner. A second call changes nothing.

        Raises:
            ObjectNotFound: There is no such run.
            FlowRunNotCancellableError: It has ended.
        """
        ...

    def suspend(
        self,
        flow_run_id: bytes,
        now: float,
        is_alive: Callable[[Lease], bool],
        details: dict[str, Any],
    ) -> FlowRunRow:
        """Ask an open flow run to stop so that it can be taken up later, in one atomic step, and return its row.

        It goes to PAUSED, ``Suspended``. Its process keeps it until it has ended its part; one that nobody works on loses its owner at
        once, and its open task runs go to CRASHED.

        Args:
            flow_run_id: The run.
            now: Seconds since the epoch, UTC.
            is_alive: Whether the process of a lease that has not expired lives.
            details: Facts to merge into its details.

        Raises:
            ObjectNotFound: There is no such run.
            FlowRunNotPausableError: It has ended, is being cancelled, or is suspended already.
        """
        ...

    def go_on(
        self, flow_run_id: bytes, now: float, is_alive: Callable[[Lease], bool]
    ) -> bool:
        """Move a ``Paused`` flow run whose process waits for that to RUNNING; False, and nothing changed, when none waits.

        Raises:
            ObjectNotFound: There is no such run.
        """
        ...

    def asked(self, owner: bytes) -> Sequence[Asked]:
        """Return the flow runs of a process that somebody wants to stop; cheap enough to be called every second."""
        ...
