"""Filters: which runs and log lines a list shows.

A filter has a field for each property of a run, and each of those says what the property has to be: ``any_`` of some values, ``like_`` a text, ``before_`` and
``after_`` a time. Fields that are not given do not restrict; ``operator`` says whether all of those given have to hold, or one. Where a filter is
expected a mapping will do: ``FlowRunFilter(state={"type": {"any_": ["FAILED"]}})``.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from caudal.model.search import Condition, Related, Relation, Where
from caudal.model.states import StateType

#: What the fields of a filter ask.
_TESTS = {
    "all_": Relation.HAS_ALL,
    "any_": Relation.IN,
    "not_any_": Relation.NOT_IN,
    "like_": Relation.CONTAINS,
    "before_": Relation.AT_MOST,
    "after_": Relation.AT_LEAST,
    "ge_": Relation.AT_LEAST,
    "le_": Relation.AT_MOST,
    "is_null_": Relation.IS_NULL,
    "query": Relation.CONTAINS,
}
#: Seconds: the ledger's times are finer than the microseconds of a datetime, and a run is not to be before its own start.
_SLACK = {"before_": 1e-6, "after_": -1e-6}


class Operator(StrEnum):
    """How the parts of a filter go together."""

    and_ = "and_"
    or_ = "or_"


class _Filter(BaseModel):
    """What all filters share."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def asked(self, field: str) -> Where:
        """Return the conditions on a field of the ledger."""
        given = [
            (name, value)
            for name in type(self).model_fields
            if name in _TESTS and (value := getattr(self, name)) is not None
        ]
        parts = tuple(
            Condition(field, self._test(name), _plain(value, _SLACK.get(name, 0)))
            for name, value in given
        )
        return Where(parts, is_or=_is_or(self))

    def _test(self, name: str) -> Relation:
        return _TESTS[name]


class _Id(_Filter):
    any_: list[UUID] | None = None
    not_any_: list[UUID] | None = None


class _OptionalId(_Filter):
    operator: Operator = Operator.and_
    any_: list[UUID] | None = None
    is_null_: bool | None = None


class _Name(_Filter):
    any_: list[str] | None = None
    like_: str | None = None


class _Tags(_Filter):
    operator: Operator = Operator.and_
    all_: list[str] | None = None
    any_: list[str] | None = None
    is_null_: bool | None = None

    def _test(self, name: str) -> Relation:
        return Relation.HAS_ANY if name == "any_" else _TESTS[name]


class _StateType(_Filter):
    any_: list[StateType] | None = None
    not_any_: list[StateType] | None = None


class _StateName(_Filter):
    any_: list[str] | None = None
    not_any_: list[str] | None = None


class _Time(_Filter):
    before_: AwareDatetime | None = None
    after_: AwareDatetime | None = None
    is_null_: bool | None = None


class FlowRunFilterId(_Id):
    """By id."""


class FlowRunFilterName(_Name):
    """By name of the run."""


class FlowRunFilterTags(_Tags):
    """By tags: all of some, any of some, or none."""


class FlowRunFilterStateType(_StateType):
    """By kind of state."""


class FlowRunFilterStateName(_StateName):
    """By name of the state."""


class FlowRunFilterState(_Filter):
    """By state."""

    operator: Operator = Operator.and_
    type: FlowRunFilterStateType | None = None
    name: FlowRunFilterStateName | None = None


class FlowRunFilterFlowVersion(_Filter):
    """By version of the flow."""

    any_: list[str] | None = None


class FlowRunFilterStartTime(_Time):
    """By start."""


class FlowRunFilterEndTime(_Time):
    """By end."""


class FlowRunFilterExpectedStartTime(_Time):
    """By the time at which the run was made."""


class FlowRunFilterParentFlowRunId(_OptionalId):
    """By the flow run whose code called it."""


class FlowRunFilterParentTaskRunId(_OptionalId):
    """By the task run whose code called it."""


class FlowRunFilter(_Filter):
    """Which flow runs."""

    operator: Operator = Operator.and_
    id: FlowRunFilterId | None = None
    name: FlowRunFilterName | None = None
    tags: FlowRunFilterTags | None = None
    state: FlowRunFilterState | None = None
    flow_version: FlowRunFilterFlowVersion | None = None
    start_time: FlowRunFilterStartTime | None = None
    end_time: FlowRunFilterEndTime | None = None
    expected_start_time: FlowRunFilterExpectedStartTime | None = None
    parent_flow_run_id: FlowRunFilterParentFlowRunId | None = None
    parent_task_run_id: FlowRunFilterParentTaskRunId | None = None

    def where(self) -> Where:
        """Return the conditions on flow runs."""
        return _where(self)


class TaskRunFilterId(_Id):
    """By id."""


class TaskRunFilterName(_Name):
    """By name of the run."""


class TaskRunFilterTags(_Tags):
    """By tags: all of some, any of some, or none."""


class TaskRunFilterStateType(_StateType):
    """By kind of state."""


class TaskRunFilterStateName(_StateName):
    """By name of the state."""


class TaskRunFilterState(_Filter):
    """By state."""

    operator: Operator = Operator.and_
    type: TaskRunFilterStateType | None = None
    name: TaskRunFilterStateName | None = None


class TaskRunFilterStartTime(_Time):
    """By start."""


class TaskRunFilterEndTime(_Time):
    """By end."""


class TaskRunFilterFlowRunId(_OptionalId):
    """By flow run; ``is_null_`` are task runs outside flows."""


class TaskRunFilter(_Filter):
    """Which task runs."""

    operator: Operator = Operator.and_
    id: TaskRunFilterId | None = None
    name: TaskRunFilterName | None = None
    tags: TaskRunFilterTags | None = None
    state: TaskRunFilterState | None = None
    start_time: TaskRunFilterStartTime | None = None
    end_time: TaskRunFilterEndTime | None = None
    flow_run_id: TaskRunFilterFlowRunId | None = None

    def where(self) -> Where:
        """Return the conditions on task runs."""
        return _where(self)


class FlowFilterName(_Name):
    """By name of the flow."""


class FlowFilter(_Filter):
    """Runs of which flows."""

    operator: Operator = Operator.and_
    name: FlowFilterName | None = None

    def where(self) -> Where:
        """Return the conditions on flow runs."""
        return Where() if self.name is None else self.name.asked("flow_name")


class LogFilterLevel(_Filter):
    """By level, as the standard library numbers it."""

    ge_: int | None = None
    le_: int | None = None


class LogFilterTimestamp(_Filter):
    """By time."""

    before_: AwareDatetime | None = None
    after_: AwareDatetime | None = None


class LogFilterFlowRunId(_Filter):
    """By flow run; lines of its task runs are among them."""

    any_: list[UUID] | None = None


class LogFilterTaskRunId(_OptionalId):
    """By task run."""


class LogFilterTextSearch(_Filter):
    """By a text in the message."""

    query: str


class LogFilter(_Filter):
    """Which log lines."""

    operator: Operator = Operator.and_
    level: LogFilterLevel | None = None
    timestamp: LogFilterTimestamp | None = None
    flow_run_id: LogFilterFlowRunId | None = None
    task_run_id: LogFilterTaskRunId | None = None
    text: LogFilterTextSearch | None = None

    def where(self) -> Where:
        """Return the conditions on log lines."""
        return _where(self)


#: Fields of the ledger whose names are not those of the filters.
_LEDGER_FIELDS = {
    "start_time": "started_at",
    "end_time": "ended_at",
    "expected_start_time": "created_at",
    "type": "state_type",
    "timestamp": "at",
    "text": "message",
}


def flow_runs_where(
    flow_filter: FlowFilter | None,
    flow_run_filter: FlowRunFilter | None,
    task_run_filter: TaskRunFilter | None,
) -> Where:
    """Return the conditions on flow runs that fit filters of flows, of flow runs and of one of their task runs."""
    parts: list[Where | Related] = []
    if flow_filter is not None:
        parts.append(flow_filter.where())
    if flow_run_filter is not None:
        parts.append(flow_run_filter.where())
    if task_run_filter is not None:
        task_runs = task_run_filter.where()
        parts.append(Related("id", "task_run", "flow_run_id", task_runs))
    return Where(tuple(parts))


def task_runs_where(
    flow_filter: FlowFilter | None,
    flow_run_filter: FlowRunFilter | None,
    task_run_filter: TaskRunFilter | None,
) -> Where:
    """Return the conditions on task runs that fit filters of flows, of flow runs and of task runs."""
    parts: list[Where | Related] = []
    if flow_filter is not None or flow_run_filter is not None:
        flow_runs = flow_runs_where(flow_filter, flow_run_filter, None)
        parts.append(Related("flow_run_id", "flow_run", "id", flow_runs))
    if task_run_filter is not None:
        parts.append(task_run_filter.where())
    return Where(tuple(parts))


def _where(given: _Filter, *, within: str = "") -> Where:
    parts: list[Where] = []
    for name in type(given).model_fields:
        part = getattr(given, name)
        if not isinstance(part, _Filter):
            continue
        if name == "state":
            parts.append(_where(part, within="state_"))
            continue
        field = _LEDGER_FIELDS.get(name, f"{within}{name}")
        parts.append(part.asked(field))
    return Where(tuple(parts), is_or=_is_or(given))


def _is_or(given: _Filter) -> bool:
    return getattr(given, "operator", Operator.and_) is Operator.or_


def _plain(value: Any, slack: float = 0) -> Any:
    """Return a filter's value as the ledger keeps it, a time so many seconds later."""
    if isinstance(value, list):
        return tuple(_plain(each) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        return value.timestamp() + slack
    return value.value if isinstance(value, Enum) else value
