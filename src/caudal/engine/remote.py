"""A task run as a worker process knows it: enough for the user's code, and for tasks and flows that this code calls."""

from __future__ import annotations

import pickle
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from caudal.engine import composition
from caudal.engine.context import added_tags
from caudal.engine.flow_scope import FlowScope
from caudal.exceptions import MissingContextError
from caudal.model.runs import Fence
from caudal.model.specs import FlowSpec
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.engine import Engine
    from caudal.engine.journal import Journal
    from caudal.model.specs import TaskSpec


class RemoteTask:
    """The run in charge while a worker process executes a task.

    Args:
        spec: The task.
        about: What the parent process says about the run: ids, names, parameters, fence.
        tell: Sends a message to the process of the run; None where there is no way to.
    """

    place: None
    parent: None
    done: bool
    is_completed: bool

    def __init__(
        self,
        spec: TaskSpec,
        about: dict[str, Any],
        tell: Callable[[str, Any], None] | None = None,
    ) -> None:
        self.spec = spec
        self.about = about
        self._tell = tell
        self.id: bytes = about["task_run_id"]
        self.name: str = about["name"]
        self.path: str = about["path"]
        self.run_count: int = about["run_count"]
        self.created_at: float = about["created_at"]
        self.begun_at: float | None = about["begun_at"]
        #: Its tags, None where there are none.
        self.tags: frozenset[str] | None = about["tags"]
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.counters: dict[str, count[int]] = {}
        #: A worker's tasks hold no place here; see ``engine.waiting``.
        self.place = self.parent = None
        self._scope: FlowScope | None = None
        #: It ends in the parent process.
        self.done = self.is_completed = False

    @property
    def scope(self) -> FlowScope:
        """The flow run, as far as this process takes part in it; made when it is asked for."""
        if self._scope is None:
            self._scope = take_part(composition.current_engine(), self.about)
        return self._scope

    def transaction_values(self) -> dict[str, Any] | None:
        """Return what its code sees in transactions; see `LiveTask.transaction_values`."""
        known = {} if self._scope is None else self._scope.transactions
        transaction = known.get(self.id)
        return None if transaction is None else transaction.values()

    def begin_transaction(self, values: dict[str, Any]) -> None:
        """Make the run a transaction within one that has values, which is in the parent process."""
        from caudal.engine.task_transactions import implied  # noqa: PLC0415 - rare
        from caudal.engine.transaction import BaseTransaction  # noqa: PLC0415

        around = BaseTransaction()
        for name, value in values.items():
            around.set(name, value)
        implied(self).parent = around

    def end_transaction(self, *, failed: bool) -> dict[str, Any]:
        """End what the run's code did in transactions here, and return the values for the parent process."""
        known = {} if self._scope is None else self._scope.transactions
        transaction = known.pop(self.id, None)
        if transaction is None:
            return {}
        from caudal.engine.commands import run_sync  # noqa: PLC0415 - rare
        from caudal.engine.transactions import commit, roll_back  # noqa: PLC0415

        run_sync(roll_back(transaction) if failed else commit(transaction))
        return transaction.values()

    @property
    def journal(self) -> Journal:
        """Where runs that the task's code makes are recorded."""
        return self.scope.journal

    @property
    def inherited_tags(self) -> frozenset[str]:
        """Tags that the run's code passes on to what it calls."""
        return added_tags.get() | self.scope.tags

    def state(self) -> State[Any]:
        """Return the state the run is in: its code asks, so it executes."""
        name = "Running" if self.run_count == 1 else "Retrying"
        state: State[Any] = State("RUNNING", name)
        return state.of_run(self.id, self.about["flow_run_id"])

    def note_waits(self, waits: list[dict[str, Any]]) -> None:
        """Tell the process of the run for which slots of limits its code waits now."""
        if self._tell is not None:
            self._tell("waits", waits)

    def describe_asset(self, key: str, metadata: dict[str, Any]) -> None:
        """Add facts about an asset that the run makes.

        Raises:
            MissingContextError: They cannot reach the process of the run from here.
        """
        if self._tell is None:
            raise MissingContextError("add_asset_metadata()")
        self._tell("asset", (key, metadata))

    def next_index(self, key: str) -> int:
        """Return how many calls of a task this run's code made before."""
        return next(self.counters.setdefault(key, count()))


def _elsewhere() -> None:
    """Stand for the flow's function, which runs in the parent process."""


class _Ancestor:
    """A flow run around the one that this process takes part in; only its id is known here."""

    def __init__(self, ids: list[bytes]) -> None:
        self.id = ids[0]
        self.parent = _around(ids[1:])

    @property
    def scope(self) -> _Ancestor:
        return self


def _around(ids: list[bytes]) -> _Ancestor | None:
    return _Ancestor(ids) if ids else None


def flow_of(scope: FlowScope) -> Any:
    """Return the flow of a run that this process takes part in; None where it cannot be had here."""
    spec = scope.spec
    if spec is not None and spec.decorated is None and scope.packed_flow:
        with suppress(Exception):  # whatever a module or a value does on its way in
            spec.decorated = pickle.loads(scope.packed_flow)  # noqa: S301 - our own parent
            spec.runner = spec.decorated.spec.runner
    return spec and spec.decorated


def take_part(engine: Engine, about: dict[str, Any]) -> FlowScope:
    """Return a flow run of another process, as far as this one takes part in it.

    Args:
        engine: The engine of this process.
        about: What ``runners.about`` says of a run.
    """
    spec = None
    packed = about["parameters"]
    around: Any = _around(about["ancestors"])
    if about["flow_name"] is not None:
        spec = FlowSpec(
            _elsewhere, None, name=about["flow_name"], version=about["flow_version"], serializer=None, durable=False
        )  # fmt: skip
    scope = FlowScope(
        engine,
        spec,
        about["flow_run_id"],
        about["flow_run_name"],
        parameters=pickle.loads(packed) if packed else {},  # noqa: S301 - our own parent
        fence=Fence(*about["fence"]),
        parent=around,
        runner=engine.local,
    )
    scope.is_part = True
    scope.tags, scope.packed_flow = about["flow_tags"], about["flow"]
    scope.created_at, scope.begun_at = about["flow_created_at"], about["flow_begun_at"]
    scope.run_count = about["flow_run_count"]
    scope.type, scope.state_name, scope.message, scope.at = about["flow_state"]
    scope.persist, scope.log_prints = about["persist"], about["log_prints"]
    scope.storage = about["storage"]
    return scope
