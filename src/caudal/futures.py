"""Futures: the results of submitted tasks, before and after they are there."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from caudal.clock import monotonic
from caudal.engine.composition import current_engine
from caudal.engine.elsewhere import RecordedRun
from caudal.engine.inputs import Pending, rebuild
from caudal.engine.waiting import alarm, awaiting, blocked
from caudal.model.ids import parse_id
from caudal.model.states import State
from caudal.twins import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from uuid import UUID

    from caudal.engine.parts import InputRun

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Future(Pending, Generic[R_co]):
    """The result of a submitted task run.

    Pass it to another task to make that one wait for it; the task gets the result.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, run: InputRun) -> None:
        self.run: InputRun = run

    @property
    def task_run_id(self) -> UUID:
        """Id of the task run."""
        return self.run.uuid

    @property
    def state(self) -> State[R_co]:
        """The state the run is in now."""
        return self.run.state()

    def done(self) -> bool:
        """Say whether the run has ended."""
        return self.run.done

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the run has ended, or for a time.

        Args:
            timeout: Seconds to wait at most; None is no limit.
        """
        run = self.run
        if run.done:
            return
        ended = threading.Event()
        run.subscribe(ended.set)
        if not ended.is_set():
            with blocked():
                ended.wait(timeout)

    def result(
        self,
        timeout: float | None = None,
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> R_co:
        """Wait for the run's result and return it.

        Args:
            timeout: Seconds to wait at most; None is no limit.
            raise_on_failure: Raise what made the run fail; else return it.

        Raises:
            TimeoutError: The run had not ended in time.
        """
        self.wait(timeout)
        return self._outcome(timeout, raise_on_failure=raise_on_failure)

    def _outcome(self, timeout: float | None, *, raise_on_failure: bool) -> R_co:
        run = self.run
        if not run.done:
            msg = f"run {run.name!r} did not end within {timeout:g} second(s)"
            raise TimeoutError(msg)
        return run.outcome(raise_on_failure=raise_on_failure)

    def add_done_callback(self, fn: Callable[[Future[R_co]], None]) -> None:
        """Have a function called with this future when the run has ended, at once if it has."""
        self.run.subscribe(lambda: fn(self))

    def __repr__(self) -> str:
        return f"<future of {self.run.name!r}: {self.run.state_name}>"


class DistributedFuture(Future[R_co]):
    """The result of a task run that any process carries out; made by ``task.delay``.

    Args:
        task_run_id: The task run.
    """

    __slots__ = ()

    def __init__(self, task_run_id: UUID | str) -> None:
        run_id = parse_id(task_run_id, "task run")
        super().__init__(RecordedRun(current_engine(), run_id))

    def __reduce__(self) -> tuple[type[DistributedFuture[Any]], tuple[UUID]]:
        return DistributedFuture, (self.run.uuid,)

    async def wait_async(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Prefect's signature
        """Wait until the run has ended, or for a time in seconds; see `wait`."""
        await _ended(self.run, timeout)

    async def result_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> R_co:
        """Wait for the run's result and return it; see `result`."""
        await _ended(self.run, timeout)
        return await in_thread(
            self._outcome, timeout, raise_on_failure=raise_on_failure
        )

    def __eq__(self, other: object) -> bool:
        """Compare the runs."""
        return isinstance(other, Future) and self.run.id == cast("Any", other).run.id

    def __hash__(self) -> int:
        """Return a hash that futures of one run share."""
        return hash(self.run.id)


class FlowRunFuture(Future[R_co]):
    """The result of a flow run of any process, where its flow keeps results (``persist_result=True``).

    Args:
        flow_run_id: The flow run.
    """

    __slots__ = ()

    def __init__(self, flow_run_id: UUID | str) -> None:
        run_id = parse_id(flow_run_id, "flow run")
        super().__init__(RecordedRun(current_engine(), run_id, is_flow=True))

    @property
    def flow_run_id(self) -> UUID:
        """Id of the flow run."""
        return self.run.uuid

    async def wait_async(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - Prefect's signature
        """Wait until the run has ended, or for a time in seconds; see `wait`."""
        await _ended(self.run, timeout)

    async def aresult(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> R_co:
        """Wait for the run's result and return it; see `result`."""
        await _ended(self.run, timeout)
        return await in_thread(
            self._outcome, timeout, raise_on_failure=raise_on_failure
        )


async def _ended(run: InputRun, timeout: float | None) -> None:  # noqa: ASYNC109 - of what it waits for
    """Wait on the running event loop until a run has ended, or for a time in seconds."""
    import asyncio  # noqa: PLC0415 - whoever awaits has it

    ended, wake = alarm()
    await in_thread(run.subscribe, wake)
    if not ended.is_set():
        async with awaiting():
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await ended.wait()


class FutureList(list["Future[R]"], Generic[R]):
    """The futures of a mapped task, in order."""

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all runs have ended, or for a time in seconds."""
        wait(self, timeout=timeout)

    def result(
        self,
        timeout: float | None = None,
        raise_on_failure: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> list[R]:
        """Wait for all results and return them in order.

        Args:
            timeout: Seconds to wait at most for all; None is no limit.
            raise_on_failure: Raise what made the first failed run fail; else put it in its place.

        Raises:
            TimeoutError: A run had not ended in time.
        """
        deadline = None if timeout is None else monotonic() + timeout
        return [future.result(_left(deadline), raise_on_failure) for future in self]


class DoneAndNotDoneFutures(NamedTuple, Generic[R]):
    """What ``wait`` found."""

    done: set[Future[R]]
    not_done: set[Future[R]]


def wait(
    futures: Iterable[Future[R]], timeout: float | None = None
) -> DoneAndNotDoneFutures[R]:
    """Wait until all runs have ended, or for a time.

    Args:
        futures: Futures to wait for.
        timeout: Seconds to wait at most; None is no limit.
    """
    given = list(futures)
    deadline = None if timeout is None else monotonic() + timeout
    for future in given:
        future.wait(_left(deadline))
    done = {future for future in given if future.done()}
    return DoneAndNotDoneFutures(done, set(given) - done)


def as_completed(
    futures: Iterable[Future[R]], timeout: float | None = None
) -> Generator[Future[R]]:
    """Yield futures as their runs end.

    Args:
        futures: Futures to wait for.
        timeout: Seconds for all of them; None is no limit.

    Raises:
        TimeoutError: Not all runs had ended in time.
    """
    pending = set(futures)
    total = len(pending)
    deadline = None if timeout is None else monotonic() + timeout
    ended: queue.SimpleQueue[Future[R]] = queue.SimpleQueue()
    for future in pending:
        future.add_done_callback(ended.put)
    for left in range(total, 0, -1):
        try:
            with blocked():
                future = ended.get(timeout=_left(deadline))
        except queue.Empty:
            msg = f"{left} (of {total}) futures unfinished"
            raise TimeoutError(msg) from None
        yield future


def resolve_futures_to_states(expr: Any) -> Any:
    """Return a value with the futures in it replaced by their states, which are waited for."""
    if isinstance(expr, Future):
        future = cast("Future[Any]", expr)
        future.wait()
        return future.state
    return rebuild(expr, resolve_futures_to_states)


def resolve_futures_to_results(expr: Any) -> Any:
    """Return a value with the futures in it replaced by their results, which are waited for.

    Raises:
        Exception: What made a run fail.
    """
    if isinstance(expr, Future):
        return cast("Future[Any]", expr).result()
    return rebuild(expr, resolve_futures_to_results)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())
