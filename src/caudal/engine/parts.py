"""What the modules of the engine know of each other: runs, and the parts that runs work with.

Concrete classes point one way: ``Engine`` makes ``FlowScope``, ``LiveTask`` belongs to one. Whatever is below them sees these protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from random import Random
    from uuid import UUID

    from caudal.engine.journal import Journal
    from caudal.engine.loop import LoopThread
    from caudal.engine.pool import Pool
    from caudal.engine.results import Results
    from caudal.engine.slots import Slots
    from caudal.engine.timers import Timers
    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow
    from caudal.model.states import State
    from caudal.runners.port import Runner
    from caudal.settings import Settings


class Run(Protocol):
    """A run whose code executes here: a task run or a flow run."""

    @property
    def id(self) -> bytes | None:
        """The run's id; None for the scope of tasks outside flows."""
        ...

    @property
    def name(self) -> str:
        """Name of the run."""
        ...

    @property
    def path(self) -> str:
        """Position in the flow's program; empty for the flow itself."""
        ...

    @property
    def scope(self) -> Scope:
        """The flow run it belongs to; a flow run belongs to itself."""
        ...

    @property
    def spec(self) -> Any:
        """The decorated function; None for the scope of tasks outside flows."""
        ...

    def next_index(self, key: str) -> int:
        """Return how many calls of a task this run's code made before."""
        ...

    def note_waits(self, waits: list[dict[str, Any]]) -> None:
        """Have it recorded for which slots of limits the run's code waits now."""
        ...

    def state(self) -> State[Any]:
        """Return the state the run is in."""
        ...


class Scope(Run, Protocol):
    """What the runs of one flow run share."""

    @property
    def parent(self) -> Run | None:
        """The run whose code called the flow, None at the top."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether the flow run is in its last state."""
        ...

    @property
    def journal(self) -> Journal:
        """Where they are recorded."""
        ...

    @property
    def log_prints(self) -> bool:
        """Whether prints become log lines."""
        ...

    @property
    def persist(self) -> bool:
        """Whether results are stored."""
        ...


class InputRun(Protocol):
    """A task run whose result is an input of another run."""

    @property
    def id(self) -> bytes:
        """The run's id."""
        ...

    @property
    def name(self) -> str:
        """Name of the run."""
        ...

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        ...

    @property
    def state_name(self) -> str:
        """Name of the state that the run is in."""
        ...

    @property
    def uuid(self) -> UUID:
        """The run's id."""
        ...

    @property
    def is_completed(self) -> bool:
        """Whether the run ended well."""
        ...

    def outcome(self, *, raise_on_failure: bool = True) -> Any:
        """Return the run's result, or raise what made it fail; the run is done."""
        ...

    def state(self) -> State[Any]:
        """Return the state the run is in."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called once when the run is done, at once if it is."""
        ...


class Parts(Protocol):
    """What runs of one process share; see ``Engine``."""

    ledger: Ledger
    settings: Settings
    local: Runner
    owner: bytes
    random: Random
    journal: Journal
    results: Results
    pool: Pool
    timers: Timers
    #: Makes the program of a task run for a runner; it yields ``engine.commands.Command``s.
    task_program: Callable[[Any, Runner], Generator[Any, Any, None]]
    trusted_until: float

    @property
    def loop(self) -> LoopThread:
        """The event loop for submitted coroutine functions, started on first use."""
        ...

    @property
    def slots(self) -> Slots:
        """Acquires slots of named limits, made on first use."""
        ...

    def hurry(self, owner: object) -> None:
        """Wake the runs of a dispatcher that sleep, and those of stopped flow runs that wait for slots."""
        ...

    def is_loop_thread(self) -> bool:
        """Say whether this is the thread of that event loop."""
        ...

    def register(self, flow_run_id: bytes, scope: Any) -> None:
        """Learn of a flow run that this process works on; the process holds a lease from now on.

        Args:
            flow_run_id: The flow run.
            scope: It is told when the ledger refused to write for it, and when somebody wants it to stop.
        """
        ...

    def claim(self, flow_run_id: bytes, *, again: bool = False) -> FlowRunRow:
        """Take a flow run over for this process; see ``Ledger.claim``."""
        ...

    def sweep(self) -> Sequence[FlowRunRow]:
        """Mark the runs of dead processes as crashed; see ``Ledger.sweep``."""
        ...

    def recover_file(self, file: str) -> None:
        """Go on with lost durable flow runs whose flow is in a file, as long as this process works."""
        ...

    def forget(self, flow_run_id: bytes) -> None:
        """Learn that a flow run has ended here."""
        ...

    def renew(self) -> None:
        """Extend the lease; after ``trusted_until`` nothing starts before that was done.

        Raises:
            LedgerError: The ledger cannot be reached.
        """
        ...
