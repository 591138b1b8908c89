"""Task runs as transactions: each one that takes part ends with the transaction around it.

A task run takes part when there is a transaction around it, or when its task has hooks ``on_commit`` or ``on_rollback`` or asks for locks. A task that
calls tasks with such hooks is a transaction around them, made when the first of them needs it: so calls that use none of this pay nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from caudal.engine.commands import Io, run_sync
from caudal.engine.context import active
from caudal.engine.logs import run_logger
from caudal.engine.transaction import BaseTransaction, settle
from caudal.engine.transactions import (
    AsyncTransaction,
    Transaction,
    acquire,
    commit,
    hand_over,
    release,
    roll_back,
)
from caudal.exceptions import SerializationError, StorageError
from caudal.model.states import State
from caudal.model.transactions import CommitMode, IsolationLevel, TransactionState

if TYPE_CHECKING:
    from collections.abc import Generator

    from caudal.engine.caching import Keeping
    from caudal.engine.commands import Command
    from caudal.engine.journal import Journal
    from caudal.engine.live_task import LiveTask


class _OfTask(BaseTransaction):
    """What task runs as transactions have in common.

    Args:
        run: The task run.
        keeping: What is kept of it; None for a run that is only around others.
    """

    #: The task's own outcome decides, whatever it makes of what it calls.
    follows_children: ClassVar[bool] = False

    def __init__(self, run: Any, keeping: Keeping | None) -> None:
        policy = getattr(run.spec, "cache_policy", None)
        level = None if policy is None else policy.isolation_level
        super().__init__(
            isolation_level=None if level is None else IsolationLevel(level),
            logger=run_logger(run),
        )
        self.run: Any = run
        self.keeping: Keeping | None = keeping
        self._locks: Any = None if policy is None else policy.lock_manager

    def locks(self) -> Any:
        """Return the lock manager of the task's cache policy, or that of the transaction around."""
        return self._locks or super().locks()

    def journal(self) -> Journal:
        """Return the journal of the task's flow run."""
        return self.run.scope.journal

    def persist(self) -> Generator[Command, Any, None]:
        """Store the result, where results of the task are stored."""
        keeping = self.keeping
        if keeping is not None and keeping.persists:
            yield Io(keeping.store, self._staged)
            if self.run.done:
                self.run.record_late()

    def undone(self) -> None:
        """Say of a completed run that it was rolled back."""
        if self.run.done and self.run.is_completed:
            self.run.roll_back()


class TaskTransaction(_OfTask, Transaction):
    """A run of a plain task as a transaction."""


class AsyncTaskTransaction(_OfTask, AsyncTransaction):
    """A run of a task of a coroutine function as a transaction."""


def in_transaction(
    run: LiveTask, keeping: Keeping, program: Generator[Command, Any, None]
) -> Generator[Command, Any, None]:
    """Carry out a run's program with the run as a transaction.

    Args:
        run: The task run.
        keeping: What is kept of it.
        program: Ends the run, and calls `settle_run` or `abort_run` before.
    """
    around = active.get()
    if around is None and run.parent is not run.scope:
        around = implied(run.parent)
    transaction = _make(run, keeping)
    settle(transaction, around)
    transaction.owner = run
    previous = active.get()
    active.set(transaction)
    run.scope.transactions[run.id] = transaction
    try:
        yield from program
        if transaction.is_active():  # a kept result, or a recorded failure
            transaction.state = TransactionState.COMMITTED
            yield from release(transaction)
    except GeneratorExit:
        raise
    except BaseException:
        yield from abort_run(run)
        raise
    finally:
        active.set(previous)
        run.scope.transactions.pop(run.id, None)


def _make(run: Any, keeping: Keeping | None) -> TaskTransaction | AsyncTaskTransaction:
    kind = AsyncTaskTransaction if run.spec.is_async else TaskTransaction
    return kind(run, keeping)


def implied(run: Any) -> BaseTransaction:
    """Return the transaction of a run that takes part because of what its code does; made when it is first asked for.

    It ends with the run.
    """
    known: dict[bytes, Any] = run.scope.transactions
    found = known.get(run.id)
    if found is not None:
        return found
    above = run.parent
    around = None if above is None or above is run.scope else implied(above)
    transaction = _make(run, None)
    settle(transaction, around)
    transaction.owner = run
    found = known.setdefault(run.id, transaction)
    subscribe = getattr(run, "subscribe", None)
    if found is transaction and subscribe is not None:
        subscribe(lambda: _end_implied(transaction))
    return found


def _end_implied(transaction: TaskTransaction | AsyncTaskTransaction) -> None:
    run = transaction.run
    run.scope.transactions.pop(run.id, None)
    if run.is_completed:
        run_sync(hand_over(transaction))
    else:
        run_sync(roll_back(transaction))


def _of(run: LiveTask) -> Any:
    """Return a run's transaction, or None."""
    known = run.scope.transactions
    return known.get(run.id) if known else None


def takes_part(run: LiveTask) -> bool:
    """Say whether a run is a transaction that ends with the one around it, not one that is only around others."""
    transaction = _of(run)
    return transaction is not None and transaction.keeping is not None


def lock_key(run: LiveTask, keeping: Keeping) -> Generator[Command, Any, None]:
    """Take the lock of the run's key where its isolation level asks for it.

    Raises:
        ConfigurationError: It does, and there is no lock manager.
    """
    if not takes_part(run):
        return
    transaction = _of(run)
    if transaction.isolation_level is IsolationLevel.SERIALIZABLE:
        yield Io(keeping.prepare)
        transaction.key = keeping.key
        if keeping.key is not None:
            yield from acquire(transaction, keeping.key)


def settle_run(run: LiveTask, state: State[Any]) -> Generator[Command, Any, State[Any]]:
    """Commit a run that takes part and is about to complete, or leave it to the transaction around; return the state that it is to enter.

    Raises:
        SerializationError: Its result cannot be stored.
        StorageError: Likewise.
    """
    transaction = _of(run)
    if run.done:  # closed from outside; what its code did meanwhile does not count
        yield from abort_run(run)
        return state
    hooks = run.spec.hooks
    transaction.key = transaction.keeping.key
    transaction.stage(
        state.data, [*hooks.get("rollback", ())], [*hooks.get("commit", ())]
    )
    if transaction.parent is None or transaction.commit_mode is CommitMode.EAGER:
        yield from commit(transaction)
    if transaction.parent is not None:
        yield from hand_over(transaction)
    if isinstance(transaction.error, (SerializationError, StorageError)):
        raise transaction.error
    if transaction.is_rolled_back():
        return State(state.type, "RolledBack", state.message, state.data)
    return state


def notice(run: LiveTask) -> None:
    """Say of a run that has just completed that it was rolled back meanwhile, by another thread."""
    transaction = _of(run)
    if (
        transaction is not None
        and transaction.is_rolled_back()
        and run.state_name != "RolledBack"
    ):
        run.roll_back()


def abort_run(run: LiveTask) -> Generator[Command, Any, None]:
    """Roll back what was done within a run that ends badly, and the transaction around it."""
    transaction = _of(run)
    if transaction is None:
        return
    yield from roll_back(transaction)
    parent = transaction.parent
    if parent is not None and parent.follows_children:
        yield from roll_back(parent)


def undo_attempt(run: LiveTask) -> Generator[Command, Any, None]:
    """Roll back what was done within an attempt of a run that is tried again."""
    transaction = _of(run)
    if transaction is None:
        return
    children, transaction.children = transaction.children, []
    for child in reversed(children):
        yield from roll_back(child)
