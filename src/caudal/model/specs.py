"""What the engine knows of a decorated function: plain values, filled in by the root modules."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caudal.model.assets import TaskAssets
    from caudal.model.retries import RetryPolicy

#: After how many brief runs in a row those of a task are not measured any more, until one is not.
BRIEF_RUNS = 100


class Spec:
    """What flows and tasks have in common.

    Args:
        fn: The user's function.
        decorated: The ``Flow`` or ``Task`` that hooks are given; opaque to the engine.
        fields: Values for the other slots.
    """

    __slots__ = (
        "bind",
        "body",
        "decorated",
        "description",
        "fn",
        "hooks",
        "is_async",
        "is_generator",
        "log_prints",
        "name",
        "persist",
        "retry",
        "retry_is_given",
        "run_name",
        "serializer",
        "storage",
        "tags",
        "timeout",
        "unbind",
        "version",
    )

    #: How many runs in a row were too brief for a measurement of their processor time to be worth its cost.
    brief: int
    fn: Callable[..., Any]
    decorated: Any
    #: What an attempt calls: the function itself, or for a generator function one that returns a list of what it yields.
    body: Callable[..., Any]
    #: Returns a call's arguments by parameter name, defaults included; raises ``ParameterBindError``.
    bind: Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]
    #: The reverse of ``bind``: positional and keyword arguments for the function.
    unbind: Callable[[dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
    #: The flow's or task's name.
    name: str
    description: str | None
    version: str | None
    #: Whether the function is a coroutine function or an async generator function.
    is_async: bool
    #: Whether the function is a generator function, plain or async; a direct call of it streams what it yields.
    is_generator: bool
    #: Template or function for the names of runs.
    run_name: str | Callable[..., str] | None
    #: None when the function is not retried, or when the settings are to say.
    retry: RetryPolicy | None
    #: Whether the decorator said how often to retry; else the settings say.
    retry_is_given: bool
    #: Seconds an attempt may take; None is no limit.
    timeout: float | None
    #: Whether results are stored; None leaves it to the flow and the settings.
    persist: bool | None
    #: Name or instance of the serializer; None leaves it to the settings.
    serializer: Any
    #: Where results are kept; None leaves it to the flow, which leaves it to the settings.
    storage: Any
    #: Whether prints become log lines; None leaves it to the flow and the settings.
    log_prints: bool | None
    tags: frozenset[str]
    #: Hooks by the moment they run at: running, completion, failure, cancellation, crashed, commit, rollback.
    hooks: Mapping[str, list[Callable[..., Any]]]

    def __init__(self, fn: Callable[..., Any], decorated: Any, **fields: Any) -> None:
        self.fn = self.body = fn
        self.is_async = self.is_generator = False
        self.decorated = decorated
        for name, value in fields.items():
            setattr(self, name, value)

    @property
    def owner(self) -> dict[str, Any]:
        """What the function is bound to, under the name that it has for it; empty unless it is a method."""
        fn = self.fn
        owner = getattr(fn, "__self__", None)
        if owner is None or isinstance(owner, ModuleType):  # as of what is built in
            return {}
        code = getattr(fn, "__code__", None)
        if code is None or not code.co_argcount:
            return {"self": owner}
        return {code.co_varnames[0]: owner}

    def inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return what a call goes by: its arguments by parameter name, and what a method is bound to.

        Raises:
            ParameterBindError: The function cannot be called so.
        """
        return {**self.owner, **self.bind(args, kwargs)}


class FlowSpec(Spec):
    """A flow as the engine knows it."""

    __slots__ = ("durable", "entrypoint", "runner", "validates", "validator")

    #: Flow runs are not measured: what they use is mostly that of their tasks.
    brief: int = BRIEF_RUNS

    #: Whether a run that its process left is taken up again without being asked to.
    durable: bool

    #: ``file:name``, from which another process can load the flow; None when unknown.
    entrypoint: str | None
    #: The task runner given to the decorator; None is the default one.
    runner: Any
    #: Whether parameters are checked against the type hints.
    validates: bool
    #: What checks and coerces parameters, once it was needed; see ``engine.validation``.
    validator: Any


class TaskSpec(Spec):
    """A task as the engine knows it."""

    __slots__ = (
        "assets",
        "brief",
        "cache_expiration",
        "cache_in_memory",
        "cache_policy",
        "plain",
        "refresh_cache",
        "retry_condition",
        "storage_key",
    )

    #: A policy with ``compute_key``; None when nothing was chosen.
    cache_policy: Any
    #: Seconds a cached result stays usable; None is for ever.
    cache_expiration: float | None
    #: Whether the result is kept in memory after it was stored.
    cache_in_memory: bool
    #: Whether stored results are ignored and replaced; None leaves it to the settings.
    refresh_cache: bool | None
    #: Says whether a failed attempt is worth another: ``(task, task_run, state) -> bool``.
    retry_condition: Callable[..., Any] | None
    #: Template for the key under which results are stored.
    storage_key: str | None
    #: What its runs do with assets; None for most tasks.
    assets: TaskAssets | None
    #: Whether a call needs none of the above, so that it can take the short way.
    plain: bool
