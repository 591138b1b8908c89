"""Conditions on rows, as values: which rows a search shows, whatever ledger it is made in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Relation(StrEnum):
    """What a condition asks of a field."""

    #: It is one of the values.
    IN = "in"
    NOT_IN = "not in"
    #: It contains the text, in upper or lower case.
    CONTAINS = "contains"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    #: It has no value, or, with False, it has one.
    IS_NULL = "is null"
    #: A list: it holds all of the values, or one of them at least.
    HAS_ALL = "has all"
    HAS_ANY = "has any"


class Condition(NamedTuple):
    """What one field has to be."""

    field: str
    test: Relation
    value: Any


class Related(NamedTuple):
    """That a field is among those of rows of another table."""

    field: str
    #: ``flow_run`` or ``task_run``.
    table: str
    #: The field of the other table.
    other: str
    where: Where


class Where(NamedTuple):
    """Conditions that hold together, or of which one holds; none at all hold of every row."""

    parts: tuple[Condition | Related | Where, ...] = ()
    is_or: bool = False


class Order(NamedTuple):
    """The order of rows: by a field, then by id."""

    field: str = "id"
    descending: bool = True


#: What each test asks of a field's value and of the condition's.
_HOLDS: Mapping[Relation, Callable[[Any, Any], bool]] = {
    Relation.IN: lambda value, wanted: value in wanted,
    Relation.NOT_IN: lambda value, wanted: value not in wanted,
    Relation.CONTAINS: lambda value, wanted: wanted.lower() in value.lower(),
    Relation.AT_LEAST: lambda value, wanted: value >= wanted,
    Relation.AT_MOST: lambda value, wanted: value <= wanted,
    Relation.HAS_ALL: lambda value, wanted: set(wanted) <= set(value),
    Relation.HAS_ANY: lambda value, wanted: not set(wanted).isdisjoint(value),
}


def holds(condition: Condition, value: Any) -> bool:
    """Say whether a field's value meets a condition; one without a value meets only that it has none.

    Args:
        condition: The condition.
        value: The field's value in a row; None when it has none.
    """
    _, test, wanted = condition
    if test is Relation.IS_NULL:
        return (value is None or value == []) is wanted
    return value is not None and _HOLDS[test](value, wanted)


def value_of(row: Any, field: str) -> Any:
    """Return a field's value in a row; what has no column of its own is among the row's details."""
    match field:
        case "flow_version":
            return row.details.get("version")
        case "tags" if not hasattr(row, "tags"):
            return cast("dict[str, Any]", row.details or {}).get("tags")
        case _:
            return getattr(row, field)
