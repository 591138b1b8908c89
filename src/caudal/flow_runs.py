"""Pauses flow runs, suspends them, lets them go on, and waits for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from uuid import UUID, uuid4

from caudal.answers import go_on
from caudal.client import get_client
from caudal.clock import monotonic, timestamp
from caudal.engine.composition import current_engine
from caudal.engine.liveness import is_alive
from caudal.engine.pausing import Pausing
from caudal.engine.waiting import awaiting, blocked
from caudal.exceptions import FlowRunNotPausableError, FlowRunWaitTimeout
from caudal.ledger.control import PAUSED, SUSPENDED
from caudal.logging import get_logger
from caudal.twins import dispatched, in_own_thread, in_thread

if TYPE_CHECKING:
    from caudal.model.views import FlowRun

T = TypeVar("T")

#: Seconds between two looks at whether a run was resumed or has ended.
POLL_SECONDS = 0.25


@overload
async def apause_flow_run(
    wait_for_input: None = None,
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> None: ...
@overload
async def apause_flow_run(
    wait_for_input: type[T],
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> T: ...
async def apause_flow_run(
    wait_for_input: Any = None,
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> Any:
    """Pause the flow run whose code calls; see `pause_flow_run`."""
    pausing, form = _pausing(PAUSED, wait_for_input, timeout, key)
    if not pausing.has_passed:
        await in_thread(pausing.begin)
        await pausing.await_(poll_interval)
    while True:
        value, refusal = await in_thread(_taken, pausing, form)
        if refusal is None:
            return value
        await in_thread(pausing.refuse, refusal)
        await pausing.await_(poll_interval)


@overload
def pause_flow_run(
    wait_for_input: None = None,
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> None: ...
@overload
def pause_flow_run(
    wait_for_input: type[T],
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> T: ...
@dispatched(apause_flow_run)
def pause_flow_run(
    wait_for_input: Any = None,
    timeout: float = 3600,
    poll_interval: float = POLL_SECONDS,
    key: str | None = None,
) -> Any:
    """Pause the flow run whose code calls, until somebody resumes it; its process waits.

    Tasks that were submitted go on. Where the caller can await, an awaitable is returned.

    Args:
        wait_for_input: What the run is to be given: a `RunInput`, a pydantic model, or any type that pydantic knows. It is returned.
        timeout: Seconds to wait.
        poll_interval: Seconds between two looks.
        key: Names the pause, which a run makes once: when its code runs again, it does not wait again. By default pauses are numbered.

    Raises:
        FlowPauseTimeout: Nobody resumed the run in time.
        MissingContextError: No flow run is in charge.
    """
    pausing, form = _pausing(PAUSED, wait_for_input, timeout, key)
    if not pausing.has_passed:
        pausing.begin()
        pausing.wait(poll_interval)
    while True:
        value, refusal = _taken(pausing, form)
        if refusal is None:
            return value
        pausing.refuse(refusal)
        pausing.wait(poll_interval)


@overload
async def asuspend_flow_run(
    wait_for_input: None = None,
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> None: ...
@overload
async def asuspend_flow_run(
    wait_for_input: type[T],
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> T: ...
async def asuspend_flow_run(
    wait_for_input: Any = None,
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> Any:
    """Suspend a flow run; see `suspend_flow_run`."""
    return await in_thread(_suspend, wait_for_input, flow_run_id, timeout, key)


@overload
def suspend_flow_run(
    wait_for_input: None = None,
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> None: ...
@overload
def suspend_flow_run(
    wait_for_input: type[T],
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> T: ...
@dispatched(asuspend_flow_run)
def suspend_flow_run(
    wait_for_input: Any = None,
    flow_run_id: UUID | str | None = None,
    timeout: float | None = None,
    key: str | None = None,
) -> Any:
    """Suspend a flow run: its process ends its part, and the run can be taken up again later, in any process.

    Called in a flow without a ``flow_run_id``, it ends the flow's code here. When the run is resumed, the code starts anew, tasks whose results were stored
    return them, and this call returns. Tasks that execute are waited for; those that have not started do not start.

    Another flow run stops at its next call of a task.

    Where the caller can await, an awaitable is returned.

    Args:
        wait_for_input: What the run is to be given, as of `pause_flow_run`; only for the run whose code calls.
        flow_run_id: Another run; the one whose code calls by default.
        timeout: Seconds after which it can no longer be resumed.
        key: Names the suspension, as of `pause_flow_run`.

    Raises:
        FlowRunNotPausableError: The run has ended, or is a child of another one; or a task calls.
        MissingContextError: No flow run is given, and none is in charge.
    """
    return _suspend(wait_for_input, flow_run_id, timeout, key)


def _suspend(
    wait_for_input: Any,
    flow_run_id: UUID | str | None,
    timeout: float | None,
    key: str | None,
) -> Any:
    if flow_run_id is not None:
        _suspend_other(flow_run_id, timeout, key)
        return None
    pausing, form = _pausing(SUSPENDED, wait_for_input, timeout, key)
    if not pausing.has_passed:
        pausing.begin()
    value, refusal = _taken(pausing, form)
    if refusal is not None:
        pausing.refuse(refusal)
    return value


def _suspend_other(
    flow_run_id: UUID | str, timeout: float | None, key: str | None
) -> None:
    row = get_client().find_flow_run(flow_run_id)
    if row.parent_flow_run_id is not None:
        reason = (
            "it shares its process with the flow run that called it. Suspend that one."
        )
        raise FlowRunNotPausableError(row.name, reason)
    now = timestamp()
    until = None if timeout is None else now + timeout
    pause = {"key": key or str(uuid4()), "name": SUSPENDED, "until": until}
    current_engine().ledger.control.suspend(row.id, now, is_alive, {"pause": pause})


async def aresume_flow_run(flow_run_id: UUID | str, run_input: Any = None) -> FlowRun:
    """Have a flow run go on; see `resume_flow_run`."""
    return await in_own_thread(_resume, flow_run_id, run_input)


@dispatched(aresume_flow_run)
def resume_flow_run(flow_run_id: UUID | str, run_input: Any = None) -> FlowRun:
    """Have a flow run go on that is paused, suspended, failed, crashed or cancelled, and return it as it is then.

    A run that waits in its process goes on there. Any other one is taken up here, and the call returns when it has ended: its flow is loaded from the file on
    record. Where the caller can await, an awaitable is returned.

    Args:
        flow_run_id: The run: its id, the start of its id, or its name.
        run_input: What it waits for: a mapping of the fields, or the value alone where it waits for a plain type.

    Raises:
        ObjectNotFound: There is no such run.
        RunInputError: The input does not fit; the run waits on.
        FlowPauseTimeout: It is too late.
        FlowRunNotResumableError: It completed, or a live process works on it.
        ScriptError: Its flow cannot be loaded.
    """
    return _resume(flow_run_id, run_input)


def _resume(flow_run_id: UUID | str, run_input: Any) -> FlowRun:
    client = get_client()
    row = client.find_flow_run(flow_run_id)
    go_on(row, run_input)
    return client.read_flow_run(UUID(bytes=row.id))


async def _await_flow_run(
    flow_run_id: UUID | str,
    timeout: float | None = 10800,
    poll_interval: float | None = None,
    *,
    log_states: bool = False,
) -> FlowRun:
    import asyncio  # noqa: PLC0415 - whoever awaits has it

    watch = await in_thread(_Watch, flow_run_id, timeout, log_states=log_states)
    async with awaiting():
        while not watch.is_over():
            await asyncio.sleep(
                POLL_SECONDS if poll_interval is None else poll_interval
            )
            await in_thread(watch.look)
    return watch.run


@dispatched(_await_flow_run)
def wait_for_flow_run(
    flow_run_id: UUID | str,
    timeout: float | None = 10800,
    poll_interval: float | None = None,
    *,
    log_states: bool = False,
) -> FlowRun:
    """Wait until a flow run has ended, in whatever process, and return it; where the caller can await, return an awaitable of it.

    Args:
        flow_run_id: The run: its id, the start of its id, or its name.
        timeout: Seconds to wait; None waits for ever.
        poll_interval: Seconds between two looks; a quarter of one by default.
        log_states: Log each state that the run is found in.

    Raises:
        FlowRunWaitTimeout: It has not ended in time.
    """
    watch = _Watch(flow_run_id, timeout, log_states=log_states)
    with blocked():
        while not watch.is_over():
            time.sleep(POLL_SECONDS if poll_interval is None else poll_interval)
            watch.look()
    return watch.run


class _Watch:
    """Looks at a flow run until it has ended; see `wait_for_flow_run`."""

    def __init__(
        self, flow_run_id: UUID | str, timeout: float | None, *, log_states: bool
    ) -> None:
        self._timeout, self._started = timeout, monotonic()
        self._log = get_logger("flow_runs").info if log_states else _say_nothing
        self.run: FlowRun = get_client().read_flow_run(flow_run_id)
        self._log("Flow run %r is in state %r", self.run.name, self.run.state.name)

    def is_over(self) -> bool:
        """Say whether it has ended.

        Raises:
            FlowRunWaitTimeout: It has not, in time.
        """
        if self.run.state.is_final():
            return True
        if self._timeout is not None and monotonic() - self._started >= self._timeout:
            raise FlowRunWaitTimeout(self.run.name, self._timeout)
        return False

    def look(self) -> None:
        """Read it again."""
        current_engine().sweep()
        before, self.run = self.run, get_client().read_flow_run(self.run.id)
        if self.run.state.name != before.state.name:
            self._log("Flow run %r is in state %r", self.run.name, self.run.state.name)


def _say_nothing(*_: object) -> None:
    pass


def _pausing(
    name: str, wait_for_input: Any, timeout: float | None, key: str | None
) -> tuple[Pausing, Any]:
    """Return a pause that has not begun, and the type of the input that it waits for."""
    if wait_for_input is None:
        return Pausing(name, key, timeout, None), None
    from caudal.input.models import AutomaticRunInput, run_input_subclass_from_type  # noqa: PLC0415 - pydantic takes 50 ms

    form = run_input_subclass_from_type(wait_for_input)
    wanted = {
        "schema": form.model_json_schema(),
        "description": form.describes(),
        "is_value": issubclass(form, AutomaticRunInput),
    }
    return Pausing(name, key, timeout, wanted), form


def _taken(pausing: Pausing, form: Any) -> tuple[Any, str | None]:
    """Return what a run was resumed with, and why that will not do."""
    if form is None:
        return None, None
    from pydantic import ValidationError  # noqa: PLC0415

    from caudal.input.models import AutomaticRunInput  # noqa: PLC0415
    from caudal.input.schemas import describe  # noqa: PLC0415
    from caudal.model.inputs import RunInputRow  # noqa: PLC0415

    inputs = current_engine().ledger.inputs
    row = inputs.get(pausing.flow_run_id, pausing.response_key) or RunInputRow(
        0, pausing.flow_run_id, pausing.response_key, {}, None, 0.0
    )
    try:
        made = form.from_row(row)
    except ValidationError as error:
        return None, describe(error)
    if isinstance(made, AutomaticRunInput):
        return cast("AutomaticRunInput[Any]", made).value, None
    return made, None
