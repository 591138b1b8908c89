"""A task run as a worker process knows it: enough for the user's code, and for tasks and flows that this code calls."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from caudal.engine import composition
from caudal.engine.flow_scope import FlowScope
from caudal.model.runs import Fence
from caudal.model.specs import FlowSpec

if TYPE_CHECKING:
    from caudal.engine.engine import Engine
    from caudal.engine.journal import Journal
    from caudal.model.specs import TaskSpec


class RemoteTask:
    """The run in charge while a worker process executes a task.

    Args:
        spec: The task.
        about: What the parent process says about the run: ids, names, parameters, fence.
    """

    place: None
    parent: None

    def __init__(self, spec: TaskSpec, about: dict[str, Any]) -> None:
        self.spec = spec
        self.about = about
        self.id: bytes = about["task_run_id"]
        self.name: str = about["name"]
        self.path: str = about["path"]
        self.run_count: int = about["run_count"]
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.counters: dict[str, count[int]] = {}
        #: A worker's tasks hold no place here; see ``engine.waiting``.
        self.place = self.parent = None
        self._scope: FlowScope | None = None

    @property
    def scope(self) -> FlowScope:
        """The flow run, as far as this process takes part in it; made when it is asked for."""
        if self._scope is None:
            self._scope = _take_part(composition.current_engine(), self.about)
        return self._scope

    @property
    def journal(self) -> Journal:
        """Where runs that the task's code makes are recorded."""
        return self.scope.journal

    def next_index(self, key: str) -> int:
        """Return how many calls of a task this run's code made before."""
        return next(self.counters.setdefault(key, count()))


def _elsewhere() -> None:
    """Stand for the flow's function, which runs in the parent process."""


def _take_part(engine: Engine, about: dict[str, Any]) -> FlowScope:
    spec = None
    if about["flow_name"] is not None:
        spec = FlowSpec(
            _elsewhere, None, name=about["flow_name"], version=about["flow_version"], serializer=None, durable=False
        )  # fmt: skip
    scope = FlowScope(
        engine,
        spec,
        about["flow_run_id"],
        about["flow_run_name"],
        parameters=about["parameters"],
        fence=Fence(*about["fence"]),
        parent=None,
        runner=engine.local,
    )
    scope.tags = about["tags"]
    scope.persist, scope.log_prints = about["persist"], about["log_prints"]
    scope.storage = about["storage"]
    return scope
