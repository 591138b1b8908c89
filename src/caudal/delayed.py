"""What tasks offer for the background: calls that are recorded now and run later, in a process that serves the task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from caudal.decorated import running
from caudal.twins import dispatched

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from caudal.futures import DistributedFuture

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Delayable(Generic[P, R_co]):
    """The part of a task that is about the background."""

    def apply_async(
        self,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        wait_for: Any = None,
        dependencies: dict[str, Any] | None = None,
    ) -> DistributedFuture[R_co]:
        """Record a call for the processes that serve the task and return a future of its result; see `delay`.

        Args:
            args: Arguments of the function.
            kwargs: Keyword arguments of the function.
            wait_for: Futures whose runs have to complete first.
            dependencies: Facts about other runs that it depends on, kept with the run.
        """
        return running().delay(
            self, args or (), kwargs or {}, wait_for=wait_for, dependencies=dependencies
        )

    @overload
    def delay(
        self: Delayable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> DistributedFuture[T]: ...
    @overload
    def delay(self, *args: P.args, **kwargs: P.kwargs) -> DistributedFuture[R_co]: ...
    @overload
    def delay(self, *args: Any, **kwargs: Any) -> DistributedFuture[R_co]: ...
    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Record a call for the processes that serve the task, and return a future of its result.

        The call is durable when this returns, and runs as soon as a process serves the task: see `serve`.

        Args:
            args: Arguments of the function; they are pickled. Futures of delayed calls are waited for when the call runs, others here.
            kwargs: Keyword arguments of the function.

        Raises:
            ParameterBindError: The function cannot be called so.
            SerializationError: An argument cannot be pickled.
        """
        return running().delay(self, args, kwargs, wait_for=None)

    async def aserve(self) -> None:
        """Run delayed calls of this task; see `serve`."""
        await _worker().aserve(self)

    @dispatched(aserve)
    def serve(self) -> None:
        """Run delayed calls of this task in this process until it is stopped; see ``caudal.task_worker.serve``."""
        _worker().serve(self)


def _worker() -> Any:
    """Return the module that serves tasks, by its name: it is built on them."""
    return import_module("caudal.task_worker")
