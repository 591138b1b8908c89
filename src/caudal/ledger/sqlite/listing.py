"""Turns a filter into conditions that an index serves in id order.

SQLite walks an index in order for one value of a column, not for several. So a filter with several states becomes one query for
each, and the pages are merged: each query stops at its limit, and none sorts.
"""

from __future__ import annotations

from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from caudal.ledger.prefixes import id_range
from caudal.model.ids import task_run_id_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from caudal.ledger.port import RunFilter

#: Task runs, from the newest, among which one is found by its name.
NAMES_SEARCHED = 20_000
_AMONG_NEWEST = f"""
    id >= (SELECT min(id) FROM (SELECT id FROM task_run ORDER BY id DESC LIMIT {NAMES_SEARCHED})) AND name = ?
"""  # noqa: S608 - a number of our own

#: A condition and the values of its parameters.
Condition = tuple[str, list[Any]]


def flow_run_conditions(where: RunFilter, before: bytes | None) -> Iterator[Condition]:
    """Yield the conditions whose rows together are the flow runs asked for."""
    common = _equal(
        ("flow_name", where.of),
        ("parent_flow_run_id", where.flow_run_id),
        ("name", where.name),
    )
    if before is not None:
        common.append(("id < ?", [before]))
    for state in _states(where):
        yield _all_of(common + state)


def task_run_conditions(where: RunFilter, after: bytes | None) -> Iterator[Condition]:
    """Yield the conditions whose rows together are the task runs asked for."""
    common = _equal(
        ("flow_run_id", where.flow_run_id),
        ("task_name", where.of),
        ("name", where.name),
    )
    if after is not None:
        operator = "<" if where.flow_run_id is None else ">"
        common.append((f"id {operator} ?", [after]))
    for state in _states(where):
        partial = _partial_index(state)
        if where.flow_run_id is not None and not partial:
            partial = [("id BETWEEN ? AND ?", [*task_run_id_range(where.flow_run_id)])]
        yield _all_of(common + state + partial)


def named(text: str) -> Iterator[Condition]:
    """Yield the conditions on flow runs of a name, or with an id that starts so."""
    yield "name = ?", [text]
    yield from with_id(text)


def with_id(text: str) -> Iterator[Condition]:
    """Yield the condition on rows with an id that starts so, if any can."""
    ids = id_range(text)
    if ids is not None:
        yield "id BETWEEN ? AND ?", [*ids]


def recent_named(name: str) -> Condition:
    """Return the condition on task runs of a name among the newest, which are few enough to look through.

    An index by name would be the dearest part of recording a task run, and names of task runs repeat in every flow run.
    """
    return _AMONG_NEWEST, [name]


def merged(
    pages: Iterable[Sequence[Any]], limit: int, *, newest_first: bool
) -> list[Any]:
    """Return the first rows of sorted pages, each row once."""
    rows = merge(*pages, key=itemgetter(0), reverse=newest_first)
    return list({row[0]: row for row in rows}.values())[:limit]


def order(*, newest_first: bool) -> str:
    """Return the SQL word for the direction of a list."""
    return "DESC" if newest_first else "ASC"


def _equal(*pairs: tuple[str, Any]) -> list[Condition]:
    return [(f"{column} = ?", [value]) for column, value in pairs if value is not None]


def _states(where: RunFilter) -> Iterator[list[Condition]]:
    """Yield the conditions on the state, at most one name or kind in each."""
    kinds, names = where.state_types, where.state_names
    if names:
        of_kind: list[Condition] = []
        if kinds:
            of_kind.append(
                (f"+state_type IN ({', '.join('?' * len(kinds))})", [*kinds])
            )
        for name in dict.fromkeys(names):
            yield [("state_name = ?", [name]), *of_kind]
    elif kinds:
        for kind in dict.fromkeys(kinds):
            yield [("state_type = ?", [kind])]
    else:
        yield []


def _partial_index(state: list[Condition]) -> list[Condition]:
    """Return the condition that lets SQLite use the index that leaves completed task runs out."""
    for condition, values in state:
        if condition == "state_type = ?" and values != ["COMPLETED"]:
            return [("state_type <> 'COMPLETED'", [])]
        if condition == "state_name = ?" and values != ["Completed"]:
            return [("state_name <> 'Completed'", [])]
    return []


def _all_of(conditions: list[Condition]) -> Condition:
    text = " AND ".join(text for text, _ in conditions) or "TRUE"
    return text, [value for _, values in conditions for value in values]
