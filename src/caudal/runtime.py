"""What the code of a flow or task may ask about the run it is part of.

``runtime.flow_run.id``, ``runtime.task_run.name`` and so on; every name is None outside of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from caudal.engine.context import current, current_flow
from caudal.model.ids import format_id

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask

__all__ = ["flow_run", "task_run"]


class _FlowRun:
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
    def _scope(self) -> FlowScope | None:
        scope = current_flow()
        return None if scope is None or scope.id is None else cast("FlowScope", scope)


class _TaskRun:
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
        """Tags of the task and its flow run."""
        run = self._run
        return [] if run is None else sorted(run.spec.tags | run.scope.tags)

    @property
    def run_count(self) -> int:
        """Number of the attempt, from 1; 0 outside of a task run."""
        return 0 if self._run is None else self._run.run_count

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments of the call by name; empty outside of a task run."""
        run = self._run
        return {} if run is None else run.spec.bind(run.args, run.kwargs)

    @property
    def _run(self) -> LiveTask | None:
        run = current.get()
        return None if run is None or run is run.scope else cast("LiveTask", run)


flow_run: _FlowRun = _FlowRun()
task_run: _TaskRun = _TaskRun()
