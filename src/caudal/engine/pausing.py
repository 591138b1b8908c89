"""How the code of a flow run pauses it: waiting in its process, or giving the process up.

A pause has a *key*: the number of the pause in the flow's code, or what the code calls it. It pauses the run once: when the flow's code runs again, in a
retry or after the run was suspended and resumed, it passes the pauses that it has behind it. What the run waits for is a fact of its row
(``details["pause"]``); the keys behind it are too (``details["pauses"]``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from caudal.clock import timestamp
from caudal.engine.context import current
from caudal.engine.flow_scope import FlowScope
from caudal.engine.logs import flow_logger
from caudal.engine.waiting import awaiting, blocked
from caudal.exceptions import (
    FlowPauseTimeout,
    FlowRunNotPausableError,
    LeaseLostError,
    MissingContextError,
    Pause,
)
from caudal.ledger.control import PAUSED, SUSPENDED

if TYPE_CHECKING:
    from caudal.engine.parts import Run


class Pausing:
    """A pause of the flow run whose code calls.

    Args:
        name: ``Paused`` to wait in this process, ``Suspended`` to give it up.
        key: What the code calls it; None numbers it.
        timeout: Seconds after which the run can no longer be resumed; None waits for ever.
        wanted: What the run waits for, beside the wish that it goes on: schema, description, whether the value alone will do.

    Raises:
        MissingContextError: No flow run is in charge here.
        FlowRunNotPausableError: It cannot be paused from here.
    """

    key: str
    has_passed: bool

    def __init__(
        self,
        name: str,
        key: str | None,
        timeout: float | None,
        wanted: dict[str, Any] | None,
    ) -> None:
        run = current.get()
        if run is None or run.scope.id is None:
            what = "pause_flow_run()" if name == PAUSED else "suspend_flow_run()"
            raise MissingContextError(what)
        self._scope = scope = _scope(run, name)
        self._name, self._wanted = name, wanted
        self.key = key or scope.next_pause()
        self._until = None if timeout is None else timestamp() + timeout
        lost = scope.lost_pause or {}
        if (lost.get("key"), lost.get("name")) == (self.key, name):
            self._until, scope.lost_pause = lost["until"], None
        #: Whether the run has this pause behind it.
        self.has_passed = self.key in scope.pauses

    @property
    def flow_run_id(self) -> bytes:
        """The flow run."""
        assert self._scope.id is not None, "only flow runs are paused"
        return self._scope.id

    @property
    def response_key(self) -> str:
        """The key of the input that the run is resumed with."""
        return response_key(self._name, self.key)

    def begin(self, message: str | None = None) -> None:
        """Record that the run waits.

        Raises:
            Pause: It is to be suspended, and its code ends here.
        """
        scope = self._scope
        if self.key not in scope.pauses:
            scope.pauses.append(self.key)
        pause = {"key": self.key, "name": self._name, "until": self._until}
        details = {"pause": {**pause, **(self._wanted or {})}, "pauses": scope.pauses}
        if self._name == SUSPENDED:
            scope.stop.suspend(details, message)
            raise Pause
        flow_logger(scope).info(
            "Flow run %r is paused until it is resumed: caudal flow-run resume %s", scope.name, scope.name
        )  # fmt: skip
        scope.move("PAUSED", PAUSED, message, details)
        scope.journal.barrier().wait()

    def is_over(self) -> bool:
        """Say whether somebody has resumed the run.

        Raises:
            FlowPauseTimeout: Nobody has in time; the run goes on with this.
            LeaseLostError: Another process owns it.
            CancelRequested: It is being cancelled.
        """
        scope = self._scope
        scope.check()
        scope.stop.check()
        row = scope.parts.ledger.flow_run(self.flow_run_id)
        if row is None or row.owner != scope.fence.owner:
            raise LeaseLostError(scope.name)
        if row.state_type == "RUNNING":
            scope.enter(row)
            flow_logger(scope).info("Flow run %r goes on.", scope.name)
            return True
        if (
            self._until is not None
            and timestamp() >= self._until
            and row.state_type == "PAUSED"
        ):
            scope.pauses.remove(self.key)  # run again, the flow asks again
            behind = {"pause": None, "pauses": scope.pauses}
            scope.move("RUNNING", "Running", None, behind)
            raise FlowPauseTimeout(scope.name)
        return False

    def wait(self, poll_seconds: float) -> None:
        """Wait in this thread until somebody has resumed the run; see `is_over`."""
        with blocked():
            while not self.is_over():
                time.sleep(poll_seconds)

    async def await_(self, poll_seconds: float) -> None:
        """Wait on the running event loop until somebody has resumed the run; see `is_over`."""
        import asyncio  # noqa: PLC0415 - whoever awaits has it

        async with awaiting():
            while not await asyncio.to_thread(self.is_over):  # noqa: ASYNC110 - another process decides
                await asyncio.sleep(poll_seconds)

    def refuse(self, reason: str) -> None:
        """Pause the run again, because what it was given will not do."""
        message = f"The input was not accepted: {reason}"
        flow_logger(self._scope).warning("%s", message)
        self.begin(message)


def response_key(name: str, key: str) -> str:
    """Return the key of the input that a flow run is resumed with.

    Args:
        name: Name of the state it waits in.
        key: The pause.
    """
    return f"{name.lower()}-{key}-response"


def _scope(run: Run, name: str) -> FlowScope:
    scope = run.scope
    if not isinstance(scope, FlowScope) or scope.is_part:
        reason = (
            "its process is another one than that of this task. Call it in the flow."
        )
        raise FlowRunNotPausableError(scope.name, reason)
    if name == SUSPENDED and run is not cast("Run", scope):
        reason = "a task cannot suspend it. Call it in the flow."
        raise FlowRunNotPausableError(scope.name, reason)
    if name == SUSPENDED and scope.parent is not None:
        reason = (
            "it shares its process with the flow run that called it. Suspend that one."
        )
        raise FlowRunNotPausableError(scope.name, reason)
    return scope
