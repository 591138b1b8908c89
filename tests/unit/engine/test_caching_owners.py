"""What a task's function goes by beside its arguments: the object of a method, a callable's state, closures."""

from __future__ import annotations

import gc
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS, TASK_SOURCE
from caudal.model.hashing_closures import closure_hashes
from caudal.resume import resume_flow_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

BOTH = INPUTS + TASK_SOURCE


class Loader:
    """Loads a table."""

    suffix = "!"

    def __init__(self, table: str, client: Any = None) -> None:
        self.table, self.client = table, client
        self.calls: Any = None

    @task(persist_result=True)
    def load(self, day: int) -> str:
        """Load a day's rows."""
        return f"{self.table}-{day}"

    @task(cache_policy=INPUTS)
    def read(self, day: int) -> str:
        """Load a day's rows once for all."""
        return f"{self.table}-{day}"

    @task(cache_policy=INPUTS - "self")
    def shared(self, day: int) -> str:
        """Load a day's rows, whatever the table."""
        return f"{self.table}-{day}"

    @task(
        task_run_name="{self.table}/{day}", cache_key_fn=lambda _, given: given["self"].table
    )  # fmt: skip
    def named(self, day: int) -> str:
        """Load a table once."""
        return f"{self.table}-{day}"

    @task(persist_result=True)
    @classmethod
    def whose(cls, day: int) -> str:
        """Say which class loads."""
        return f"{cls.suffix}{day}"


class LoudLoader(Loader):
    """Loads loudly."""

    suffix = "!!"


class Slotted:
    """Has its state in slots."""

    __slots__ = ("__hidden",)

    def __init__(self, hidden: int) -> None:
        self.__hidden = hidden

    @task(persist_result=True)
    def get(self) -> int:
        """Return the state."""
        return self.__hidden


class Adder:
    """A callable with a state."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, x: int) -> int:
        """Return the sum."""
        return self.number + x


def run(body: Callable[[], Any]) -> Any:
    """Run a function as a flow."""
    return flow(body, name="around")()


def test_a_method_of_another_object_is_another_call(record: Record) -> None:
    """Methods go by their object: with stored results, with inputs alone, submitted, and in a durable flow."""

    @flow(durable=True)
    def loads() -> list[str]:
        tables = Loader("orders"), Loader("items"), Loader("orders")
        called = [table.load(1) for table in tables]
        read = [table.read(1) for table in tables]
        return called + read + [table.load.submit(1).result() for table in tables]

    assert loads() == ["orders-1", "items-1", "orders-1"] * 3
    cached = [each.state_name for each in record.tasks().values()].count("Cached")
    assert cached == 1 + 1 + 3


def test_a_class_method_goes_by_its_class() -> None:
    """A subclass has results of its own."""
    assert run(lambda: (Loader.whose(1), LoudLoader.whose(1))) == ("!1", "!!1")


def test_state_in_slots_counts() -> None:
    """Objects without a dict are told apart."""
    assert run(lambda: (Slotted(1).get(), Slotted(2).get(), Slotted(1).get())) == (1, 2, 1)  # fmt: skip


def test_the_object_is_an_input_like_others(record: Record) -> None:
    """It can be left out of the key, stands among the inputs that a function for keys gets, and can be a part of a name."""
    one, other = Loader("a"), Loader("b")
    assert run(lambda: (one.shared(1), other.shared(1))) == ("a-1", "a-1")
    assert run(lambda: (one.named(1), other.named(1), one.named(2))) == ("a-1", "b-1", "a-1")  # fmt: skip
    assert {"a/1", "b/1", "a/2"} <= record.tasks().keys()


def test_an_object_without_a_hash_is_not_cached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The function is called each time, and a warning names what is in the way."""
    one, other = Loader("a", threading.Lock()), Loader("b", threading.Lock())
    assert run(lambda: (one.load(1), other.load(1))) == ("a-1", "b-1")
    assert "computed from self.client: <class '_thread.lock'>" in caplog.text


def test_an_object_counts_as_it_was_before_the_call(record: Record) -> None:
    """What a method changes in its object does not make the call another one when it is resumed."""
    broken = [True]

    class Counter:
        def __init__(self) -> None:
            self.count = 0

        @task(persist_result=True, cache_policy=None)
        def add(self) -> int:
            self.count += 1
            return self.count

    @flow
    def counts() -> int:
        added = Counter().add()
        if broken:
            raise ConnectionError
        return added

    assert counts(return_state=True).is_failed()
    broken.clear()
    resume_flow_run(counts, record.flow().id)
    assert record.tasks()["add-0"].run_count == 1


def test_a_resumed_flow_does_not_mix_objects_up(record: Record) -> None:
    """A call that is now made on another object is made again."""
    tables = ["orders", "items"]

    @flow(durable=True)
    def loads() -> list[str]:
        loaded = [Loader(table).load(1) for table in tables]
        if tables[0] == "orders":
            raise ConnectionError
        return loaded

    assert loads(return_state=True).is_failed()
    tables.reverse()
    state = resume_flow_run(loads, record.flow().id)
    assert state.result() == ["items-1", "orders-1"]


def test_child_flows_that_are_methods_go_by_their_object(record: Record) -> None:
    """A resumed flow takes the result of a child only if it was the same object's."""
    tables = ["orders", "items"]

    class Reader:
        def __init__(self, table: str) -> None:
            self.table = table

        @flow(persist_result=True)
        def read(self, day: int) -> str:
            return f"{self.table}-{day}"

    @flow
    def reads() -> list[str]:
        read = [Reader(table).read(1) for table in tables]
        if tables[0] == "orders":
            raise ConnectionError
        return read

    assert reads(return_state=True).is_failed()
    tables.reverse()
    state = resume_flow_run(reads, record.flow("reads").id)
    assert state.result() == ["items-1", "orders-1"]


def test_a_callables_state_counts() -> None:
    """Two objects of one class are two functions."""
    adders = [task(Adder(n), persist_result=True) for n in (2, 3)]
    assert run(lambda: [add(1) for add in adders]) == [3, 4]
    methods = [task(partial(Adder(n).__call__, 1), persist_result=True) for n in (2, 3)]
    assert run(lambda: [add() for add in methods]) == [3, 4]


def test_closures_count(record: Record) -> None:
    """Functions that one piece of source makes are told apart by what they close over."""

    def multiplier(factor: int) -> Any:
        @task(cache_policy=BOTH, name="multiply")
        def multiply(x: int) -> int:
            return x * factor

        return multiply

    double, triple, again = (multiplier(factor) for factor in (2, 3, 2))
    assert run(lambda: (double(5), triple(5), again(5))) == (10, 15, 10)
    names = [each.state_name for each in record.tasks().values()]
    assert names == ["Completed", "Completed", "Cached"]


def test_a_closed_over_variable_that_gets_another_value_counts() -> None:
    """The value counts that the function reads now."""
    factor = 2

    @task(persist_result=True)
    def multiply(x: int) -> int:
        return x * factor

    def body() -> Any:
        nonlocal factor
        first, factor = multiply(5), 3
        return first, multiply(5)

    assert run(body) == (10, 15)


def test_what_a_function_leaves_in_its_closure_does_not_count() -> None:
    """A counter or list that it fills, and a lock or other task that it uses, do not make it another function at each call."""
    calls: list[int] = []
    count = 0
    lock = threading.Lock()

    @task
    def helper(x: int) -> int:
        return helper(x - 1) if x else 0

    @task(cache_policy=BOTH)
    def work(x: int) -> int:
        nonlocal count
        count += 1
        with lock:
            calls.append(x)
            return helper(x)

    assert run(lambda: (work(2), work(2))) == (0, 0)
    assert (calls, count) == ([2], 1)


def test_a_lock_in_a_closure_does_not_keep_a_resumed_run_from_its_results(
    record: Record,
) -> None:
    """What means nothing in another process is not compared; here another function of the same source stands for it."""

    def program(*, fails: bool) -> Any:
        lock = threading.Lock()

        @task
        def work(x: int) -> int:
            with lock:
                return x

        @flow(name="works", persist_result=True)
        def works() -> int:
            done = work(1)
            if fails:
                raise ConnectionError
            return done

        return works

    assert program(fails=True)(return_state=True).is_failed()
    resume_flow_run(program(fails=False), record.flow().id)
    assert record.tasks()["work-0"].run_count == 1


def test_a_method_that_closes_over_a_lock_is_cached_in_its_process() -> None:
    """Its function is the same each time that it is bound."""
    calls: list[int] = []
    lock = threading.Lock()

    class Worker:
        @task(persist_result=True)
        def work(self, x: int) -> int:
            with lock:
                calls.append(x)
            return x

    worker = Worker()
    assert run(lambda: (worker.work(1), worker.work(1))) == (1, 1)
    assert calls == [1]


def test_what_a_task_closes_over_does_not_keep_it_alive() -> None:
    """A task that closes over itself, or over an object that holds it, is forgotten with it."""

    class Holder:
        task: Any = None

    def made() -> ref[Any]:
        holder = Holder()

        @task
        def work(x: int) -> int:
            return work(x - 1) if x and holder.task else x

        holder.task = work
        assert closure_hashes(work.fn, "here").keys() == {"holder", "work"}
        return ref(work.fn)

    forgotten = made()
    gc.collect()
    assert forgotten() is None
