"""Transactions: what is done together or undone together.

A transaction has hooks for both outcomes, values that the hooks need, and children: the transactions opened, and the tasks run, within it.
When the outermost one ends well, its children are committed in order, each after its own children; when it ends badly, all that was not committed is
rolled back in reverse order.

What happens is written once, as programs that threads and event loops carry out alike (``engine.commands``): `begin`, `commit`, `roll_back`, `leave`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from caudal.engine.commands import Durable, Hook, Io, Until, run_async, run_sync
from caudal.engine.context import active, current
from caudal.engine.transaction import ENDED, BaseTransaction, plainly, settle
from caudal.engine.waiting import blocked
from caudal.exceptions import ConfigurationError
from caudal.model.transactions import CommitMode, IsolationLevel, TransactionState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from caudal.engine.commands import Command


class Transaction(BaseTransaction):
    """A transaction for ``with``; see `BaseTransaction`."""

    def __enter__(self) -> Self:
        run_sync(begin(self))
        active.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        active.set(self.parent)
        run_sync(leave(self, failed=error[0] is not None))

    def read(self) -> Any:
        """Return the record that is kept under the key; None without a key."""
        return run_sync(_read(self))

    def commit(self) -> bool:
        """Commit it and what is within; False when it had ended before, or could not be committed."""
        return run_sync(commit(self))

    def rollback(self) -> bool:
        """Roll it back and what is within; False when it had ended before, or a hook failed."""
        return run_sync(roll_back(self))


class AsyncTransaction(BaseTransaction):
    """A transaction for ``async with``; see `BaseTransaction`."""

    async def __aenter__(self) -> Self:
        await run_async(begin(self))
        active.set(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        active.set(self.parent)
        await run_async(leave(self, failed=error[0] is not None))

    async def read(self) -> Any:
        """Return the record that is kept under the key; None without a key."""
        return await run_async(_read(self))

    async def commit(self) -> bool:
        """Commit it and what is within; False when it had ended before, or could not be committed."""
        return await run_async(commit(self))

    async def rollback(self) -> bool:
        """Roll it back and what is within; False when it had ended before, or a hook failed."""
        return await run_async(roll_back(self))


#: Tells where tasks are that are called outside flows.
_outside: list[Callable[[], Any]] = [lambda: None]


def ask_outside(outside: Callable[[], Any]) -> None:
    """Say how to learn of the scope of tasks outside flows; None is none yet."""
    _outside[:] = [outside]


class Acquire:
    """Wait for a lock and take it."""

    __slots__ = ("_locks", "_names")

    def __init__(self, locks: Any, key: str, holder: str) -> None:
        self._locks, self._names = locks, (key, holder)

    def perform(self) -> Any:
        """Block this thread; a waiting pool thread makes room for another one."""
        with blocked():
            return self._locks.acquire_lock(*self._names)

    async def aperform(self) -> Any:
        """Let the event loop go on meanwhile."""
        return await self._locks.aacquire_lock(*self._names)


def begin(transaction: BaseTransaction) -> Generator[Command, Any, None]:
    """Open a transaction: take its lock where it needs one, and see whether its value is kept already.

    Raises:
        ConfigurationError: It needs a lock, and there is no lock manager.
        RuntimeError: It was opened before.
    """
    if transaction.state is not TransactionState.PENDING:
        raise RuntimeError("a transaction can be entered once. Make another one.")
    settle(transaction, active.get())
    store, key = transaction.store, transaction.key
    if store is None or key is None:
        return
    yield from acquire(transaction, key)
    try:
        kept = not transaction.overwrite and (yield Io(plainly, store.exists, key))
    except BaseException:
        yield from release(transaction)
        raise
    if kept:
        transaction.state = TransactionState.COMMITTED


def acquire(transaction: BaseTransaction, key: str) -> Generator[Command, Any, None]:
    """Take the lock of a key where the isolation level asks for it.

    It belongs to the outermost transaction: those within it do not wait for each other, which would be for ever.

    Raises:
        ConfigurationError: There is no lock manager.
    """
    if transaction.isolation_level is not IsolationLevel.SERIALIZABLE:
        return
    locks, outermost = transaction.locks(), transaction.outermost()
    if locks is None:
        raise ConfigurationError(
            "isolation level SERIALIZABLE needs locks. Give the result store or the cache policy a "
            "lock_manager: MemoryLockManager() for the threads of one process, FileSystemLockManager(folder) for several processes."
        )
    with (
        outermost.progress.mutex
    ):  # counted before it is taken, so that nobody gives it away in between
        outermost.progress.held[key] = outermost.progress.held.get(key, 0) + 1
    transaction.progress.lock = locks, key, outermost
    try:
        yield Acquire(locks, key, outermost.progress.holder)
    except BaseException:
        yield from release(transaction)
        raise


def release(transaction: BaseTransaction) -> Generator[Command, Any, None]:
    """Give up the lock, once what was kept can be seen by who waits for it."""
    if transaction.progress.lock is None:
        return
    (locks, key, outermost), transaction.progress.lock = transaction.progress.lock, None
    try:
        journal = transaction.journal()
        if journal is not None and transaction.is_committed():
            yield Durable(journal)
    finally:
        with outermost.progress.mutex:
            outermost.progress.held[key] -= 1
            if not outermost.progress.held[key]:
                with suppress(ValueError):  # its time is over, or it was never taken
                    locks.release_lock(key, outermost.progress.holder)


def _read(transaction: BaseTransaction) -> Generator[Command, Any, Any]:
    if transaction.store is None or transaction.key is None:
        return None
    holder = transaction.outermost().progress.holder
    return (yield Io(plainly, transaction.store.read, transaction.key, holder))


def commit(transaction: BaseTransaction) -> Generator[Command, Any, bool]:
    """Commit a transaction: what is within, then its hooks, then its value. Where that fails, roll it back.

    Returns:
        Whether it was committed now.
    """
    with transaction.progress.mutex:
        begun = transaction.progress.ending is None and transaction.state not in ENDED
        transaction.progress.ending = transaction.progress.ending or "commit"
    if not begun:
        yield from release(transaction)
        return False
    try:
        for child in transaction.children:
            yield from commit(child)
        for hook in transaction.on_commit_hooks:
            yield from _run_hook(transaction, hook, "commit")
        yield from transaction.persist()
    except Exception as error:
        transaction.error = error
        transaction.logger.exception("transaction %s could not be committed and is rolled back", _name(transaction))  # fmt: skip
        yield from roll_back(transaction)
        return False
    transaction.state = TransactionState.COMMITTED
    yield from release(transaction)
    return True


def roll_back(transaction: BaseTransaction) -> Generator[Command, Any, bool]:
    """Roll a transaction back: its hooks, the last one first, then what is within, the last one first.

    A hook that fails is logged, and the rest is rolled back all the same.

    Returns:
        Whether it was rolled back now, and no hook failed.
    """
    with transaction.progress.mutex:
        begun = (
            transaction.progress.ending != "rollback" and transaction.state not in ENDED
        )
        if begun:
            transaction.progress.ending = "rollback"
    if not begun:
        yield from release(transaction)
        return False
    clean = True
    try:
        for hook in reversed(transaction.on_rollback_hooks):
            try:
                yield from _run_hook(transaction, hook, "rollback")
            except Exception:  # noqa: BLE001 - the user's code
                clean = False
        transaction.state = TransactionState.ROLLED_BACK
        transaction.undone()
        for child in reversed(transaction.children):
            if child.state not in ENDED:
                clean = (yield from roll_back(child)) and clean
    finally:
        yield from release(transaction)
    return clean


def leave(
    transaction: BaseTransaction, *, failed: bool
) -> Generator[Command, Any, None]:
    """End the block of a transaction: settle it, or leave it to the one around.

    Args:
        transaction: The transaction.
        failed: Whether an exception left the block.
    """
    if failed:
        yield from roll_back(transaction)
    else:
        yield from _wait_for_runs(transaction)
        if transaction.commit_mode is CommitMode.EAGER:
            yield from commit(transaction)
    yield from hand_over(transaction)


def hand_over(transaction: BaseTransaction) -> Generator[Command, Any, None]:
    """Leave an ended transaction to the one around it, or settle it where there is none.

    One that was rolled back takes the one around it along. Where the one around is over, it shares that one's fate.
    """
    parent = transaction.parent
    if parent is None:
        if transaction.commit_mode is CommitMode.OFF:
            yield from roll_back(transaction)
        else:
            yield from commit(transaction)
    elif transaction.is_rolled_back():
        if parent.follows_children:
            yield from roll_back(parent)
    elif not parent.take(transaction):
        if parent.progress.ending == "rollback":
            yield from roll_back(transaction)
        else:
            yield from commit(transaction)


def _wait_for_runs(transaction: BaseTransaction) -> Generator[Command, Any, None]:
    """Wait for the task runs that were submitted within a transaction: their outcome is part of it."""
    run = current.get()
    scope: Any = _outside[0]() if run is None else run.scope
    if scope is None:
        return
    around: set[int] = set()
    while run is not None:
        around.add(id(run))
        run = getattr(run, "parent", None)
    for submitted in tuple(scope.live):
        context = submitted.context
        within = None if context is None else context.get(active)
        if within is None or id(submitted) in around:
            continue
        if within.is_under(transaction):
            yield Until(submitted.subscribe)


def _run_hook(
    transaction: BaseTransaction, hook: Callable[..., Any], kind: str
) -> Generator[Command, Any, None]:
    name = getattr(hook, "__name__", None) or repr(hook)
    run = transaction.owner
    if run is not None and not (yield from run.scope.is_own()):
        transaction.logger.warning("%s hook %r is not run: another process owns the flow run", kind, name)  # fmt: skip
        return
    transaction.logger.info("Running %s hook %r", kind, name)
    try:
        yield Hook(transaction.owner, hook, transaction)
    except Exception:
        transaction.logger.exception("%s hook %r failed", kind, name)
        raise


def _name(transaction: BaseTransaction) -> str:
    return "without a key" if transaction.key is None else repr(transaction.key)
