"""Flows: functions whose calls are recorded as flow runs, and the tasks they call with them."""

from __future__ import annotations

import os
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    NoReturn,
    ParamSpec,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from caudal.decorated import Decorated, hook_lists, remember_local_names, running
from caudal.model.specs import FlowSpec
from caudal.option_attributes import FlowAttributes
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from caudal.filesystems import ResultStorage
    from caudal.futures import Future
    from caudal.states import State
    from caudal.task_runners import TaskRunner

    class FlowOptions(TypedDict, total=False):
        """Every option of `flow`, for checkers of types."""

        name: str | None
        version: str | None
        flow_run_name: str | Callable[..., str] | None
        retries: int | None
        retry_delay_seconds: float | None
        task_runner: TaskRunner | type[TaskRunner] | None
        description: str | None
        timeout_seconds: float | None
        validate_parameters: bool
        persist_result: bool | None
        result_storage: ResultStorage | None
        durable: bool
        result_serializer: Any
        cache_result_in_memory: bool
        log_prints: bool | None
        on_completion: Sequence[Callable[..., Any]] | None
        on_failure: Sequence[Callable[..., Any]] | None
        on_cancellation: Sequence[Callable[..., Any]] | None
        on_crashed: Sequence[Callable[..., Any]] | None
        on_running: Sequence[Callable[..., Any]] | None


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

#: What Prefect's flows offer for deployments.
_LATER = frozenset(
    {
        "serve",
        "deploy",
        "adeploy",
        "to_deployment",
        "ato_deployment",
        "from_source",
        "afrom_source",
    }
)
_HOOKS = ("completion", "failure", "cancellation", "crashed", "running")


_DEFAULTS: dict[str, Any] = {
    "name": None,
    "version": None,
    "flow_run_name": None,
    "retries": None,
    "retry_delay_seconds": None,
    "task_runner": None,
    "description": None,
    "timeout_seconds": None,
    "validate_parameters": True,
    "persist_result": None,
    "durable": False,
    "result_storage": None,
    "result_serializer": None,
    "cache_result_in_memory": True,
    "log_prints": None,
    "on_completion": None,
    "on_failure": None,
    "on_cancellation": None,
    "on_crashed": None,
    "on_running": None,
}


class Flow(FlowAttributes, Decorated[P, R_co, FlowSpec]):
    """A function whose calls are recorded as flow runs.

    Made by `flow`, which says what the arguments mean.
    """

    kind = "flow"
    defaults = _DEFAULTS

    if TYPE_CHECKING:

        def __init__(
            self, fn: Callable[P, R_co], **options: Unpack[FlowOptions]
        ) -> None: ...

    def with_options(self, **options: Unpack[FlowOptions]) -> Self:
        """Return the same with some options changed; see `flow` for their meaning. None keeps an option as it is."""
        return self.changed(cast("dict[str, Any]", options))

    def _default_name(self) -> str:
        return self.__name__.replace("_", "-")

    def _make_spec(self) -> FlowSpec:
        remember_local_names(self.fn)
        given = self.options
        runner = given["task_runner"]
        return FlowSpec(
            self.fn,
            self,
            name=self.name,
            description=self.description,
            version=given["version"],
            run_name=given["flow_run_name"],
            retry=self._retry_policy(None),
            retry_is_given=given["retries"] is not None,
            timeout=self._timeout(),
            persist=_persists(given),
            durable=bool(given["durable"]),
            serializer=given["result_serializer"],
            storage=given["result_storage"],
            log_prints=given["log_prints"],
            tags=frozenset(),
            hooks=hook_lists(given, _HOOKS),
            bind=self.binder.bind,
            unbind=self.binder.unbind,
            entrypoint=_entrypoint(self.fn),
            runner=runner() if isinstance(runner, type) else runner,
            validates=given["validate_parameters"],
            validator=None,
        )

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(
        self: Flow[..., Coroutine[Any, Any, T]],
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, State[T]]: ...
    @overload
    def __call__(
        self,
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        **kwargs: Any,
    ) -> State[R_co]: ...
    @overload
    def __call__(
        self,
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any,
        **kwargs: Any,
    ) -> R_co: ...
    @overload
    def __call__(self, first: Future[Any], /, *args: Any, **kwargs: Any) -> R_co: ...
    @overload
    def __call__(
        self, first: Any, second: Future[Any], /, *args: Any, **kwargs: Any
    ) -> R_co: ...
    def __call__(
        self,
        *args: Any,
        return_state: bool = False,
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Run the flow here and return its result; a coroutine function's flow returns an awaitable.

        When it returns, everything about the run is durable, as the setting ``durability`` has it.

        Args:
            args: Arguments of the function.
            return_state: Return the run's last state instead, and do not raise.
            wait_for: Futures whose runs have to complete first.
            kwargs: Keyword arguments of the function.

        Raises:
            ParameterBindError: The function cannot be called so.
            ParameterTypeError: A parameter does not fit its type hint; nothing was run.
            Exception: What the function raised in its last attempt.
        """
        return running().run_flow(
            self, args, kwargs, return_state=return_state, wait_for=wait_for
        )

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(
        self: Flow[Concatenate[Any, Q], R], instance: object, owner: Any = None
    ) -> Flow[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return the same bound to an instance, so that methods can be decorated."""
        return self.bound(instance, owner)

    async def agenerate_mermaid_graph(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the graph of the flow as a Mermaid flowchart; see `generate_mermaid_graph`."""
        return await in_thread(self.generate_mermaid_graph, *args, **kwargs)

    @dispatched(agenerate_mermaid_graph)
    def generate_mermaid_graph(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the graph of the flow as a Mermaid flowchart: which tasks it calls, and which get results of which.

        The flow's own code runs, without its tasks and child flows. Where it works with what a task returns, the task has to have
        an example: ``@task(viz_return_value=...)``. Nothing is recorded.

        Args:
            args: Arguments of the function.
            kwargs: Keyword arguments of the function.

        Raises:
            FlowVisualizationError: The code cannot go on without a task's result.
        """
        from caudal.graphs import flow_graph, mermaid  # noqa: PLC0415 - rarely asked for

        return mermaid(flow_graph(self.spec, args, kwargs))

    async def avisualize(self, *args: P.args, **kwargs: P.kwargs) -> Path:
        """Draw the graph of the flow; see `visualize`."""
        return await in_thread(self.visualize, *args, **kwargs)

    @dispatched(avisualize)
    def visualize(self, *args: P.args, **kwargs: P.kwargs) -> Path:
        """Draw the graph of the flow into a PNG file, named after the flow, and return its path.

        What is drawn is what `generate_mermaid_graph` returns as text.

        Args:
            args: Arguments of the function.
            kwargs: Keyword arguments of the function.

        Raises:
            FlowVisualizationError: The code cannot go on without a task's result.
            GraphvizExecutableNotFoundError: Graphviz is not installed.
        """
        from pathlib import Path  # noqa: PLC0415 - rarely asked for

        from caudal.graphs import draw, flow_graph  # noqa: PLC0415

        nodes = flow_graph(self.spec, args, kwargs)
        return draw(nodes, Path(f"{self.name.replace('/', '-')}.png"))

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters as JSON can hold them: models and other values as what they stand for, texts for what stays.

        Args:
            parameters: Parameters by name.
        """
        from caudal.model.jsonable import jsonable  # noqa: PLC0415 - with the engine

        return {name: jsonable(value) for name, value in parameters.items()}

    def __getattr__(self, name: str) -> NoReturn:
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in _LATER:
            msg = f"flow {self.name!r} cannot {name}(): deployments are not there yet. Call the flow, or `caudal run FILE:FLOW`."
        raise AttributeError(msg, name=name, obj=self)

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters coerced to the function's type hints, with the defaults of those that are missing.

        Raises:
            ParameterTypeError: A parameter does not fit, or a required one is missing.
            SignatureMismatchError: The function has no such parameter.
        """
        from caudal.engine.validation import validated  # noqa: PLC0415 - with the engine

        return validated(self.binder, self.fn, parameters)

    def on_cancellation(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(flow, flow_run, state)`` run when a run is cancelled."""
        return self._add_hook("cancellation", fn)

    def on_crashed(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(flow, flow_run, state)`` run when a run crashes."""
        return self._add_hook("crashed", fn)


def _persists(given: dict[str, Any]) -> bool | None:
    """Return whether results are stored: as asked, or because another option makes no sense without it."""
    if given["persist_result"] is not None:
        return bool(given["persist_result"])
    asked = given["result_storage"], given["result_serializer"]
    return True if any(option is not None for option in asked) else None


def _entrypoint(fn: Callable[..., Any]) -> str | None:
    """Return ``file:name`` of a function, or None when it has no file."""
    code = getattr(fn, "__code__", None)
    if code is None or not os.path.isfile(code.co_filename):  # noqa: PTH113 - pathlib takes 5 ms to import
        return None
    return f"{os.path.realpath(code.co_filename)}:{fn.__qualname__}"


@overload
def flow(fn: Callable[P, R], /, **options: Unpack[FlowOptions]) -> Flow[P, R]: ...
@overload
def flow(
    fn: None = None, /, **options: Unpack[FlowOptions]
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a flow: each call of it becomes a recorded run.

    Args:
        fn: The function; plain or a coroutine function.
        options: How its runs behave:

            - ``name``, ``description``, ``version``: what it is called. The name is the function's by default, with dashes.
            - ``flow_run_name``: a template of parameter names (``"load-{day}"``), or a function that returns a name.
            - ``retries``, ``retry_delay_seconds``: tries after a failed one, and the seconds before each.
            - ``timeout_seconds``: the longest an attempt may take.
            - ``task_runner``: where submitted tasks execute; threads by default.
            - ``validate_parameters``: check parameters against the type hints with pydantic; true by default.
            - ``persist_result``: store the results of the flow and its tasks, so that a resumed run does not do their work again.
            - ``durable``: go on with a run whose process died instead of leaving it to you: when the flow is called with the same
              parameters again, or by another process. Results are stored unless ``persist_result=False``.
            - ``result_serializer``, ``result_storage``: how and where results are stored; the tasks' too, where they do not say.
            - ``cache_result_in_memory``: accepted for compatibility.
            - ``log_prints``: turn prints into log lines, in the flow and its tasks.
            - ``on_completion``, ``on_failure``, ``on_cancellation``, ``on_crashed``, ``on_running``: hooks ``(flow, flow_run, state)``.
    """
    if fn is None:
        return partial(cast("Any", Flow), **options)
    return Flow(fn, **options)


def load_flow_from_entrypoint(entrypoint: str) -> Flow[..., Any]:
    """Return the flow that an entrypoint names; flows that the file's code calls are not run.

    Args:
        entrypoint: ``FILE`` where the file defines one flow, else ``FILE:FLOW``. ``FLOW`` is the name of the variable, the flow or
            the function.

    Raises:
        ScriptError: The file cannot be loaded.
        MissingFlowError: It does not hold the flow.
        UnspecifiedFlowError: It defines several flows and none was named.
    """
    from caudal.entrypoint import load_flow  # noqa: PLC0415 - rarely asked for

    return cast("Flow[..., Any]", load_flow(entrypoint))
