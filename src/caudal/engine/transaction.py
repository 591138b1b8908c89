"""What a transaction is: its values, hooks and children, and where it stands. How it begins and ends is in ``engine.transactions``."""

from __future__ import annotations

import logging
import threading
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from caudal.engine.commands import Io
from caudal.engine.context import current
from caudal.engine.logs import run_logger
from caudal.model.transactions import (
    CommitMode,
    IsolationLevel,
    TransactionState,
    member,
)
from caudal.twins import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from caudal.engine.commands import Command
    from caudal.engine.journal import Journal

_MISSING: Any = object()
#: States that a transaction does not leave.
ENDED: frozenset[TransactionState] = frozenset(
    (TransactionState.COMMITTED, TransactionState.ROLLED_BACK)
)


class Progress:
    """How far a transaction is on its way out, for the programs that end it."""

    __slots__ = ("ending", "held", "holder", "lock", "mutex")

    def __init__(self) -> None:
        #: The name under which locks are held, of the outermost transaction.
        self.holder: str = uuid4().hex
        #: The lock that it needs: lock manager, key, and the outermost transaction, which holds it.
        self.lock: Any = None
        #: Of the outermost transaction: how many transactions within it need the lock of a key.
        self.held: dict[str, int] = {}
        #: Guards ``held``, ``ending`` and the list of children.
        self.mutex: threading.Lock = threading.Lock()
        #: How it is being ended or was: ``commit`` or ``rollback``.
        self.ending: str | None = None


class BaseTransaction:
    """What is done together or undone together.

    Args:
        key: Name under which the staged value is kept when the transaction is committed; None keeps nothing.
        store: Where it is kept: a ``ResultStore``.
        commit_mode: When it is committed; None is as the transaction around it, else with the outermost one.
        isolation_level: Whether transactions of one key wait for each other; None is as the transaction around it.
        overwrite: Whether a value that is kept already is replaced.
        write_on_commit: Whether the staged value is kept at all.
        logger: Told of hooks and errors; None is the logger of the run in charge.

    Raises:
        ValueError: There is no such commit mode or isolation level.
    """

    #: Whether it is rolled back with the first one within it that is.
    follows_children: ClassVar[bool] = True

    def __init__(
        self,
        *,
        key: str | None = None,
        store: Any = None,
        commit_mode: CommitMode | None = None,
        isolation_level: IsolationLevel | None = None,
        overwrite: bool = False,
        write_on_commit: bool = True,
        logger: Any = None,
    ) -> None:
        self.key: str | None = key
        self.store: Any = store
        self.commit_mode: CommitMode | None = member(
            CommitMode, "commit_mode", commit_mode
        )
        self.isolation_level: IsolationLevel | None = member(
            IsolationLevel, "isolation_level", isolation_level
        )
        self.overwrite: bool = overwrite
        self.write_on_commit: bool = write_on_commit
        self.logger: Any = logger
        self.state: TransactionState = TransactionState.PENDING
        self.on_commit_hooks: list[Callable[..., Any]] = []
        self.on_rollback_hooks: list[Callable[..., Any]] = []
        #: Transactions within this one that have ended and leave their outcome to it, in order.
        self.children: list[BaseTransaction] = []
        #: The transaction around this one.
        self.parent: BaseTransaction | None = None
        #: The run whose code opened it.
        self.owner: Any = None
        #: What went wrong when it was committed.
        self.error: Exception | None = None
        self._values: dict[str, Any] = {}
        self._staged: Any = None
        self.progress: Progress = Progress()

    def set(self, name: str, value: Any) -> None:
        """Keep a value for the hooks of this transaction and of those within it."""
        self._values[name] = value

    def get(self, name: str, default: Any = _MISSING) -> Any:
        """Return a copy of a value that was set here or in a transaction around.

        Args:
            name: Name of the value.
            default: What to return when there is none.

        Raises:
            ValueError: There is none, and no default was given.
        """
        if name in self._values:
            return deepcopy(self._values[name])
        if self.parent is not None:
            return self.parent.get(name, default)
        if default is not _MISSING:
            return default
        raise ValueError(
            f"the transaction has no value {name!r}. Set it with transaction.set({name!r}, ...), or give get() a default."
        )

    def values(self) -> dict[str, Any]:
        """Return all values that are seen from here, by name."""
        above = {} if self.parent is None else self.parent.values()
        return {**above, **self._values}

    def stage(
        self,
        value: Any,
        on_rollback_hooks: list[Callable[..., Any]] | None = None,
        on_commit_hooks: list[Callable[..., Any]] | None = None,
    ) -> None:
        """Say what is to be kept when the transaction is committed; nothing happens where that is the case already.

        Args:
            value: The value.
            on_rollback_hooks: Further functions to call with the transaction when it is rolled back.
            on_commit_hooks: Further functions to call with it when it is committed.
        """
        if self.state in ENDED:
            return
        self._staged = value
        self.on_rollback_hooks += on_rollback_hooks or []
        self.on_commit_hooks += on_commit_hooks or []
        self.state = TransactionState.STAGED

    def is_committed(self) -> bool:
        """Say whether it was committed, or its value was kept before it began."""
        return self.state is TransactionState.COMMITTED

    def is_rolled_back(self) -> bool:
        """Say whether it was rolled back."""
        return self.state is TransactionState.ROLLED_BACK

    def is_staged(self) -> bool:
        """Say whether it has a value to keep."""
        return self.state is TransactionState.STAGED

    def is_pending(self) -> bool:
        """Say whether it has not begun."""
        return self.state is TransactionState.PENDING

    def is_active(self) -> bool:
        """Say whether its code runs and has staged nothing yet."""
        return self.state is TransactionState.ACTIVE

    def take(self, child: BaseTransaction) -> bool:
        """Become responsible for a transaction within this one; False when this one is being ended, or has."""
        with self.progress.mutex:
            if self.progress.ending is not None:
                return False
            self.children.append(child)
            return True

    def is_under(self, other: BaseTransaction) -> bool:
        """Say whether this is another transaction, or within it."""
        transaction: BaseTransaction | None = self
        while transaction is not None and transaction is not other:
            transaction = transaction.parent
        return transaction is other

    def outermost(self) -> BaseTransaction:
        """Return the outermost transaction around this one: locks are its own."""
        return self if self.parent is None else self.parent.outermost()

    def locks(self) -> Any:
        """Return the lock manager for its key, that of the nearest transaction which has one."""
        found = getattr(self.store, "lock_manager", None)
        if found is None and self.parent is not None:
            return self.parent.locks()
        return found

    def journal(self) -> Journal | None:
        """Return the journal that its value is still to be recorded by; None when what was kept can be seen at once."""
        return None

    def persist(self) -> Generator[Command, Any, None]:
        """Keep the staged value."""
        if self.store is not None and self.key is not None and self.write_on_commit:
            write, holder = self.store.write, self.outermost().progress.holder
            yield Io(plainly, write, self._staged, self.key, None, holder)

    def undone(self) -> None:
        """Take note that it was rolled back."""


def plainly(function: Callable[..., Any], *args: Any) -> Any:
    """Call one of a store's methods, which on the thread of an event loop returns an awaitable."""
    return finished(function(*args))


def settle(transaction: BaseTransaction, parent: BaseTransaction | None) -> None:
    """Make a transaction active within another one, from which it inherits what it does not say."""
    transaction.parent, transaction.owner = parent, current.get()
    if transaction.commit_mode is None:
        transaction.commit_mode = parent.commit_mode if parent else CommitMode.LAZY
    if transaction.isolation_level is None:
        level = parent.isolation_level if parent else None
        transaction.isolation_level = level or IsolationLevel.READ_COMMITTED
    if transaction.logger is None:
        run = transaction.owner
        plain = logging.getLogger("caudal.transactions")
        transaction.logger = plain if run is None else run_logger(run)
    transaction.state = TransactionState.ACTIVE
