"""Takes a flow run up again where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.client import get_client
from caudal.engine.composition import current_engine
from caudal.engine.flow_calls import resume_flow_run as make_resumed
from caudal.engine.parameters import recorded_parameters
from caudal.exceptions import FlowRunNotResumableError
from caudal.running import run_scope

if TYPE_CHECKING:
    from uuid import UUID

    from caudal.flows import Flow


def resume_flow_run(
    flow: Flow[..., Any],
    given: UUID | str,
    parameters: dict[str, Any] | None = None,
    *,
    force: bool = False,
) -> Any:
    """Run a flow again as a new attempt at an earlier run, and return its last state.

    Task runs of the earlier attempt whose results were stored (``persist_result=True``) return them; the
    rest run again. A coroutine function's flow returns an awaitable.

    Args:
        flow: The flow, as it is in today's code.
        given: The flow run: its id, the start of its id, or its name.
        parameters: Parameters to use instead of the recorded ones.
        force: Go on with a durable run that was given up, because its process was lost too often.

    Raises:
        ObjectNotFound: There is no such run.
        FlowRunNotResumableError: It completed, a live process works on it, it was given up, or it is a run of another flow.
        ParameterBindError: The flow cannot be called with the parameters.
    """
    engine = current_engine()
    row = get_client(sync_client=True).find_flow_run(given)
    if row.flow_name != flow.name:
        raise FlowRunNotResumableError(
            row.name,
            f"it is a run of flow {row.flow_name!r}, and the flow given is {flow.name!r}. Name the right flow.",
        )
    used = recorded_parameters(engine, row) if parameters is None else parameters
    bound = flow.spec.bind(
        (), used
    )  # before the claim: what does not fit leaves the run alone
    again = force and row.state_type != "COMPLETED"
    claimed = engine.claim(row.id, again=again)
    scope = make_resumed(flow.spec, claimed, bound, engine)
    return run_scope(flow.spec, scope, return_state=True)
