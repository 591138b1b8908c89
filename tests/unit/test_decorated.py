"""What can be decorated: methods of every kind, and objects that can be called."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest

from caudal import Flow, Task, flow, task
from caudal.task_runners import ProcessPoolTaskRunner

pytestmark = pytest.mark.usefixtures("engine")


class Tank:
    """Something with decorated methods."""

    def __init__(self, level: int) -> None:
        self.level = level

    @task
    def above(self, other: int) -> bool:
        """Say whether the level is above another."""
        return self.level > other

    @task
    @classmethod
    def kind(cls, size: int) -> str:
        """Return the class's name, some times."""
        return cls.__name__ * size

    @task
    @staticmethod
    def double(number: int) -> int:
        """Return twice the number."""
        return 2 * number

    @staticmethod
    @task
    def triple(number: int) -> int:
        """Return three times the number."""
        return 3 * number

    @flow
    def check(self, limit: int) -> bool:
        """Call a method's task from a method's flow."""
        return self.above(limit)

    @flow
    @classmethod
    def check_kind(cls) -> str:
        """Call a class method's task from a class method's flow."""
        return cls.kind(1)


class Small(Tank):
    """A tank of another class."""


def test_methods_of_every_kind_are_called_as_methods() -> None:
    """Instance, class and static methods get what they get undecorated."""
    tank = Small(3)

    @flow
    def outer() -> list[Any]:
        return [
            tank.above(2),
            Tank.above(tank, 9),
            tank.above.submit(2).result(),
            tank.above.map([1, 5]).result(),
            Small.kind(1),
            tank.kind.submit(1).result(),
            tank.double(2),
            Tank.double.submit(2).result(),
            tank.triple(2),
        ]

    expected = [True, False, True, [True, False], "Small", "Small", 4, 4, 6]
    assert outer() == expected
    assert tank.check(2) is True
    assert Small.check_kind() == "Small"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="class methods chain no more")
def test_a_class_method_may_be_the_outer_decorator() -> None:
    """Until Python 3.13 both orders work."""

    class Pool:
        @classmethod
        @task
        def name(cls) -> str:
            return cls.__name__

    assert Pool.name() == "Pool"


def test_decorated_things_say_what_they_are() -> None:
    """As attributes, under Prefect's names."""
    tank = Tank(1)
    assert tank.above.ismethod
    assert not Tank.above.ismethod
    assert Tank.__dict__["kind"].isclassmethod
    assert Tank.kind.isclassmethod
    assert Tank.kind.with_options(name="other").isclassmethod
    assert Tank.double.isstaticmethod
    assert not Tank.double.isgenerator
    assert not Tank.double.isasync


def test_options_and_hooks_of_a_method_stay() -> None:
    """The copy that is bound has the name, and the hooks that were added later."""
    seen: list[str] = []

    class Pump:
        @task(name="pump-it", retries=1)
        def run(self) -> int:
            return 1

        @run.on_completion
        @staticmethod
        def ended(_task: Any, _run: Any, state: Any) -> None:
            seen.append(state.name)

    pump = Pump()
    assert pump.run() == 1
    assert pump.run.with_options(retries=2)() == 1
    assert pump.run.name == "pump-it"
    assert seen == ["Completed", "Completed"]


def test_a_bound_task_travels_to_a_worker_process() -> None:
    """The instance goes with it."""
    tank = Tank(3)

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def outer() -> list[Any]:
        return [tank.above.submit(2).result(), Tank.kind.submit(2).result()]

    assert outer() == [True, "TankTank"]


def test_objects_that_can_be_called_are_decorated() -> None:
    """A partial function is named after the function in it, an object after its class."""

    def add(one: int, other: int) -> int:
        return one + other

    class Adder:
        def __call__(self, number: int) -> int:
            return number + 1

    three = task(partial(add, 1))
    assert (three.name, three(2)) == ("add", 3)
    assert flow(partial(add, 1))(2) == 3
    assert task(Adder())(1) == 2
    text: Any = "1"
    named: Flow[Any, int] = flow(Adder())
    assert (named.name, named(text)) == ("Adder", 2)
    length: Task[Any, int] = task(len)
    assert length("abc") == 3


def test_what_cannot_be_called_is_refused() -> None:
    """The message names it."""
    with pytest.raises(TypeError, match="@flow decorates functions, not 1"):
        flow(1)  # type: ignore[call-overload]
