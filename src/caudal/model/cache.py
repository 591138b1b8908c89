"""Cache policies: what must be equal for a stored result to stand in for a call.

A policy names *parts*, each a hash: an input, the task's source, the run. The key is made of all parts, so that whoever
keeps the parts beside the key can say later which of them changed. When a part cannot be computed, so cannot the key:
an error is raised and nothing is served from the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Self

from caudal.exceptions import CacheKeyError, HashError
from caudal.model.hashing import (
    owner_hash,
    source_hash,
    stable_hash,
)
from caudal.model.hashing_closures import closure_hashes
from caudal.model.transactions import IsolationLevel, member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass
class CachePolicy:
    """What identifies the result of a task call; subclass it and define ``compute_key`` for a rule of your own.

    Args:
        key_storage: Where the records of cached results are kept; None is where results are.
        isolation_level: Whether calls with one key wait for each other: ``"SERIALIZABLE"`` or ``"READ_COMMITTED"``.
        lock_manager: What makes them wait.
    """

    key_storage: Any = None
    isolation_level: Any = None
    lock_manager: Any = None

    @classmethod
    def from_cache_key_fn(
        cls, cache_key_fn: Callable[[Any, dict[str, Any]], str | None]
    ) -> CacheKeyFnPolicy:
        """Return a policy whose key is what a function of the run's context and the call's inputs returns."""
        return CacheKeyFnPolicy(cache_key_fn=cache_key_fn)

    def configure(
        self,
        key_storage: Any = None,
        lock_manager: Any = None,
        isolation_level: Any = None,
    ) -> Self:
        """Return this policy with other settings; those that are None stay as they are.

        Raises:
            ValueError: There is no such isolation level.
        """
        given = {
            "key_storage": key_storage,
            "lock_manager": lock_manager,
            "isolation_level": member(
                IsolationLevel, "isolation_level", isolation_level
            ),
        }
        return replace(
            self, **{name: value for name, value in given.items() if value is not None}
        )

    def compute_key(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """Return the key of a call, or None when it is not to be cached.

        Args:
            task_ctx: The task run: an object with ``task.fn``, ``task_run.id`` and ``task_run.flow_run_id``.
            inputs: The call's arguments by parameter, defaults included.
            flow_parameters: The parameters of the flow run around it.
            kwargs: For policies of later versions.

        Raises:
            HashError: A part of the key cannot be computed.
        """
        parts = self._parts(task_ctx, inputs, flow_parameters, **kwargs)
        return stable_hash(parts) if parts else None

    def parts(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> dict[str, str]:
        """Return each part of a call's key by name: ``inputs.x``, ``task_source``; empty when the call is not to be cached.

        The arguments are those of `compute_key`. Where a policy defines ``compute_key``, its key is its one part.

        Raises:
            HashError: A part cannot be computed, whatever the reason.
        """
        if not self._is_opaque():
            return self._parts(task_ctx, inputs, flow_parameters, **kwargs)
        try:
            key: Any = self.compute_key(
                task_ctx=task_ctx,
                inputs=inputs,
                flow_parameters=flow_parameters,
                **kwargs,
            )
        except HashError:
            raise
        except Exception as error:
            reason = f"it raised {type(error).__name__}: {error}"
            raise CacheKeyError(
                self._part_name(), type(self).__name__, reason
            ) from error
        if key is None:
            return {}
        if not isinstance(key, str):
            if isinstance(key, CoroutineType):
                key.close()
            reason = f"it returned {key!r}"
            raise CacheKeyError(self._part_name(), type(self).__name__, reason)
        return {self._part_name(): key}

    def key_of(self, parts: Mapping[str, str]) -> str | None:
        """Return the key that parts returned by this policy add up to: the one that `compute_key` returns."""
        if not parts:
            return None
        if self._is_opaque():
            return next(iter(parts.values()))
        return stable_hash(dict(parts))

    def _is_opaque(self) -> bool:
        return type(self).compute_key is not CachePolicy.compute_key

    def _parts(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> dict[str, str]:
        """Return the parts of a policy that leaves ``compute_key`` as it is."""
        raise NotImplementedError(f"{type(self).__name__} must define compute_key")

    def _part_name(self) -> str:
        return type(self).__name__

    def __sub__(self, other: str) -> CachePolicy:
        _require_name(other)
        return self

    def __add__(self, other: CachePolicy) -> CachePolicy:
        if isinstance(other, _None):
            return self
        return CompoundCachePolicy(
            policies=[self, other], **_joint_settings(self, other)
        )


def _require_name(other: object) -> None:
    if not isinstance(other, str):
        raise TypeError(
            f"only the name of an argument can be subtracted from a cache policy, not {other!r}"
        )


def _joint_settings(one: CachePolicy, other: CachePolicy) -> dict[str, Any]:
    """Return the settings of two policies together.

    Raises:
        ValueError: They differ.
    """
    settings: dict[str, Any] = {}
    for name in ("key_storage", "isolation_level", "lock_manager"):
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours is not None and theirs is not None and ours != theirs:
            raise ValueError(
                f"cache policies with different settings cannot be added: {name} is {ours!r} and {theirs!r}"
            )
        settings[name] = theirs if ours is None else ours
    return settings


@dataclass
class CacheKeyFnPolicy(CachePolicy):
    """The key is what a function returns.

    Args:
        cache_key_fn: Takes the run's context and the call's inputs, returns the key, or None not to cache the call.
    """

    cache_key_fn: Callable[[Any, dict[str, Any]], str | None] | None = None

    def compute_key(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        """See `CachePolicy.compute_key`; raises whatever the function raises."""
        return self.cache_key_fn(task_ctx, inputs) if self.cache_key_fn else None

    def _part_name(self) -> str:
        return f"cache_key_fn.{getattr(self.cache_key_fn, '__name__', 'function')}"


@dataclass
class CompoundCachePolicy(CachePolicy):
    """Several policies at once; those that give no key are left out.

    Args:
        policies: The policies. Compound ones are taken apart, and `Inputs` become one that leaves out what any of them does.
    """

    policies: list[CachePolicy] = field(default_factory=list[CachePolicy])

    def __post_init__(self) -> None:
        flat: list[CachePolicy] = []
        excluded: list[list[str]] = []
        for given in self.policies:
            inner = (
                given.policies if isinstance(given, CompoundCachePolicy) else [given]
            )
            for policy in inner:
                if isinstance(policy, Inputs):
                    excluded.append(policy.exclude)
                else:
                    flat.append(policy)
        if excluded:
            flat.append(
                Inputs(exclude=sorted({name for names in excluded for name in names}))
            )
        self.policies = flat

    def _parts(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> dict[str, str]:
        merged: dict[str, str] = {}
        for policy in self.policies:
            parts = policy.parts(task_ctx, inputs, flow_parameters, **kwargs)
            for name, part in parts.items():
                unique, count = name, 1
                while unique in merged:
                    count += 1
                    unique = f"{name}#{count}"
                merged[unique] = part
        return merged

    def __add__(self, other: CachePolicy) -> CachePolicy:
        if isinstance(other, _None):
            return self
        return CompoundCachePolicy(
            policies=[*self.policies, other], **_joint_settings(self, other)
        )

    def __sub__(self, other: str) -> CachePolicy:
        _require_name(other)
        if not any(isinstance(policy, Inputs) for policy in self.policies):
            return self
        return replace(self, policies=[*self.policies, Inputs(exclude=[other])])


@dataclass
class _None(CachePolicy):
    """No caching."""

    def _parts(
        self,
        task_ctx: Any,  # noqa: ARG002
        inputs: dict[str, Any],  # noqa: ARG002
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, str]:
        return {}

    def __add__(self, other: CachePolicy) -> CachePolicy:
        return other


@dataclass
class TaskSource(CachePolicy):
    """The source of the task's function, and of the functions it wraps, and what these close over; not the functions it calls."""

    def _parts(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],  # noqa: ARG002
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, str]:
        if task_ctx is None:
            return {}
        task = task_ctx.task
        source: str | None = getattr(task, "source_code", None)
        if source is not None:
            part = stable_hash(source)
        else:
            part = source_hash(task.fn, name="the task's function")
        here = getattr(task_ctx, "here", None)
        closure = {f"task_source.{name}": value for name, value in closure_hashes(task.fn, here).items()}  # fmt: skip
        return {"task_source": part, **closure}


@dataclass
class FlowParameters(CachePolicy):
    """The parameters of the flow run around the call."""

    def _parts(
        self,
        task_ctx: Any,  # noqa: ARG002
        inputs: dict[str, Any],  # noqa: ARG002
        flow_parameters: dict[str, Any],
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, str]:
        return {
            f"flow_parameters.{name}": stable_hash(value, name=name)
            for name, value in (flow_parameters or {}).items()
        }


@dataclass
class RunId(CachePolicy):
    """The flow run around the call, or the task run itself where there is none."""

    def compute_key(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],  # noqa: ARG002
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        """See `CachePolicy.compute_key`."""
        if task_ctx is None:
            return None
        run = task_ctx.task_run
        return str(run.id if run.flow_run_id is None else run.flow_run_id)

    def _part_name(self) -> str:
        return "run_id"


@dataclass
class Inputs(CachePolicy):
    """The call's inputs.

    Args:
        exclude: Names of arguments that do not count.
    """

    exclude: list[str] = field(default_factory=list[str])

    def _parts(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, str]:
        if not inputs:
            return {}
        fn = None if task_ctx is None else getattr(task_ctx.task, "fn", None)
        owner = getattr(fn, "__self__", None)

        def part(name: str, value: Any) -> str:
            is_owner = owner is not None and value is owner
            return (owner_hash if is_owner else stable_hash)(value, name=name)

        parts = {
            f"inputs.{name}": part(name, value)
            for name, value in inputs.items()
            if name not in self.exclude
        }
        return parts or {"inputs": "none that count"}

    def __sub__(self, other: str) -> CachePolicy:
        _require_name(other)
        return replace(self, exclude=[*self.exclude, other])


INPUTS = Inputs()
NONE = _None()
NO_CACHE = _None()
TASK_SOURCE = TaskSource()
FLOW_PARAMETERS = FlowParameters()
RUN_ID = RunId()
DEFAULT = INPUTS + TASK_SOURCE + RUN_ID
