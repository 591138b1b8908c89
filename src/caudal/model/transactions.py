"""Words of transactions: where one is, when it is committed, and how transactions with one key treat each other."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)


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


def member(kind: type[E], option: str, given: E | str | None) -> E | None:
    """Return the word that was given for an option, None where none was.

    Raises:
        ValueError: There is no such word.
    """
    if given is None or given in set(kind):
        return None if given is None else kind(given)
    raise ValueError(f"{option} is {' or '.join(kind)}, not {given!r}")
