"""Gives paused flow runs what they wait for, and has them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.engine.liveness import is_alive
from caudal.engine.pausing import response_key
from caudal.exceptions import FlowPauseTimeout, RunInputError
from caudal.ledger.port import Batch, FlowWrite
from caudal.ledger.takeover import (
    check_claimable,
    expiry,
    is_expired,
    is_lost_pause,
)
from caudal.model.inputs import RunInputChange
from caudal.model.runs import Fence, FlowRunChange
from caudal.resume import load_recorded_flow, resume_flow_run

if TYPE_CHECKING:
    from caudal.model.runs import FlowRunRow


def go_on(row: FlowRunRow, run_input: Any) -> None:
    """Have a flow run go on: in the process in which it waits, else here, until it has ended; see ``flow_runs.resume_flow_run``."""
    if answer(row, run_input):
        return
    outcome = resume_flow_run(load_recorded_flow(row), UUID(bytes=row.id))
    if hasattr(outcome, "__await__"):
        import asyncio  # noqa: PLC0415 - costs 40 ms; only flows that are coroutine functions need it

        async def ended() -> None:
            await outcome

        asyncio.run(ended())


def answer(row: FlowRunRow, run_input: Any, *, force: bool = False) -> bool:
    """Give a flow run what it waits for, and say whether the process in which it waits goes on with it.

    Args:
        row: The flow run.
        run_input: What it is given; None where it waits for nothing.
        force: Whether a durable run may go on that was given up.

    Raises:
        RunInputError: The input does not fit; the run waits on.
        FlowPauseTimeout: It is too late.
        FlowRunNotResumableError: It completed, or a live process works on it.
    """
    engine = current_engine()
    if is_expired(row, timestamp()):
        _expire(row)
        raise FlowPauseTimeout(row.name)
    pause: dict[str, Any] = row.details.get("pause") or {}
    if row.state_type != "PAUSED":
        pause = {}
    _give(row, pause, run_input)
    if engine.ledger.control.go_on(row.id, timestamp(), is_alive):
        return True
    row = _without_its_process(row)
    if is_lost_pause(row):
        _put_behind(row)
    leases = {lease.owner: lease for lease in engine.ledger.leases()}
    lease = leases.get(row.owner or b"")
    again = force and row.state_type != "COMPLETED"
    check_claimable(row, lease, timestamp(), is_alive, again=again)
    return False


def _give(row: FlowRunRow, pause: dict[str, Any], run_input: Any) -> None:
    schema: dict[str, Any] | None = pause.get("schema")
    if schema is None:
        if run_input is not None:
            raise RunInputError(
                row.name, "it does not wait for any", "Resume it without one."
            )
        return
    from caudal.input.schemas import jsonable_input, problems_of  # noqa: PLC0415 - pydantic takes 50 ms

    value: Any = jsonable_input(run_input)
    wrapped = {"value": value}
    if run_input is None:
        takes_none = pause.get("is_value") and problems_of(schema, wrapped) is None
        value = wrapped if takes_none else {}
    elif pause.get("is_value") and not _is_wrapped(value):
        value = wrapped
    problems = problems_of(schema, value)
    if problems is not None:
        raise RunInputError(row.name, problems)
    key = response_key(pause["name"], pause["key"])
    inputs = current_engine().ledger.inputs
    inputs.put(row.id, RunInputChange(key, value), timestamp())


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, dict) and [*cast("Any", value)] == ["value"]


def _without_its_process(row: FlowRunRow) -> FlowRunRow:
    """Return a flow run as it is once it is known whether its process is gone."""
    engine = current_engine()
    engine.sweep()
    return engine.ledger.flow_run(row.id) or row


def _put_behind(row: FlowRunRow) -> None:
    """Record that somebody has resumed a flow run whose process is gone, so that it does not wait again."""
    pauses = [*row.details.get("pauses", ()), row.details["pause"]["key"]]
    _write(row, FlowRunChange(details={"pauses": list(dict.fromkeys(pauses))}))


def _expire(row: FlowRunRow) -> None:
    """Close a run that it is too late to resume; one that waits in a living process is closed by that."""
    row = _without_its_process(row)
    if row.owner is None and is_expired(row, timestamp()):
        _write(row, expiry(row, timestamp()))


def _write(row: FlowRunRow, change: FlowRunChange) -> None:
    batch = Batch()
    batch.writes.append(FlowWrite(row.id, change))
    batch.fences[row.id] = Fence(None, row.attempt)
    current_engine().ledger.commit(batch)
