"""Task runners: where a flow's submitted tasks execute."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from collections.abc import Callable
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

    def options(self) -> dict[str, Any]:
        """Return what a runner like this one is made with."""
        return {"max_workers": self.max_workers}

    def duplicate(self) -> TaskRunner:
        """Return a runner with the same options."""
        return _make_runner(type(self), self.options())

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
        given = ", ".join(f"{key}={value!r}" for key, value in self.options().items())
        return f"{type(self).__name__}({given})"

    def __eq__(self, other: object) -> bool:
        """Compare kind and options."""
        return (
            isinstance(other, TaskRunner)
            and type(self) is type(other)
            and self.options() == other.options()
        )

    def __hash__(self) -> int:
        """Return a hash that equal runners share."""
        return hash((type(self), self.max_workers))

    def __reduce__(self) -> Any:
        return _make_runner, (type(self), self.options())


def _make_runner(kind: type[TaskRunner], options: dict[str, Any]) -> TaskRunner:
    return kind(**options)


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
        initializer: A function that each process calls once, before its first task. When it fails, so does the task.
        initargs: What it is called with.

    Raises:
        TypeError: An option is of the wrong type.
        ValueError: ``max_workers`` is less than 1.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(max_workers)
        if initializer is not None and not callable(initializer):
            msg = f"initializer takes a function, not {initializer!r}"
            raise TypeError(msg)
        self.initializer: Callable[..., object] | None = initializer
        self.initargs: tuple[Any, ...] = tuple(initargs)

    def options(self) -> dict[str, Any]:
        """Return what a runner like this one is made with."""
        usual = super().options()
        if self.initializer is None:
            return usual
        return {**usual, "initializer": self.initializer, "initargs": self.initargs}

    def _make(self) -> Runner:
        from caudal.runners.processes import ProcessRunner  # noqa: PLC0415 - needs cloudpickle

        limit = (
            self.max_workers
            or get_current_settings().tasks_runner_process_pool_max_workers
        )
        start = None if self.initializer is None else (self.initializer, self.initargs)
        return ProcessRunner(limit or len(os.sched_getaffinity(0)), start)
