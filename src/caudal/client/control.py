"""What clients ask of flow runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caudal.client.schemas.objects import (
    FlowRunInput,
    OrchestrationResult,
    SetStateStatus,
)
from caudal.clock import timestamp
from caudal.engine.finding import find_flow_run
from caudal.engine.liveness import is_alive
from caudal.engine.names import random_name
from caudal.engine.recorded_states import recorded_flow_run
from caudal.exceptions import (
    FlowRunNotCancellableError,
    FlowRunNotPausableError,
    ObjectNotFound,
)
from caudal.ledger.control import SUSPENDED
from caudal.ledger.port import Batch, FlowWrite
from caudal.model.ids import new_id
from caudal.model.inputs import RunInputChange
from caudal.model.jsonable import is_exact, jsonable
from caudal.model.runs import FlowRunChange, Move

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from caudal.engine.engine import Engine
    from caudal.flows import Flow
    from caudal.model.inputs import RunInputRow
    from caudal.model.states import State
    from caudal.model.views import FlowRun


class RunControl:
    """The part of a client that asks flow runs to stop, to go on, and gives them inputs."""

    _engine: Engine

    def cancel_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """Have a flow run end, with the flow runs that it called, and return it as it is then.

        Its process notices within about a second and ends it ``Cancelled``; until then it is ``Cancelling``. A run whose process is gone is
        ``Cancelled`` at once.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
            FlowRunNotCancellableError: It has ended.
        """
        row = find_flow_run(self._engine, flow_run_id)
        control = self._engine.ledger.control
        row = control.cancel(row.id, timestamp(), is_alive)
        return recorded_flow_run(self._engine, row)

    def resume_flow_run(
        self, flow_run_id: UUID | str, run_input: Any = None
    ) -> OrchestrationResult:
        """Have a paused flow run go on in the process in which it waits.

        One that no process waits for is rejected: ``caudal.resume_flow_run`` takes it up.

        Raises:
            RunInputError: The input does not fit; the run waits on.
            FlowPauseTimeout: It is too late.
            FlowRunNotResumableError: It completed, or a live process works on it.
        """
        from caudal.answers import answer  # noqa: PLC0415 - needs all that runs flows

        row = find_flow_run(self._engine, flow_run_id)
        goes_on = answer(row, run_input)
        reason = None if goes_on else "no process waits for it; caudal.resume_flow_run takes it up"  # fmt: skip
        return self._result(row.id, reason)

    def set_flow_run_state(
        self,
        flow_run_id: UUID | str,
        state: State[Any],
        force: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> OrchestrationResult:
        """Ask a flow run to be in a state: ``Cancelling`` or ``Cancelled``, ``Suspended``, or ``Running`` when it is paused.

        Every other wish is rejected: what a run's code did is for its process to say.

        Args:
            flow_run_id: The run.
            state: The state.
            force: Changes nothing: what is rejected is rejected with it, too, and the reason says so.

        Raises:
            ObjectNotFound: There is no such run.
        """
        row = find_flow_run(self._engine, flow_run_id)
        control, now = self._engine.ledger.control, timestamp()
        reason: str | None = None
        try:
            if state.is_cancelling() or state.is_cancelled():
                control.cancel(row.id, now, is_alive, state.message)
            elif state.is_paused() and row.parent_flow_run_id is None:
                pause = {"key": state.id.hex, "name": SUSPENDED, "until": None}
                control.suspend(row.id, now, is_alive, {"pause": pause})
            elif state.is_running() or state.name == "Resuming":
                return self.resume_flow_run(UUID(bytes=row.id))
            else:
                reason = f"a flow run cannot be set {state.name} from outside"
        except (FlowRunNotCancellableError, FlowRunNotPausableError) as error:
            reason = str(error)
        if reason is not None and force:
            reason = f"{reason} (not with force either)"
        return self._result(row.id, reason)

    def set_flow_run_name(self, flow_run_id: UUID | str, name: str) -> FlowRun:
        """Give a flow run another name, and return it as it is then.

        Raises:
            ObjectNotFound: There is no such run.
            AmbiguousNameError: There are several.
        """
        return self.update_flow_run(flow_run_id, name=name)

    def update_flow_run(
        self,
        flow_run_id: UUID | str,
        flow_version: str | None = None,
        parameters: dict[str, Any] | None = None,
        name: str | None = None,
        tags: Iterable[str] | None = None,
    ) -> FlowRun:
        """Change what is on record of a flow run, and return it as it is then; None leaves a field as it is.

        Args:
            flow_run_id: The run.
            flow_version: Version of the flow.
            parameters: What the flow is called with when the run is taken up next; all of them.
            name: The run's name.
            tags: The run's tags, instead of those it has.

        Raises:
            ObjectNotFound: There is no such run.
            AmbiguousNameError: There are several.
        """
        row = find_flow_run(self._engine, flow_run_id)
        details: dict[str, Any] = {}
        if flow_version is not None:
            details["version"] = flow_version
        change = FlowRunChange(name=name, details=details or None)
        if tags is not None:
            change.tags = sorted(set(tags))
        if parameters is not None:
            change.parameters, kept = _recorded(parameters)
            change.details = {**details, "parameters": kept}
        batch = Batch()
        batch.writes.append(FlowWrite(row.id, change))
        self._engine.ledger.commit(batch)
        return self._flow_run(row.id)

    def create_flow_run(
        self,
        flow: Flow[..., Any],
        name: str | None = None,
        parameters: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> FlowRun:
        """Record a flow run that is to be carried out later, ``Scheduled``, and return it; ``caudal.resume_flow_run`` carries it out.

        Args:
            flow: The flow.
            name: The run's name; one is drawn by default.
            parameters: What the flow is called with.
            tags: Tags of the run.

        Raises:
            ParameterBindError: The flow cannot be called so.
        """
        spec, now = flow.spec, timestamp()
        given = spec.bind((), parameters or {})
        shown, kept = _recorded(given)
        details: dict[str, Any] = {
            "entrypoint": spec.entrypoint,
            "version": spec.version,
            "parameters": kept,
        }
        run_id = new_id(now, os.urandom(8))
        change = FlowRunChange(
            moves=[Move("SCHEDULED", "Scheduled", now)],
            name=name or random_name(self._engine.random),
            flow_name=spec.name,
            created_at=now,
            parameters=shown,
            tags=sorted({*tags, *spec.tags}),
            attempt=0,
            details={key: value for key, value in details.items() if value is not None},
        )
        batch = Batch()
        batch.writes.append(FlowWrite(run_id, change))
        self._engine.ledger.commit(batch)
        return self._flow_run(run_id)

    def create_flow_run_input(
        self, flow_run_id: UUID | str, key: str, value: str, sender: str | None = None
    ) -> None:
        """Give a flow run an input.

        Args:
            flow_run_id: The run.
            key: Name of the input; it replaces one of the same.
            value: A JSON object.
            sender: Who gives it.
        """
        row = find_flow_run(self._engine, flow_run_id)
        change = RunInputChange(key, json.loads(value), sender)
        self._engine.ledger.inputs.put(row.id, change, timestamp())

    def read_flow_run_input(self, flow_run_id: UUID | str, key: str) -> str:
        """Return an input of a flow run, as JSON.

        Raises:
            ObjectNotFound: It has none of that name.
        """
        run = find_flow_run(self._engine, flow_run_id)
        row = self._engine.ledger.inputs.get(run.id, key)
        if row is None:
            raise ObjectNotFound("flow run input", key)
        return json.dumps(row.value)

    def filter_flow_run_input(
        self,
        flow_run_id: UUID | str,
        key_prefix: str,
        limit: int,
        exclude_keys: Collection[str] = (),
    ) -> list[FlowRunInput]:
        """Return inputs of a flow run whose name starts so, in the order in which they were given."""
        found: list[RunInputRow] = []
        since = 0
        run = find_flow_run(self._engine, flow_run_id)
        inputs = self._engine.ledger.inputs
        while len(found) < limit:
            page = inputs.find(run.id, key_prefix, since=since)
            if not page:
                break
            since = page[-1].seq
            found += [row for row in page if row.key not in exclude_keys]
        return [
            FlowRunInput(UUID(bytes=run.id), row.key, json.dumps(row.value), row.sender)
            for row in found[:limit]
        ]

    def delete_flow_run_input(self, flow_run_id: UUID | str, key: str) -> None:
        """Take an input away from a flow run.

        Raises:
            ObjectNotFound: It has none of that name.
        """
        run = find_flow_run(self._engine, flow_run_id)
        inputs = self._engine.ledger.inputs
        if inputs.get(run.id, key) is None:
            raise ObjectNotFound("flow run input", key)
        inputs.put(run.id, RunInputChange(key), timestamp())

    def _result(self, flow_run_id: bytes, reason: str | None) -> OrchestrationResult:
        status = SetStateStatus.ACCEPT if reason is None else SetStateStatus.REJECT
        return OrchestrationResult(self._flow_run(flow_run_id).state, status, reason)

    def _flow_run(self, flow_run_id: bytes) -> FlowRun:
        row = find_flow_run(self._engine, UUID(bytes=flow_run_id))
        return recorded_flow_run(self._engine, row)


def _recorded(given: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return parameters as the record shows them, and how it calls that: ``shown`` where it cannot give them back."""
    shown = {key: jsonable(value) for key, value in given.items()}
    is_whole = all(is_exact(value) for value in given.values()) and shown == given
    return shown, None if is_whole else "shown"
