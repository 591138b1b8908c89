"""The options of flows and tasks as their attributes, under Prefect's names: ``load.retries``, ``load.tags``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Never, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from caudal.asset_values import Asset
    from caudal.model.cache import CachePolicy
    from caudal.model.specs import TaskSpec
    from caudal.parameters import ParameterSchema
    from caudal.task_runners import TaskRunner

T = TypeVar("T")

#: Seconds before each retry, or before all of them.
Delays = float | list[float]
Hooks = list["Callable[..., Any]"]


class Option(Generic[T]):
    """An attribute of a flow or a task that says what an option is; ``with_options`` makes a copy with another one.

    Args:
        read: Returns it; by default what was given under the attribute's name.
    """

    __slots__ = ("_name", "_read")

    def __init__(self, read: Callable[[Any], T] | None = None) -> None:
        self._read = read
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> T: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return the option."""
        if instance is None:
            return self
        return (
            instance.options[self._name] if self._read is None else self._read(instance)
        )

    def __set__(self, instance: object, value: Never) -> None:
        """Refuse to change it: runs may have begun with it.

        Raises:
            AttributeError: Always; it says how to have another one.
        """
        name = self._name
        msg = f"{name!r} of {instance!r} cannot be set: make a copy with .with_options(...), or give {name!r} another value at the decorator"
        raise AttributeError(msg, name=name, obj=instance)


def _hooks(moment: str) -> Option[Hooks]:
    return Option(lambda decorated: decorated.hooks_at(moment))


def _settings() -> Any:
    from caudal.settings import get_current_settings  # noqa: PLC0415 - with the engine

    return get_current_settings()


def _default(decorated: Any, option: str) -> Any:
    """Return what the settings say of an option that was not given."""
    group = f"{decorated.kind}s"
    return getattr(_settings(), f"{group}_default_{option}")


def _retries(decorated: Any) -> int:
    given = decorated.options["retries"]
    return _default(decorated, "retries") if given is None else int(float(given))


def _retry_delay(decorated: Any) -> Any:
    given = decorated.options["retry_delay_seconds"]
    if given is None:
        return _default(decorated, "retry_delay_seconds")
    return given(decorated.retries) if callable(given) else given


def _runner(flow: Any) -> TaskRunner:
    from caudal.task_runners import ThreadPoolTaskRunner  # noqa: PLC0415 - rarely asked for

    return flow.spec.runner or ThreadPoolTaskRunner()


def _parameters(decorated: Any) -> ParameterSchema:
    from caudal.parameters import parameter_schema  # noqa: PLC0415 - needs pydantic

    return parameter_schema(decorated.fn)


def _policy(task: Any) -> CachePolicy | None:
    from caudal.cache_policies import DEFAULT, NO_CACHE  # noqa: PLC0415 - rarely asked for

    spec: TaskSpec = task.spec
    if _settings().tasks_disable_caching or spec.persist is False:
        return NO_CACHE
    if spec.cache_policy is not None:
        is_none = task.options["cache_policy"] is None and task.cache_key_fn is None
        return None if is_none else spec.cache_policy
    return DEFAULT if spec.storage_key is None else None


def _source(task: Any) -> str | None:
    import inspect  # noqa: PLC0415 - 10 ms

    try:
        return inspect.getsource(task.fn)
    except (TypeError, OSError):
        return None


def _needed(task: Any) -> list[Asset]:
    from caudal.asset_values import Asset  # noqa: PLC0415 - rarely asked for

    given: list[str | Asset] = [*(task.options["asset_deps"] or ())]
    return [Asset(each) if isinstance(each, str) else each for each in given]


class Attributes:
    """What flows and tasks have both."""

    version: Option[str | None] = Option()
    #: What the settings say where it was not given.
    retries: Option[int] = Option(_retries)
    #: Likewise; what a function returned where one was given.
    retry_delay_seconds: Option[Delays] = Option(_retry_delay)
    #: None is no limit.
    timeout_seconds: Option[float | None] = Option(lambda it: it.spec.timeout)
    #: True also where another option makes no sense without it.
    persist_result: Option[bool | None] = Option(lambda it: it.spec.persist)
    result_storage: Option[Any] = Option()
    result_serializer: Option[Any] = Option()
    cache_result_in_memory: Option[bool] = Option()
    log_prints: Option[bool | None] = Option()
    #: Lists of hooks: those given and those added later.
    on_completion_hooks: Option[Hooks] = _hooks("completion")
    on_failure_hooks: Option[Hooks] = _hooks("failure")
    on_running_hooks: Option[Hooks] = _hooks("running")


class FlowAttributes(Attributes):
    """What flows have."""

    flow_run_name: Option[str | Callable[..., str] | None] = Option()
    #: Threads where none was given.
    task_runner: Option[TaskRunner] = Option(_runner)
    should_validate_parameters: Option[bool] = Option(lambda it: it.spec.validates)
    durable: Option[bool] = Option(lambda it: it.spec.durable)
    #: A JSON schema of the function's parameters.
    parameters: Option[ParameterSchema] = Option(_parameters)
    on_cancellation_hooks: Option[Hooks] = _hooks("cancellation")
    on_crashed_hooks: Option[Hooks] = _hooks("crashed")


class TaskAttributes(Attributes):
    """What tasks have."""

    tags: Option[frozenset[str]] = Option(lambda it: it.spec.tags)
    task_run_name: Option[str | Callable[..., str] | None] = Option()
    retry_jitter_factor: Option[float | None] = Option()
    retry_condition_fn: Option[Callable[..., Any] | None] = Option()
    #: The one that counts: None where there is none, or ``result_storage_key`` says it all.
    cache_policy: Option[CachePolicy | None] = Option(_policy)
    cache_key_fn: Option[Callable[..., str | None] | None] = Option()
    cache_expiration: Option[timedelta | None] = Option()
    refresh_cache: Option[bool | None] = Option()
    result_storage_key: Option[str | None] = Option()
    viz_return_value: Option[Any] = Option()
    asset_deps: Option[list[Asset]] = Option(_needed)
    #: What its runs bear as ``task_key``: the name.
    task_key: Option[str] = Option(lambda it: it.name)
    #: None where it cannot be found.
    source_code: Option[str | None] = Option(_source)
    on_commit_hooks: Option[Hooks] = _hooks("commit")
    on_rollback_hooks: Option[Hooks] = _hooks("rollback")
