"""Runs as the ledger has them, with their results and what made them fail, which are read when somebody asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from caudal.engine.composition import current_engine
from caudal.exceptions import CaudalError, RemoteError, UpstreamTaskError
from caudal.model.state_json import MISSING
from caudal.model.views import flow_run_view, task_run_view

if TYPE_CHECKING:
    from caudal.engine.parts import Parts
    from caudal.engine.results import Results
    from caudal.model.runs import FlowRunRow, TaskRunRow
    from caudal.model.views import FlowRun, TaskRun


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """The result of a run on record."""

    results: Results
    #: Under which it is stored.
    key: str

    is_stored: ClassVar[bool] = True

    def get(self) -> Any:
        """Return the result; see ``Results.load_recorded``."""
        return self.results.load_recorded(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        return _here, (RecordedResult, self.key)


@dataclass(frozen=True, slots=True)
class RecordedError:
    """What made a run on record fail."""

    results: Results
    #: Under which the exception is stored; None where it was not kept.
    key: str | None
    #: Its type, its message and its traceback; None where the run says no more than its message.
    text: tuple[str, str, str] | None

    is_stored: ClassVar[bool] = True

    def get(self) -> BaseException | None:
        """Return the exception, or its text where it was not kept or cannot be had again."""
        if self.key is not None:
            try:
                return self.results.load_recorded(self.key)
            except CaudalError:  # it is damaged, or its class is not here
                pass
        return None if self.text is None else RemoteError(*self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return _here, (RecordedError, self.key, self.text)


def _here(kind: Any, *fields: Any) -> Any:
    """Return what a run left as this process reads it."""
    return kind(current_engine().results, *fields)


def recorded_flow_run(parts: Parts, row: FlowRunRow) -> FlowRun:
    """Return a flow run's row as users see it, its result and exception within reach."""
    return flow_run_view(row, _left_by(parts.results, row))


def recorded_task_run(parts: Parts, row: TaskRunRow) -> TaskRun:
    """Return a task run's row as users see it; see `recorded_flow_run`."""
    return task_run_view(row, _left_by(parts.results, row))


def _left_by(results: Results, row: FlowRunRow | TaskRunRow) -> Any:
    """Return the data of the state that a run is in."""
    details: dict[str, Any] = row.details or {}
    if row.state_type == "COMPLETED":
        key = details.get("result_key")
        return MISSING if key is None else RecordedResult(results, key)
    if row.state_type == "FAILED":
        return RecordedError(results, details.get("error_key"), _text(details))
    if row.state_name == "NotReady":
        return UpstreamTaskError(*details.get("not_completed", ("?", "?")))
    return None


def _text(details: dict[str, Any]) -> tuple[str, str, str] | None:
    error: dict[str, str] | None = details.get("error")
    if error is None:
        return None
    return error["type"], error["message"], error.get("traceback", "")
