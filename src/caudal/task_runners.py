"""Task runners: where a flow's submitted tasks execute."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from types import TracebackType

    from caudal.runners.port import Runner


class TaskRunner:
    """A choice of where submitted tasks execute; give it to ``@flow(task_runner=...)``.

    One runner may serve several flow runs at a time.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if not isinstance(max_workers, (int, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"max_workers takes a whole number, not {max_workers!r}"
            raise TypeError(msg)
        if max_workers is not None and max_workers < 1:
            msg = f"max_workers must be 1 or more, not {max_workers!r}"
            raise ValueError(msg)
        self.max_workers = max_workers
        self._runner: Runner | None = None

    @property
    def runner(self) -> Runner:
        """What the engine executes attempts with, made on first use."""
        if self._runner is None:
            self._runner = self._make()
        return self._runner

    def _make(self) -> Runner:
        raise NotImplementedError

    def duplicate(self) -> TaskRunner:
        """Return a runner with the same options."""
        return type(self)(self.max_workers)

    def close(self) -> None:
        """Release what the runner holds; it is made again when it is used again."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_workers={self.max_workers!r})"

    def __eq__(self, other: object) -> bool:
        """Compare kind and options."""
        return type(self) is type(other) and self.max_workers == getattr(
            other, "max_workers", None
        )

    def __hash__(self) -> int:
        """Return a hash that equal runners share."""
        return hash((type(self), self.max_workers))

    def __reduce__(self) -> tuple[type[TaskRunner], tuple[int | None]]:
        return type(self), (self.max_workers,)


class ThreadPoolTaskRunner(TaskRunner):
    """Executes tasks in threads of this process.

    Args:
        max_workers: Tasks at a time in each flow run. By default as many as keep the threads busy: few when tasks are short,
            up to 256 when they wait.
    """

    def _make(self) -> Runner:
        from caudal.runners.local import LocalRunner  # noqa: PLC0415

        limit = (
            self.max_workers
            or get_current_settings().tasks_runner_thread_pool_max_workers
        )
        return LocalRunner(limit)


#: Another name of ``ThreadPoolTaskRunner``, as in Prefect 3.
ConcurrentTaskRunner = ThreadPoolTaskRunner


class ProcessPoolTaskRunner(TaskRunner):
    """Executes tasks in processes of their own, so that they use all processors and can be killed.

    Arguments and results have to be picklable. A process serves many tasks; one that dies fails its task alone.

    Args:
        max_workers: Processes, and so tasks at a time; by default one for each processor that this process may use.
    """

    def _make(self) -> Runner:
        from caudal.runners.processes import ProcessRunner  # noqa: PLC0415 - needs cloudpickle

        limit = (
            self.max_workers
            or get_current_settings().tasks_runner_process_pool_max_workers
        )
        return ProcessRunner(limit or len(os.sched_getaffinity(0)))
