"""What lists of runs are asked for: checked, and as the ledger understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from caudal.client.schemas.queries import Filters, FlowRunQuery, TaskRunQuery
from caudal.client.schemas.sorting import FlowRunSort, TaskRunSort, order_of
from caudal.model.ids import optional_id
from caudal.model.paging import checked_limit, checked_offset
from caudal.model.search import Condition, Order, Relation, Where
from caudal.model.states import StateType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum


class Asked(NamedTuple):
    """What a list of runs is asked for."""

    #: What the filters say; None where none is given.
    where: Where | None
    state_types: tuple[str, ...]
    state_names: tuple[str, ...]
    #: Name of the flow, or of the task.
    of: str | None
    order: Order | None
    limit: int
    offset: int
    #: The run behind which the list goes on.
    behind: bytes | None

    @property
    def is_usual(self) -> bool:
        """Whether the ledger's own lists give it, which indexes serve."""
        return self.where is None and self.order is None and not self.offset

    def all_of(self, **fields: str | bytes | None) -> Where:
        """Return all conditions as one, with those that fields have a value."""
        named = {name: value and (value,) for name, value in fields.items()}
        named |= {"state_type": self.state_types, "state_name": self.state_names}
        usual = [Condition(field, Relation.IN, values) for field, values in named.items() if values]  # fmt: skip
        return Where((self.where or Where(), *usual))


def asked_of_flow_runs(query: Mapping[str, Any]) -> Asked:
    """Return what a list of flow runs is asked for.

    Raises:
        TypeError: There is no such option, or a value is of another type.
        ValueError: A value is none of those that there are.
    """
    return _asked("read_flow_runs", query, FlowRunQuery, FlowRunSort)


def asked_of_task_runs(query: Mapping[str, Any]) -> Asked:
    """Return what a list of task runs is asked for; see `asked_of_flow_runs`."""
    return _asked("read_task_runs", query, TaskRunQuery, TaskRunSort)


def counted_flow_runs(filters: Mapping[str, Any]) -> Where:
    """Return which flow runs are to be counted; see `asked_of_flow_runs`."""
    _check_names("count_flow_runs", filters, Filters)
    return _where("flow_run", filters) or Where()


def counted_task_runs(filters: Mapping[str, Any]) -> Where:
    """Return which task runs are to be counted; see `asked_of_flow_runs`."""
    _check_names("count_task_runs", filters, Filters)
    return _where("task_run", filters) or Where()


def _asked(
    method: str, query: Mapping[str, Any], form: Any, sorts: type[StrEnum]
) -> Asked:
    _check_names(method, query, form)
    table = "flow_run" if form is FlowRunQuery else "task_run"
    of, behind = ("flow_name", "before") if form is FlowRunQuery else ("task_name", "after")  # fmt: skip
    return Asked(
        where=_where(table, query),
        state_types=_checked("state_types", query, StateType),
        state_names=_checked("state_names", query),
        of=_text(of, query.get(of)),
        order=None if query.get("sort") is None else order_of(one_of("sort", query["sort"], sorts)),
        limit=checked_limit(query.get("limit", 100)),
        offset=checked_offset(query.get("offset")),
        behind=optional_id(query.get(behind), table.replace("_", " ")),
    )  # fmt: skip


def _check_names(method: str, query: Mapping[str, Any], form: Any) -> None:
    known: frozenset[str] = form.__optional_keys__
    for name in query.keys() - known:
        msg = f"{method}() has no option {name!r}. It takes {', '.join(sorted(known))}."
        raise TypeError(msg)


def _checked(
    name: str, query: Mapping[str, Any], kinds: type[StrEnum] | None = None
) -> tuple[str, ...]:
    """Return the texts that an option is given, each of which has to be one of some kinds."""
    given = query.get(name)
    if given is None:
        return ()
    if not isinstance(given, (tuple, list, set, frozenset)):
        msg = f"{name}={given!r} is no tuple of texts. Write {name}=({given!r},)."
        raise TypeError(msg)
    values = tuple(cast("tuple[Any, ...]", given))
    if kinds is not None:
        return tuple(one_of(name, value, kinds) for value in values)
    return tuple(_text(name, value) or "" for value in values)


def one_of(name: str, given: Any, kinds: type[StrEnum]) -> str:
    """Return what an option is given, which has to be one of some kinds.

    Raises:
        ValueError: It is another.
    """
    try:
        return kinds(given).value
    except ValueError:
        choices = ", ".join(repr(kind.value) for kind in kinds)
        msg = f"{given!r} is not known as {name}. Choose from {choices}."
        raise ValueError(msg) from None


def _text(name: str, given: Any) -> str | None:
    if given is not None and not isinstance(given, str):
        msg = f"{name}: {given!r} is no text"
        raise TypeError(msg)
    return given


def _where(table: str, query: Mapping[str, Any]) -> Where | None:
    """Return the conditions that filters make on rows of a table, or None when none is given."""
    names = ("flow_filter", "flow_run_filter", "task_run_filter")
    given = [query.get(name) for name in names]
    if given == [None, None, None]:
        return None
    from caudal.client.schemas import filters  # noqa: PLC0415 - pydantic takes 50 ms

    kinds = (filters.FlowFilter, filters.FlowRunFilter, filters.TaskRunFilter)
    parts: Any = (
        value if value is None else kind.model_validate(value)
        for kind, value in zip(kinds, given, strict=True)
    )
    make = filters.flow_runs_where if table == "flow_run" else filters.task_runs_where
    return make(*parts)
