"""Transactions: what is done together or undone together.

Within ``with transaction():`` the results of tasks are kept, and their ``on_commit`` hooks called, when the block ends well. When it fails, the
``on_rollback`` hooks of the tasks that had completed are called in reverse order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.composition import made_engine
from caudal.engine.context import active, current
from caudal.engine.task_transactions import implied
from caudal.engine.transaction import BaseTransaction
from caudal.engine.transactions import AsyncTransaction, Transaction, ask_outside
from caudal.model.transactions import CommitMode, IsolationLevel, TransactionState

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter

    from caudal.results import ResultStore

__all__ = [
    "AsyncTransaction",
    "BaseTransaction",
    "CommitMode",
    "IsolationLevel",
    "Transaction",
    "TransactionState",
    "atransaction",
    "get_transaction",
    "transaction",
]


def transaction(
    key: str | None = None,
    store: ResultStore | None = None,
    commit_mode: CommitMode | None = None,
    isolation_level: IsolationLevel | None = None,
    overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    write_on_commit: bool = True,  # noqa: FBT001, FBT002
    logger: Logger | LoggerAdapter[Any] | None = None,
) -> Transaction:
    """Return a transaction to open with ``with``.

    Args:
        key: Name under which what is staged is kept when the transaction is committed. When something is kept there already, the transaction
            is committed from the start: ``if txn.is_committed(): return``.
        store: Where it is kept; by default where the run in charge keeps results.
        commit_mode: When it is committed: ``LAZY`` with the outermost transaction around, which is the default, ``EAGER`` at the end of its own block, ``OFF``
            only when its code calls ``commit()``.
        isolation_level: ``SERIALIZABLE`` makes blocks of one key run one after the other; it needs a store with a lock manager.
        overwrite: Replace what is kept under the key.
        write_on_commit: Keep what is staged at all.
        logger: Told of hooks and errors; by default the logger of the run in charge.
    """
    return Transaction(
        key=key,
        store=_store(key, store),
        commit_mode=commit_mode,
        isolation_level=isolation_level,
        overwrite=overwrite,
        write_on_commit=write_on_commit,
        logger=logger,
    )


def atransaction(
    key: str | None = None,
    store: ResultStore | None = None,
    commit_mode: CommitMode | None = None,
    isolation_level: IsolationLevel | None = None,
    overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    write_on_commit: bool = True,  # noqa: FBT001, FBT002
    logger: Logger | LoggerAdapter[Any] | None = None,
) -> AsyncTransaction:
    """Return a transaction to open with ``async with``; see `transaction`."""
    return AsyncTransaction(
        key=key,
        store=_store(key, store),
        commit_mode=commit_mode,
        isolation_level=isolation_level,
        overwrite=overwrite,
        write_on_commit=write_on_commit,
        logger=logger,
    )


def get_transaction() -> Any:
    """Return the innermost transaction whose code asks: a `Transaction`, in coroutines an `AsyncTransaction`; None outside of tasks and transactions."""
    innermost, run = active.get(), current.get()
    if run is None or run is run.scope or innermost is not None:
        return innermost
    return implied(run)


def _outside() -> Any:
    engine = made_engine()
    return None if engine is None else engine.outside


ask_outside(_outside)


def _store(key: str | None, store: ResultStore | None) -> Any:
    if key is None or store is not None:
        return store
    from caudal.results import get_result_store  # noqa: PLC0415 - only transactions with a key need it

    return get_result_store()
