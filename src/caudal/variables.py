"""Variables: named JSON values that flows, tasks and people share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from caudal.engine.documents import checked_name, created, discard, keep, maker
from caudal.exceptions import InvalidValueError
from caudal.ledger.documents import DocumentFilter
from caudal.model.jsonable import is_exact
from caudal.model.views import utc
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from datetime import datetime

    from caudal.model.documents import Document

__all__ = ["Variable"]

T = TypeVar("T")
V = TypeVar("V")

_NAME = "a-z0-9_-"


@dataclass(frozen=True)
class Variable(Generic[T]):
    """A named JSON value; ``Variable[int].get("limit")`` tells type checkers what it holds."""

    name: str
    value: T
    tags: list[str] = field(default_factory=list[str])
    #: None unless it was read by a client.
    created: datetime | None = None
    updated: datetime | None = None

    @classmethod
    async def aset(
        cls,
        name: str,
        value: T,
        tags: list[str] | None = None,
        overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> Variable[T]:
        """Set a variable; see `set`."""
        return await in_thread(cls.set, name, value, tags, overwrite)

    @classmethod
    @dispatched(aset)
    def set(
        cls,
        name: str,
        value: T,
        tags: list[str] | None = None,
        overwrite: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> Variable[T]:
        """Set a variable and return it when it is durable; every process sees it from then on.

        Args:
            name: Lower-case letters, numbers, dashes and underscores.
            value: What JSON holds exactly: text, numbers, true, false, None, and lists and dicts of them.
            tags: Words to find it by; they replace those it has.
            overwrite: Replace the value of a variable that is there.

        Raises:
            ObjectAlreadyExists: There is one, and ``overwrite`` is false.
            InvalidNameError: It cannot have that name.
            InvalidValueError: JSON does not hold the value exactly.
        """
        key = checked_name("a variable", name, characters=_NAME)
        write = created("variable", key, _checked(key, value), tags=list(tags or ()))
        row = keep(write, overwrite=overwrite)
        return cls(row.key or "", row.data, row.tags)

    @overload
    @classmethod
    async def aget(cls, name: str) -> T | None: ...
    @overload
    @classmethod
    async def aget(cls, name: str, default: V) -> T | V: ...
    @classmethod
    async def aget(cls, name: str, default: Any = None) -> Any:
        """Return the value of a variable; see `get`."""
        return await in_thread(cls.get, name, default)

    @overload
    @classmethod
    def get(cls, name: str) -> T | None: ...
    @overload
    @classmethod
    def get(cls, name: str, default: V) -> T | V: ...
    @classmethod
    @dispatched(cast("Any", aget))
    def get(cls, name: str, default: Any = None) -> Any:
        """Return the value of a variable, or the default where there is none."""
        row = find_variable(name)
        return default if row is None else row.data

    @classmethod
    async def aunset(cls, name: str) -> bool:
        """Delete a variable; see `unset`."""
        return await in_thread(cls.unset, name)

    @classmethod
    @dispatched(aunset)
    def unset(cls, name: str) -> bool:
        """Delete a variable and return whether there was one."""
        row = find_variable(name)
        return row is not None and discard("variable", row.id)


def find_variable(name: str) -> Document | None:
    """Return what is on record about a variable, or None."""
    found = maker().documents.find(DocumentFilter("variable", key=name), limit=1)
    return found[0] if found else None


def variable_of(row: Document) -> Variable[Any]:
    """Return a variable as users see it."""
    at = utc(row.created_at), utc(row.updated_at)
    return Variable(row.key or "", row.data, row.tags, *at)


def _checked(name: str, value: Any) -> Any:
    try:
        if is_exact(value):
            return value
    except RecursionError:
        pass
    rule = "It takes what JSON holds exactly: text, finite numbers, true, false, None, and lists and dicts (with text as keys) of them."
    raise InvalidValueError(f"variable {name!r}", repr(value)[:200], rule)
