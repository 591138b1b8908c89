"""Runs a flow's own code without its tasks, to see which task would get results of which.

In a dry run the run in charge is a ``DryRun``. Whatever wants to make a run in it meets ``DryCall``, an exception, so that real calls pay nothing;
``caudal.running`` turns it into a node of the graph and gives the code the node, or the task's ``viz_return_value``, in place of a result.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, cast

from caudal.engine.context import current
from caudal.engine.inputs import Pending, find
from caudal.engine.origins import Origins

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class DryCall(BaseException):
    """Ends the attempt to make a run in a dry run; nobody's code catches it."""


class Node(Pending):
    """A call in the graph, and the result that it does not have.

    Args:
        name: Name of the run that it would be.
        upstream: The calls whose results it gets.
    """

    run: Any

    def __init__(self, name: str, upstream: list[Node]) -> None:
        self.name: str = name
        self.upstream: list[Node] = upstream
        self.run = self
        #: What the call gives to the flow's code.
        self.value: Any = self

    def result(self, *_: Any, **__: Any) -> Any:
        """Return what stands for the result, as a future does."""
        return self.value

    def wait(self, *_: Any, **__: Any) -> None:
        """Return at once."""

    def __repr__(self) -> str:
        return f"<result of {self.name!r} in a dry run>"


class Nodes(list[Any]):
    """What a mapped task gives in a dry run: the one node that stands for all its calls."""

    def result(self, *_: Any, **__: Any) -> list[Any]:
        """Return what stands for the results."""
        return [node.result() for node in self]

    def wait(self, *_: Any, **__: Any) -> None:
        """Return at once."""


class DryRun:
    """The run in charge of a dry run."""

    id: None = None
    spec: None = None
    parent: None = None
    path: str = ""
    name: str = "dry run"
    recorded: None = None
    log_prints: bool = False
    #: Not None, so that every new task run is checked.
    stopping: str = "it is a dry run"

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._counts: dict[str, count[int]] = defaultdict(count)
        self._origins = Origins()

    @property
    def scope(self) -> DryRun:
        """Itself."""
        return self

    def check(self) -> NoReturn:
        """Refuse to make a task run."""
        raise DryCall

    def next_index(self, _key: str) -> NoReturn:
        """Refuse to make a flow run."""
        raise DryCall

    def add(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], given: Any
    ) -> Node:
        """Add a call to the graph.

        Args:
            name: The task or flow.
            args: Its arguments.
            kwargs: Its keyword arguments.
            given: What the call gives to the flow's code; None is the node itself.
        """
        values = (*args, *kwargs.values())
        found = [item for item in find(values, {}) if isinstance(item, Node)]
        known = cast("list[Any]", self._origins.of(values))
        node = Node(
            f"{name}-{next(self._counts[name])}", list(dict.fromkeys([*found, *known]))
        )
        if given is not None:
            node.value = given
            self._origins.note(given, cast("Any", node))
        self.nodes.append(node)
        return node


def dry_run() -> DryRun | None:
    """Return the dry run in charge here, None where runs are real."""
    run: Any = current.get()
    return run if run.__class__ is DryRun else None


async def later(value: Any) -> Any:
    """Return what stands for the result of a coroutine function."""
    return value


async def astreamed(value: Any) -> AsyncGenerator[Any]:
    """Yield what stands for the items of an async generator function."""
    yield value
