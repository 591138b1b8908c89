"""What surrounds the code of a run: the run itself, and the tags that it passes on."""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast

from caudal.engine.context import added_tags, current
from caudal.exceptions import MissingContextError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask
    from caudal.flows import Flow
    from caudal.model.views import FlowRun, TaskRun
    from caudal.settings import Settings
    from caudal.task_runners import TaskRunner
    from caudal.tasks import Task

__all__ = [
    "FlowRunContext",
    "TagsContext",
    "TaskRunContext",
    "get_run_context",
    "hydrated_context",
    "serialize_context",
    "tags",
    "with_context",
]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class FlowRunContext:
    """The flow run that code is part of."""

    #: None where another process runs the flow's own code, and the flow cannot be pickled.
    flow: Flow[..., Any] | None
    flow_run: FlowRun
    parameters: dict[str, Any]
    start_time: datetime
    #: None stands for threads of this process.
    task_runner: TaskRunner | None
    persist_result: bool
    log_prints: bool

    @classmethod
    def get(cls) -> Self | None:
        """Return the context of the flow run whose code, or whose task's code, asks; None outside of flow runs."""
        from caudal.engine.snapshots import flow_view  # noqa: PLC0415 - with the engine

        run = current.get()
        if run is None or run.scope.id is None:
            return None
        scope = cast("FlowScope", run.scope)
        spec, view = scope.spec, flow_view(scope)
        flow = spec.decorated if spec else None
        if scope.is_part:
            from caudal.engine.remote import flow_of  # noqa: PLC0415 - in worker processes alone

            flow = flow_of(scope)
        return cls(
            flow=flow,
            flow_run=view,
            parameters=scope.parameters,
            start_time=view.start_time or view.created,
            task_runner=getattr(spec, "runner", None),
            persist_result=scope.persist,
            log_prints=scope.log_prints,
        )


@dataclass(frozen=True, slots=True)
class TaskRunContext:
    """The task run that code is part of."""

    task: Task[..., Any]
    task_run: TaskRun
    parameters: dict[str, Any]
    start_time: datetime
    persist_result: bool
    log_prints: bool

    @classmethod
    def get(cls) -> Self | None:
        """Return the context of the task run whose code asks; None where that is no task's code."""
        from caudal.engine.logs import wants_prints  # noqa: PLC0415 - with the engine
        from caudal.engine.snapshots import task_view  # noqa: PLC0415

        found = current.get()
        if found is None or found is found.scope:
            return None
        run = cast("LiveTask", found)
        persists = run.spec.persist
        view = task_view(run)
        return cls(
            task=run.spec.decorated,
            task_run=view,
            parameters=run.spec.inputs(run.args, run.kwargs),
            start_time=view.start_time or view.created,
            persist_result=run.scope.persist if persists is None else persists,
            log_prints=wants_prints(run),
        )


def get_run_context() -> FlowRunContext | TaskRunContext:
    """Return the context of the run whose code asks.

    Raises:
        MissingContextError: There is no run here.
    """
    context = TaskRunContext.get() or FlowRunContext.get()
    if context is None:
        raise MissingContextError("get_run_context()")
    return context


@dataclass(frozen=True, slots=True)
class TagsContext:
    """The tags that ``with tags(...)`` adds here."""

    current_tags: set[str]

    @classmethod
    def get(cls) -> Self:
        """Return the context; outside of any ``with tags(...)`` it has no tags."""
        return cls(set(added_tags.get()))


@contextmanager
def tags(*new_tags: str) -> Generator[set[str]]:
    """Add tags to all flow and task runs that are made within a ``with`` block.

    Args:
        new_tags: The tags, beside those of enclosing blocks.
    """
    joined = added_tags.get() | frozenset(new_tags)
    token = added_tags.set(joined)
    try:
        yield set(joined)
    finally:
        added_tags.reset(token)


def serialize_context() -> dict[str, Any]:
    """Return the context as something that can be pickled, for code in another process; see `hydrated_context`."""
    from caudal.runners.about import about_run  # noqa: PLC0415 - needs cloudpickle
    from caudal.runners.pickling import dumps  # noqa: PLC0415

    run: Any = current.get()
    context: dict[str, Any] = {"tags": sorted(added_tags.get())}
    if run is not None:
        is_flow = run is run.scope
        context["run"] = about_run(run)
        context["task"] = None if is_flow else dumps(run.spec.decorated)
    return context


@contextmanager
def hydrated_context(
    serialized_context: dict[str, Any] | None = None,
) -> Generator[None]:
    """Put code into the context that `serialize_context` returned, in this or in another process.

    What it logs, and the tasks that it calls, belong to the run; the run's own state stays with the process that executes it. What they
    recorded is durable when the block ends.

    Args:
        serialized_context: What was returned there; None does nothing.
    """
    context = serialized_context or {}
    about = context.get("run")
    with tags(*context.get("tags", ())):
        if about is None:
            yield
            return
        from caudal.engine.composition import current_engine  # noqa: PLC0415 - with the engine
        from caudal.engine.logs import capture_prints, install  # noqa: PLC0415
        from caudal.engine.remote import RemoteTask, take_part  # noqa: PLC0415
        from caudal.settings.current import in_force  # noqa: PLC0415

        engine = current_engine()
        install(engine.settings.logging_level, engine.settings.logging_format)
        capture_prints()
        packed = context["task"]
        run: Any = (
            take_part(engine, about)
            if packed is None
            else RemoteTask(pickle.loads(packed).spec, about)  # noqa: S301 - what this program pickled
        )
        block: Settings | None = about["settings"]
        if block is not None:  # the engine here is this process's own
            block = block.with_engine_of(engine.settings)
        token = current.set(run)
        try:
            with in_force(block):
                yield
        finally:
            current.reset(token)
            engine.journal.barrier().wait()


class _WithContext(Generic[P, R]):
    """A function that is called in the context in which it was made; it can be pickled."""

    def __init__(self, fn: Callable[P, R]) -> None:
        self._fn, self._context = fn, serialize_context()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with hydrated_context(self._context):
            return self._fn(*args, **kwargs)


def with_context(fn: Callable[P, R]) -> Callable[P, R]:
    """Return a function that is called in today's context, in whatever thread or process that will be.

    It is for pools that a task makes itself: ``ProcessPoolExecutor().map(with_context(work), items)``.

    Args:
        fn: A function that can be pickled, where it goes to another process.
    """
    return _WithContext(fn)
