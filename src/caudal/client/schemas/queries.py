"""What lists of runs can be asked for; every field may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from uuid import UUID

    from caudal.client.schemas.filters import FlowFilter, FlowRunFilter, TaskRunFilter
    from caudal.client.schemas.sorting import FlowRunSort, TaskRunSort


class Filters(TypedDict, total=False):
    """Which runs; see ``caudal.client.schemas.filters``."""

    #: Runs of such flows.
    flow_filter: FlowFilter | None
    #: Such flow runs, or task runs in such flow runs.
    flow_run_filter: FlowRunFilter | None
    #: Such task runs, or flow runs with such a task run.
    task_run_filter: TaskRunFilter | None


class FlowRunQuery(Filters, total=False):
    """What a list of flow runs shows."""

    #: The order; newest first by default.
    sort: FlowRunSort | None
    #: The most runs to return, 100 by default; None is 10,000, which is the limit of limits.
    limit: int | None
    #: How many to pass over. Deep in a long list ``before`` is cheaper.
    offset: int
    #: Continue a list behind this run, in the same order.
    before: UUID | str | None
    #: Only runs of this flow; this and the next two say the usual without a filter.
    flow_name: str | None
    #: Only runs in these kinds of state.
    state_types: tuple[str, ...]
    #: Only runs in states of these names.
    state_names: tuple[str, ...]


class TaskRunQuery(Filters, total=False):
    """What a list of task runs shows."""

    #: The order; by default those of one flow run oldest first, others newest first.
    sort: TaskRunSort | None
    #: The most runs to return, 100 by default; None is 10,000, which is the limit of limits.
    limit: int | None
    #: How many to pass over. Deep in a long list ``after`` is cheaper.
    offset: int
    #: Continue a list behind this run, in the same order.
    after: UUID | str | None
    #: Only runs of this flow run; this and the next three say the usual without a filter.
    flow_run_id: UUID | str | None
    #: Only runs of this task.
    task_name: str | None
    #: Only runs in these kinds of state.
    state_types: tuple[str, ...]
    #: Only runs in states of these names.
    state_names: tuple[str, ...]
