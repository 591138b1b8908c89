"""What the code of a flow or task may ask about the run it is part of.

``runtime.flow_run.id``, ``runtime.task_run.name`` and so on; every name is None, 0 or empty outside of a run.

To try code outside of a run, an environment variable says what a name is to answer: ``CAUDAL__RUNTIME__FLOW_RUN__NAME=nightly``. Those
that are texts, numbers, times or None outside of a run can be set so.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.context import current, current_flow
from caudal.exceptions import SettingError
from caudal.model.ids import format_id
from caudal.model.views import utc

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask

__all__ = ["deployment", "flow_run", "task_run"]


class _Subject:
    """Answers with what the environment says where it says anything, so that code can be tried outside of runs."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name.startswith("_"):
            return value
        subject = _SUBJECTS[type(self)]
        variable = f"CAUDAL__RUNTIME__{subject}__{name.upper()}"
        given = os.environ.get(variable)
        return value if given is None else _converted(variable, given, value)


class _FlowRun(_Subject):
    """The flow run whose code, or whose task's code, asks."""

    @property
    def id(self) -> str | None:
        """Id of the flow run."""
        scope = self._scope
        return None if scope is None or scope.id is None else format_id(scope.id)

    @property
    def name(self) -> str | None:
        """Name of the flow run."""
        return None if self._scope is None else self._scope.name

    @property
    def flow_name(self) -> str | None:
        """Name of the flow."""
        spec = None if self._scope is None else self._scope.spec
        return None if spec is None else spec.name

    @property
    def flow_version(self) -> str | None:
        """Version of the flow."""
        spec = None if self._scope is None else self._scope.spec
        return None if spec is None else spec.version

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the flow run; empty outside of one."""
        return {} if self._scope is None else dict(self._scope.parameters)

    @property
    def tags(self) -> list[str]:
        """Tags of the flow run."""
        return [] if self._scope is None else sorted(self._scope.tags)

    @property
    def run_count(self) -> int:
        """How often the flow's code was started in this run; 0 outside of one."""
        return 0 if self._scope is None else self._scope.run_count

    @property
    def parent_flow_run_id(self) -> str | None:
        """Id of the flow run that called this one."""
        parent = None if self._scope is None else self._scope.parent
        given = None if parent is None else parent.scope.id
        return None if given is None else format_id(given)

    @property
    def root_flow_run_id(self) -> str | None:
        """Id of the outermost flow run: this one, unless another called it."""
        scope: Any = self._scope
        while scope is not None and scope.parent is not None:
            above = scope.parent.scope
            if above.id is None:
                break
            scope = above
        return None if scope is None else format_id(scope.id)

    @property
    def scheduled_start_time(self) -> datetime | None:
        """When the flow run was to start: when it was called, as long as nothing schedules it."""
        return None if self._scope is None else utc(self._scope.created_at)

    @property
    def parent_deployment_id(self) -> str | None:
        """Id of the calling flow run's deployment; None without one."""
        return None

    @property
    def job_variables(self) -> dict[str, Any] | None:
        """Variables of the deployment's job; None without a deployment."""
        return None

    @property
    def api_url(self) -> str | None:
        """Address of the flow run in an API; None without a server."""
        return None

    @property
    def ui_url(self) -> str | None:
        """Address of the flow run in a browser; None without a server."""
        return None

    @property
    def _scope(self) -> FlowScope | None:
        scope = current_flow()
        return None if scope is None or scope.id is None else cast("FlowScope", scope)


class _TaskRun(_Subject):
    """The task run whose code asks."""

    @property
    def id(self) -> str | None:
        """Id of the task run."""
        return None if self._run is None else format_id(self._run.id)

    @property
    def name(self) -> str | None:
        """Name of the task run."""
        return None if self._run is None else self._run.name

    @property
    def task_name(self) -> str | None:
        """Name of the task."""
        return None if self._run is None else self._run.spec.name

    @property
    def tags(self) -> list[str]:
        """Tags of the task and its flow run, and those added around the call."""
        run = self._run
        return [] if run is None else sorted(run.spec.tags | run.inherited_tags)

    @property
    def run_count(self) -> int:
        """Number of the attempt, from 1; 0 outside of a task run."""
        return 0 if self._run is None else self._run.run_count

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments of the call by name; empty outside of a task run."""
        run = self._run
        return {} if run is None else run.spec.inputs(run.args, run.kwargs)

    @property
    def api_url(self) -> str | None:
        """Address of the task run in an API; None without a server."""
        return None

    @property
    def ui_url(self) -> str | None:
        """Address of the task run in a browser; None without a server."""
        return None

    @property
    def _run(self) -> LiveTask | None:
        run = current.get()
        return None if run is None or run is run.scope else cast("LiveTask", run)


class _Deployment(_Subject):
    """The deployment that the flow run is one of; there is none as long as flows are called directly."""

    @property
    def id(self) -> str | None:
        """Id of the deployment."""
        return None

    @property
    def name(self) -> str | None:
        """Name of the deployment."""
        return None

    @property
    def version(self) -> str | None:
        """Version of the deployment."""
        return None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that the deployment gives."""
        return {}

    @property
    def flow_run_id(self) -> str | None:
        """Id of the flow run whose code asks."""
        return flow_run.id


_SUBJECTS: dict[type[_Subject], str] = {
    _FlowRun: "FLOW_RUN",
    _TaskRun: "TASK_RUN",
    _Deployment: "DEPLOYMENT",
}


def _converted(variable: str, given: str, value: Any) -> Any:
    """Return what a variable says, as a value like the one that it replaces."""
    try:
        match value:
            case None | str():
                return given
            case int() | float():
                return type(value)(given)
            case datetime():
                return datetime.fromisoformat(given)
            case _:
                expected = f"nothing: it stands for a {type(value).__name__}, which a variable cannot say"
    except ValueError:
        expected = f"a {type(value).__name__}"
    raise SettingError(variable, given, "the environment", expected)


#: The flow run whose code, or whose task's code, asks.
flow_run: _FlowRun = _FlowRun()
#: The task run whose code asks.
task_run: _TaskRun = _TaskRun()
#: The deployment that the flow run is one of.
deployment: _Deployment = _Deployment()

# So that they can be imported like modules, as in Prefect: ``import caudal.runtime.flow_run``, ``from caudal.runtime.task_run import id``.
for _name, _subject in {
    "flow_run": flow_run,
    "task_run": task_run,
    "deployment": deployment,
}.items():
    sys.modules[f"{__name__}.{_name}"] = cast("Any", _subject)
