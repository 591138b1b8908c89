"""Words of transactions: where one is, when it is committed, and how transactions with one key treat each other."""

from __future__ import annotations

from enum import StrEnum


class TransactionState(StrEnum):
    """Where a transaction is."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    STAGED = "STAGED"
    COMMITTED = "COMMITTED"
    ROLLED_BACK = "ROLLED_BACK"


class CommitMode(StrEnum):
    """When a transaction is committed."""

    #: At its own end, inside another one too.
    EAGER = "EAGER"
    #: With the outermost transaction around it.
    LAZY = "LAZY"
    #: Never by itself: it is rolled back unless its code commits it.
    OFF = "OFF"


class IsolationLevel(StrEnum):
    """How transactions with one key treat each other."""

    #: They may run at a time, and see what others have committed.
    READ_COMMITTED = "READ_COMMITTED"
    #: One runs after the other.
    SERIALIZABLE = "SERIALIZABLE"
