"""The options of tasks: what they are when they are not given, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from caudal.asset_values import Asset
    from caudal.filesystems import ResultStorage
    from caudal.model.assets import TaskAssets
    from caudal.model.cache import CachePolicy
    from caudal.model.specs import TaskSpec
    from caudal.states import State

    class TaskOptions(TypedDict, total=False):
        """Every option of `task`, for checkers of types."""

        name: str | None
        description: str | None
        tags: Iterable[str] | None
        version: str | None
        cache_policy: CachePolicy | NotSetType | None
        cache_key_fn: Callable[..., str | None] | None
        cache_expiration: timedelta | None
        task_run_name: str | Callable[..., str] | None
        retries: int | None
        retry_delay_seconds: (
            float | Sequence[float] | Callable[[int], Sequence[float]] | None
        )
        retry_jitter_factor: float | None
        persist_result: bool | None
        result_storage: ResultStorage | None
        result_storage_key: str | None
        result_serializer: Any
        cache_result_in_memory: bool
        timeout_seconds: float | None
        log_prints: bool | None
        refresh_cache: bool | None
        on_completion: Sequence[Callable[..., Any]] | None
        on_failure: Sequence[Callable[..., Any]] | None
        on_running: Sequence[Callable[..., Any]] | None
        on_commit: Sequence[Callable[..., Any]] | None
        on_rollback: Sequence[Callable[..., Any]] | None
        retry_condition_fn: Callable[[Any, Any, State[Any]], Any] | None
        viz_return_value: Any
        asset_deps: Iterable[str | Asset] | None


class NotSetType:
    """Marks an argument that was not given, where None means something."""

    def __repr__(self) -> str:
        return "NotSet"

    def __reduce__(self) -> str:
        return "NotSet"  # there is one, in every process


#: The mark itself.
NotSet: NotSetType = NotSetType()


#: Every option of the decorator.
DEFAULTS: dict[str, Any] = {
    "name": None,
    "description": None,
    "tags": None,
    "version": None,
    "cache_policy": NotSet,
    "cache_key_fn": None,
    "cache_expiration": None,
    "task_run_name": None,
    "retries": None,
    "retry_delay_seconds": None,
    "retry_jitter_factor": None,
    "persist_result": None,
    "result_storage": None,
    "result_storage_key": None,
    "result_serializer": None,
    "cache_result_in_memory": True,
    "timeout_seconds": None,
    "log_prints": None,
    "refresh_cache": None,
    "on_completion": None,
    "on_failure": None,
    "on_running": None,
    "on_commit": None,
    "on_rollback": None,
    "retry_condition_fn": None,
    "viz_return_value": None,
    "asset_deps": None,
}


def is_plain(spec: TaskSpec) -> bool:
    """Say whether runs of a task may take the short way: no results are kept, and nothing hangs on their transaction."""
    return spec.persist is None and spec.hooks.keys().isdisjoint(("commit", "rollback"))


def assets(given: dict[str, Any]) -> TaskAssets | None:
    """Return what a task does with assets; None when it has nothing to do with any.

    Raises:
        InvalidNameError: A key cannot be one.
    """
    made, needed = given.get("assets", ()), given["asset_deps"] or ()
    if not made and not needed:
        return None
    from caudal.model.assets import task_assets  # noqa: PLC0415 - most tasks have none

    return task_assets(made, needed, given.get("materialized_by"))


def persists(given: dict[str, Any]) -> bool | None:
    """Return whether results are stored: as asked, or because another option makes no sense without it."""
    if given["persist_result"] is not None:
        return bool(given["persist_result"])
    policy = given["cache_policy"]
    if policy is not NotSet and policy is not None and _is_none(policy):
        return given["result_storage_key"] is not None
    asked = (
        policy is not NotSet and policy is not None,
        given["cache_key_fn"] is not None,
        given["result_storage"] is not None,
        given["result_serializer"] is not None,
        given["result_storage_key"] is not None,
    )
    return True if any(asked) else None


def _is_none(policy: Any) -> bool:
    from caudal.model.cache import NO_CACHE  # noqa: PLC0415 - loaded by whoever has a policy

    return isinstance(policy, type(NO_CACHE))


def exponential_backoff(backoff_factor: float) -> Callable[[int], list[float]]:
    """Return a function for ``retry_delay_seconds`` whose delays double: factor, 2 x factor, 4 x factor, ...

    Args:
        backoff_factor: Seconds before the first retry.
    """

    def delays(retries: int) -> list[float]:
        return [backoff_factor * 2**retry for retry in range(min(retries, 50))]

    return delays


def task_input_hash(context: Any, arguments: dict[str, Any]) -> str:
    """Return a key for ``cache_key_fn`` made of the task, its source and its arguments.

    Raises:
        HashError: An argument has no stable identity.
    """
    from caudal.model.cache import INPUTS, TASK_SOURCE  # noqa: PLC0415 - costs 10 ms
    from caudal.model.hashing import stable_hash  # noqa: PLC0415

    parts = (INPUTS + TASK_SOURCE).parts(context, arguments, {})
    return stable_hash([context.task.name, parts])
