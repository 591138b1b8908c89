"""What the engine needs of a runner: to execute one attempt, and to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from caudal.model.specs import Spec


class Runner(Protocol):
    """A place where attempts execute.

    One runner serves many flow runs at a time and is safe to call from several threads.
    """

    #: Attempts at a time, per flow run; None leaves it to the pool of threads.
    max_workers: int | None
    #: Whether attempts execute outside this process.
    is_remote: bool

    def call(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
    ) -> Any:
        """Run the function once and return what it returns; its exceptions come through.

        A coroutine function is run to its end on an event loop of its own.

        Args:
            spec: The flow or task.
            args: Positional arguments.
            kwargs: Keyword arguments.
            run: The run in charge, for the context of the user's code.

        Raises:
            RunTimeoutError: The attempt took longer than ``spec.timeout``. Code that cannot be interrupted
                goes on in the background, cut off from the run; in a process it is killed.
            WorkerCrashedError: The process that executed the attempt died.
        """
        ...

    async def acall(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], run: Any
    ) -> Any:
        """Run a coroutine function once on the running loop; see `call`."""
        ...

    def interrupt(self, run: Any, thread: int) -> None:
        """Stop the attempt of a run that executes under a thread, as far as that is possible."""
        ...

    def close(self) -> None:
        """Release processes and the like; a second call does nothing."""
        ...
