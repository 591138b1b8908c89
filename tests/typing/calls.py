"""A user's code, read by two checkers and never run: what calls of flows and tasks give back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, assert_type

from caudal import Flow, State, Task, allow_failure, flow, task, unmapped
from caudal.futures import DistributedFuture, Future, FutureList, as_completed, wait
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner


@task
def count(words: list[str]) -> int:
    """Return how many words there are."""
    return len(words)


@task(name="label", retries=3, persist_result=True)
def label(number: int, *, unit: str = "m") -> str:
    """Return a number with its unit."""
    return f"{number} {unit}"


@task
async def fetch(address: str, *, tries: int = 3) -> bytes:
    """Return what is at an address."""
    return address.encode() * tries


@task(viz_return_value=(1, 2), on_completion=(print,), asset_deps=["s3://a/b"])
def pair(left: int, right: int) -> tuple[int, int]:
    """Return two numbers."""
    return left, right


@task
def numbers(count: int) -> Generator[int]:
    """Yield numbers."""
    yield from range(count)


@task
async def anumbers(count: int) -> AsyncGenerator[int]:
    """Yield numbers."""
    for number in range(count):
        yield number


@flow
def inner(number: int) -> int:
    """Return the number."""
    return number


class Source:
    """Something that tasks and flows are methods of."""

    @task
    def read(self, day: str) -> list[str]:
        """Return the day's words."""
        return [day]

    @task(retries=1)
    async def aread(self, day: str) -> list[str]:
        """Return the day's words."""
        return [day]

    @flow
    def load(self, day: str) -> int:
        """Count the day's words."""
        assert_type(self.read(day), list[str])
        assert_type(self.read.submit(day), Future[list[str]])
        assert_type(self.aread.submit(day), Future[list[str]])
        return count(self.read(day))


@flow(task_runner=ThreadPoolTaskRunner(max_workers=4), retries=1, log_prints=True)
def pipeline(days: list[str], *, dry: bool = False) -> str:
    """Use everything that a flow's code may do with tasks."""
    assert_type(count(["one"]), int)
    assert_type(count(["one"], return_state=True), State[int])
    assert_type(count(["one"], wait_for=[label.submit(3)]), int)

    future = count.submit(days)
    assert_type(future, Future[int])
    assert_type(future.result(), int)
    assert_type(future.result(timeout=1.5), int)
    assert_type(future.state, State[int])
    assert_type(future.done(), bool)
    assert_type(count.submit(days, return_state=True), State[int])
    assert_type(count.submit(days, wait_for=[future]), Future[int])

    futures = label.map([1, 2, 3], unit=unmapped("km"))
    assert_type(futures, FutureList[str])
    assert_type(futures.result(), list[str])
    assert_type(futures[0], Future[str])
    assert_type(label.map(range(3), return_state=True), list[State[str]])
    assert_type(label.map(count.map([["a"], ["b"]])), FutureList[str])
    assert_type(label.map([allow_failure(future)]), FutureList[str])
    for done in as_completed(futures):
        assert_type(done, Future[str])
    assert_type(wait(futures).done, set[Future[str]])

    # Futures stand for values.
    assert_type(label.submit(future), Future[str])
    assert_type(label.submit(number=future, unit="km"), Future[str])
    assert_type(label.submit(future, unit=label.submit(1)), Future[str])
    assert_type(label(future, unit="km"), str)
    assert_type(pair(1, future), tuple[int, int])
    assert_type(label.delay(future), DistributedFuture[str])
    assert_type(fetch.submit(label.submit(1)), Future[bytes])
    assert_type(inner(future), int)

    # What a submitted generator gives is a list.
    assert_type(numbers.submit(3), Future[list[int]])
    assert_type(anumbers.submit(3), Future[list[int]])
    assert_type(numbers.map([1, 2]), FutureList[list[int]])
    for number in numbers(3):
        assert_type(number, int)

    assert_type(fetch.submit("a"), Future[bytes])
    assert_type(fetch.delay("a"), DistributedFuture[bytes])
    assert_type(fetch.submit("a", return_state=True), State[bytes])
    assert_type(fetch.submit("a", wait_for=[future]), Future[bytes])
    assert_type(fetch.map(["a", "b"]), FutureList[bytes])
    assert_type(fetch.map(["a", "b"]).result(), list[bytes])
    return label(3, unit="" if dry else "m")


@flow(task_runner=ProcessPoolTaskRunner)
async def apipeline(days: list[str]) -> State[int]:
    """Use everything that a coroutine function's flow may do with tasks."""
    assert_type(await fetch("a"), bytes)
    assert_type(await fetch("a", return_state=True), State[bytes])
    coroutine: Coroutine[Any, Any, bytes] = fetch("a", tries=1)
    assert_type(await coroutine, bytes)
    assert_type(await Source().aread("monday"), list[str])
    assert_type(pipeline(days), str)
    return count(days, return_state=True)


def states(state: State[int]) -> None:
    """Read a state."""
    assert_type(state.result(), int)
    assert_type(state.is_completed(), bool)
    wide(state)


def wide(state: State[object]) -> None:
    """Take a state of any result: states are covariant."""
    assert_type(state.result(), object)


def options() -> None:
    """Change options: the function's types stay."""
    assert_type(count.with_options(retries=3)(["one"]), int)
    assert_type(label.with_options(name="other").submit(3), Future[str])
    assert_type(fetch.with_options(tags={"slow"}).map(["a"]), FutureList[bytes])
    assert_type(pipeline.with_options(retries=3)(["monday"], dry=True), str)
    assert_type(Task(len, name="length", retries=2).submit("abc"), Future[int])
    assert_type(Flow(len, name="length").with_options(log_prints=True)("abc"), int)
    assert_type(task(len, name="length")("abc"), int)


def attributes() -> None:
    """Read options."""
    assert_type(count.retries, int)
    assert_type(count.tags, frozenset[str])
    assert_type(pipeline.timeout_seconds, float | None)
    assert_type(pipeline.parameters.required, list[str])
    assert_type(pipeline.on_failure_hooks, list[Callable[..., Any]])


async def main() -> None:
    """Call flows from plain code."""
    assert_type(pipeline(["monday"], dry=True), str)
    assert_type(pipeline(["monday"], return_state=True), State[str])
    assert_type(pipeline(["monday"], wait_for=[count.submit([])]), str)
    assert_type(await apipeline(["monday"]), State[int])
    assert_type(await apipeline(["monday"], return_state=True), State[State[int]])
    assert_type(Source().load("monday"), int)


count(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
count.with_options(retrys=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
pipeline.with_options(retries="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
task(retrys=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
Task(len, retrys=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
pipeline(days=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
