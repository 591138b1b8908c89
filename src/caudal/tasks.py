"""Tasks: the steps of a flow, each run of which has states, retries, a timeout, caching and logs."""

from __future__ import annotations

from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from caudal.decorated import Decorated, hook_lists, running
from caudal.delayed import Delayable
from caudal.model.specs import TaskSpec
from caudal.option_attributes import TaskAttributes
from caudal.task_options import (
    DEFAULTS,
    NotSet,
    assets,
    exponential_backoff,
    is_plain,
    persists,
    task_input_hash,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Callable,
        Coroutine,
        Generator,
        Iterable,
        Mapping,
    )

    from caudal.futures import Future, FutureList
    from caudal.states import State
    from caudal.task_options import TaskOptions

__all__ = [
    "NotSet",
    "Task",
    "exponential_backoff",
    "observed_spec",
    "task",
    "task_input_hash",
]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

if TYPE_CHECKING:
    #: What a submitted task gives as a list.
    _Streams = AsyncGenerator[T, Any] | Generator[T, Any, Any]

_HOOKS = ("completion", "failure", "running", "commit", "rollback")


class Task(TaskAttributes, Decorated[P, R_co, TaskSpec], Delayable[P, R_co]):
    """A function whose calls are recorded as task runs.

    Made by `task`, which says what the arguments mean.
    """

    kind = "task"
    defaults = DEFAULTS

    if TYPE_CHECKING:

        def __init__(
            self, fn: Callable[P, R_co], **options: Unpack[TaskOptions]
        ) -> None: ...

    def with_options(self, **options: Unpack[TaskOptions]) -> Self:
        """Return the same with some options changed; see `task` for their meaning. None and ``NotSet`` keep an option as it is."""
        return self.changed(cast("dict[str, Any]", options))

    def _make_spec(self) -> TaskSpec:
        given = self.options
        policy = given["cache_policy"]
        if given["cache_key_fn"] is not None:
            from caudal.model.cache import CacheKeyFnPolicy  # noqa: PLC0415 - 10 ms that only caching tasks need

            policy = CacheKeyFnPolicy(cache_key_fn=given["cache_key_fn"])
        elif policy is None and given["result_storage_key"] is None:
            from caudal.model.cache import NO_CACHE  # noqa: PLC0415 - as above

            policy = NO_CACHE
        expiration = given["cache_expiration"]
        spec = TaskSpec(
            self.fn,
            self,
            name=self.name,
            description=self.description,
            version=given["version"],
            run_name=given["task_run_name"],
            retry=self._retry_policy(given["retry_jitter_factor"]),
            retry_is_given=given["retries"] is not None,
            timeout=self._timeout(),
            persist=persists(given),
            serializer=given["result_serializer"],
            storage=given["result_storage"],
            log_prints=given["log_prints"],
            tags=frozenset(given["tags"] or ()),
            hooks=hook_lists(given, _HOOKS),
            bind=self.binder.bind,
            unbind=self.binder.unbind,
            cache_policy=None if policy is NotSet else policy,
            cache_expiration=None if expiration is None else expiration.total_seconds(),
            cache_in_memory=given["cache_result_in_memory"],
            refresh_cache=given["refresh_cache"],
            retry_condition=given["retry_condition_fn"],
            storage_key=given["result_storage_key"],
            brief=0,
        )
        spec.assets = assets(given)
        if (
            spec.assets is not None
        ):  # a hook, even none, keeps its runs off the shortest way
            spec.hooks = {**spec.hooks, "materialization": []}
        spec.plain = is_plain(spec)
        return spec

    def set_hooks(self, hooks: Mapping[str, list[Callable[..., Any]]]) -> None:
        """Give it other hooks, by the moment they run at."""
        super().set_hooks(hooks)
        self.spec.plain = is_plain(self.spec)

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(
        self: Task[..., Coroutine[Any, Any, T]],
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
        """Run the task here and return its result; a coroutine function's task returns an awaitable.

        Args:
            args: Arguments of the function; futures are waited for.
            return_state: Return the run's last state instead, and do not raise.
            wait_for: Futures whose runs have to complete first.
            kwargs: Keyword arguments of the function.

        Raises:
            ParameterBindError: The function cannot be called so.
            Exception: What the function raised in its last attempt.
        """
        return running().run_task(
            self, args, kwargs, return_state=return_state, wait_for=wait_for
        )

    # Futures stand for values: what the first forms refuse is taken by the last ones, which look at results alone.
    @overload
    def submit(
        self: Task[..., _Streams[T]],
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Future[list[T]]: ...
    @overload
    def submit(
        self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...
    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[R_co]: ...
    @overload
    def submit(
        self: Task[..., Coroutine[Any, Any, T]],
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        **kwargs: Any,
    ) -> State[T]: ...
    @overload
    def submit(
        self,
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        **kwargs: Any,
    ) -> State[R_co]: ...
    @overload
    def submit(
        self: Task[..., Coroutine[Any, Any, T]],
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Future[T]: ...
    @overload
    def submit(
        self,
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Future[R_co]: ...
    def submit(
        self,
        *args: Any,
        return_state: bool = False,
        wait_for: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Hand the task to the flow's task runner and return a future of its result at once.

        Args:
            args: Arguments of the function; the run starts when the futures among them are done.
            return_state: Wait and return the run's last state instead.
            wait_for: Futures whose runs have to complete first.
            kwargs: Keyword arguments of the function.
        """
        return running().submit(
            self, args, kwargs, return_state=return_state, wait_for=wait_for
        )

    @overload
    def map(
        self: Task[..., _Streams[T]],
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> FutureList[list[T]]: ...
    @overload
    def map(
        self: Task[..., Coroutine[Any, Any, T]],
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> FutureList[T]: ...
    @overload
    def map(
        self: Task[..., Coroutine[Any, Any, T]],
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> list[State[T]]: ...
    @overload
    def map(
        self,
        *args: Any,
        return_state: Literal[False] = False,
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> FutureList[R_co]: ...
    @overload
    def map(
        self,
        *args: Any,
        return_state: Literal[True],
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> list[State[R_co]]: ...
    def map(
        self,
        *args: Any,
        return_state: bool = False,
        wait_for: Any = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Submit the task once for each item of the iterable arguments, which have one length.

        Args:
            args: Iterables, or values that every call shares: what is no iterable, texts, and what is wrapped in ``unmapped``.
            return_state: Wait and return the runs' last states instead.
            wait_for: Futures whose runs have to complete first.
            deferred: Record the calls for processes that serve the task, as `delay` does.
            kwargs: Keyword arguments, likewise.

        Raises:
            MappingMissingIterable: Nothing can be iterated over.
            MappingLengthMismatch: The iterables have different lengths.
        """
        return running().submit_all(
            self,
            args,
            kwargs,
            return_state=return_state,
            wait_for=wait_for,
            deferred=deferred,
        )

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(
        self: Task[Concatenate[Any, Q], R], instance: object, owner: Any = None
    ) -> Task[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return the same bound to an instance, so that methods can be decorated."""
        return self.bound(instance, owner)

    def on_commit(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(transaction)`` run when the transaction of a completed run is committed: at once, or with the transactions around it."""
        return self._add_hook("commit", fn)

    def on_rollback(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(transaction)`` run when a transaction around a completed run is rolled back."""
        return self._add_hook("rollback", fn)


@overload
def task(fn: Callable[P, R], /, **options: Unpack[TaskOptions]) -> Task[P, R]: ...
@overload
def task(
    fn: None = None, /, **options: Unpack[TaskOptions]
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a task: each call of it becomes a recorded run.

    Args:
        fn: The function; plain or a coroutine function.
        options: How its runs behave:

            - ``name``, ``description``, ``tags``, ``version``: what it is called. The name is the function's by default.
            - ``task_run_name``: a template of parameter names (``"load-{table}"``), or a function that returns a name.
            - ``retries``, ``retry_delay_seconds``, ``retry_jitter_factor``: tries after a failed one, and the seconds before
              each: a number, a list, or a function of the number of retries that returns a list.
            - ``retry_condition_fn``: ``(task, task_run, state) -> bool``: whether another try is worth it.
            - ``timeout_seconds``: the longest an attempt may take.
            - ``persist_result``: store the result, so that a resumed flow run does not do the work again.
            - ``cache_policy``, ``cache_key_fn``, ``cache_expiration``, ``refresh_cache``: reuse a stored result of another run.
            - ``result_serializer``, ``result_storage``, ``result_storage_key``: how, where and under which name the result is stored.
            - ``cache_result_in_memory``: keep the result in memory after it was stored; true by default.
            - ``log_prints``: turn prints into log lines.
            - ``asset_deps``: assets, or their keys, that its runs need beside what their inputs tell.
            - ``on_completion``, ``on_failure``, ``on_running``: hooks ``(task, task_run, state)``.
            - ``on_commit``, ``on_rollback``: hooks ``(transaction)`` for the outcome of the transaction around a run.
    """
    if fn is None:
        return partial(cast("Any", Task), **options)
    return Task(fn, **options)


def observed_spec(name: str, *, tags: Iterable[str] = ()) -> TaskSpec:
    """Return the spec of a step that another program executes while caudal watches, such as a dbt model.

    Args:
        name: Name of the step.
        tags: Tags of its runs.
    """
    return Task(_observed, name=name, tags=tags).spec


def _observed() -> None:
    """Stand for a function that another program executes."""
