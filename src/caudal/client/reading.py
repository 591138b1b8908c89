"""What clients read of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from caudal.client.schemas.objects import Flow, Log
from caudal.client.schemas.queries import Filters, FlowRunQuery, TaskRunQuery
from caudal.engine.finding import find_flow_run, find_task_run
from caudal.engine.recorded_states import recorded_flow_run, recorded_task_run
from caudal.exceptions import CaudalError, ObjectNotFound
from caudal.ledger.encoding import decode_flow_change, decode_task_change
from caudal.ledger.port import RunFilter
from caudal.model.search import Condition, Order, Relation, Where
from caudal.model.state_json import MISSING
from caudal.model.states import State, StateType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from caudal.client.schemas.filters import LogFilter
    from caudal.client.schemas.sorting import FlowRunSort, LogSort, TaskRunSort
    from caudal.engine.engine import Engine
    from caudal.model.checks import CheckResult
    from caudal.model.runs import FlowRunRow, Move
    from caudal.model.views import FlowRun, TaskRun

#: The most rows a single read returns.
MAX_LIMIT = 10_000


class RunReads:
    """The part of a client that reads runs, their states and what they logged."""

    _engine: Engine

    def read_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """Return a flow run by its id, the start of its id, or its name.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
        """
        return recorded_flow_run(self._engine, self.find_flow_run(flow_run_id))

    def read_task_run(self, task_run_id: UUID | str) -> TaskRun:
        """Return a task run by its id, the start of its id, or its name.

        Raises:
            ObjectNotFound: There is none.
            AmbiguousNameError: There are several.
        """
        row = find_task_run(self._engine, task_run_id)
        return recorded_task_run(self._engine, row)

    def read_flow_by_name(self, flow_name: str) -> Flow:
        """Return a flow of which there are runs.

        Raises:
            ObjectNotFound: There is no run of such a flow.
        """
        if not self.read_flow_runs(flow_name=flow_name, limit=1):
            raise ObjectNotFound("flow", flow_name)
        return Flow(flow_name)

    def api_healthcheck(self) -> Exception | None:
        """Return None when the ledger can be read, else the error that says why not."""
        try:
            self._engine.ledger.flow_runs(RunFilter(), limit=1)
        except CaudalError as error:
            return error
        return None

    def read_flow_runs(self, **query: Unpack[FlowRunQuery]) -> list[FlowRun]:
        """Return flow runs, newest first or in the order asked for.

        Args:
            query: Which, and how many; see ``caudal.client.schemas.queries.FlowRunQuery``.
        """
        _check_query("read_flow_runs", query, FlowRunQuery)
        self._settle()
        ledger, before = self._engine.ledger, query.get("before")
        where, sort, offset = _flow_runs_where(query), query.get("sort"), query.get("offset", 0)  # fmt: skip
        limit, after = _limit(query.get("limit", 100)), before.bytes if before else None
        kinds, names = query.get("state_types", ()), query.get("state_names", ())
        of = query.get("flow_name")
        if where is None and sort is None and not offset:
            usual = RunFilter(kinds, names, of=of)
            rows = ledger.flow_runs(usual, limit=limit, before=after)
        else:
            fields = {"flow_name": of and (of,), "state_type": kinds, "state_name": names}  # fmt: skip
            rows = ledger.search.flow_runs(
                _with_usual(where, fields),
                _order(sort, descending=True),
                limit=limit,
                offset=offset,
                after=after,
            )
        return [recorded_flow_run(self._engine, row) for row in rows]

    def count_flow_runs(self, **filters: Unpack[Filters]) -> int:
        """Return how many flow runs there are.

        Args:
            filters: Which; see ``caudal.client.schemas.queries.Filters``.
        """
        _check_query("count_flow_runs", filters, Filters)
        self._settle()
        where = _or_all(_flow_runs_where(filters))
        return self._engine.ledger.search.count("flow_run", where)

    def read_task_runs(self, **query: Unpack[TaskRunQuery]) -> list[TaskRun]:
        """Return task runs: those of one flow run oldest first, others newest first, or in the order asked for.

        Args:
            query: Which, and how many; see ``caudal.client.schemas.queries.TaskRunQuery``.
        """
        _check_query("read_task_runs", query, TaskRunQuery)
        self._settle()
        ledger, behind = self._engine.ledger, query.get("after")
        where, sort, offset = _task_runs_where(query), query.get("sort"), query.get("offset", 0)  # fmt: skip
        limit, after = _limit(query.get("limit", 100)), behind.bytes if behind else None
        kinds, names = query.get("state_types", ()), query.get("state_names", ())
        of, flow_run = query.get("task_name"), query.get("flow_run_id")
        owner = None if flow_run is None else self.find_flow_run(flow_run).id
        if where is None and sort is None and not offset:
            usual = RunFilter(kinds, names, of=of, flow_run_id=owner)
            rows = ledger.task_runs(usual, limit=limit, after=after)
        else:
            fields = {
                "task_name": of and (of,),
                "flow_run_id": owner and (owner,),
                "state_type": kinds,
                "state_name": names,
            }
            rows = ledger.search.task_runs(
                _with_usual(where, fields),
                _order(sort, descending=owner is None),
                limit=limit,
                offset=offset,
                after=after,
            )
        return [recorded_task_run(self._engine, row) for row in rows]

    def count_task_runs(self, **filters: Unpack[Filters]) -> int:
        """Return how many task runs there are.

        Args:
            filters: Which; see ``caudal.client.schemas.queries.Filters``.
        """
        _check_query("count_task_runs", filters, Filters)
        self._settle()
        where = _or_all(_task_runs_where(filters))
        return self._engine.ledger.search.count("task_run", where)

    def read_flow_run_states(self, flow_run_id: UUID | str) -> list[State[object]]:
        """Return the states that a flow run was in, oldest first."""
        row = self.find_flow_run(flow_run_id)
        events = self._engine.ledger.changes(row.id)
        moves = [move for event in events for move in decode_flow_change(event.payload).moves]  # fmt: skip
        return _states(moves, recorded_flow_run(self._engine, row).state)

    def read_task_run_states(self, task_run_id: UUID | str) -> list[State[object]]:
        """Return the states that a task run was in, oldest first."""
        row = find_task_run(self._engine, task_run_id)
        events = self._engine.ledger.changes(row.flow_run_id, row.id)
        moves = [move for event in events for move in decode_task_change(event.payload).moves]  # fmt: skip
        return _states(moves, recorded_task_run(self._engine, row).state)

    def read_logs(
        self,
        log_filter: LogFilter | None = None,
        limit: int | None = 1000,
        offset: int = 0,
        sort: LogSort | None = None,
        *,
        flow_run_id: UUID | None = None,
        task_run_id: UUID | None = None,
        since: int = 0,
    ) -> list[Log]:
        """Return log lines, in the order in which they were recorded.

        Args:
            log_filter: Only these lines; see ``caudal.client.schemas.filters``.
            limit: The most lines to return; None is 10,000, which is the limit of limits.
            offset: How many to pass over. To go on, ``since`` is cheaper.
            sort: ``TIMESTAMP_DESC`` for the last lines first.
            flow_run_id: Only lines of this flow run and its tasks; this and the next two are for use without a filter.
            task_run_id: Only lines of this task run.
            since: Only lines behind this position.
        """
        self._settle()
        ledger = self._engine.ledger
        if log_filter is None and sort is None and not offset:
            found = ledger.logs(
                flow_run_id=flow_run_id.bytes if flow_run_id else None,
                task_run_id=task_run_id.bytes if task_run_id else None,
                since=since,
                limit=_limit(limit),
            )
        else:
            found = ledger.search.logs(
                _or_all(None if log_filter is None else log_filter.where()),
                descending=sort is not None and sort.endswith("DESC"),
                limit=_limit(limit),
                offset=offset,
            )
        return [Log(place, row) for place, row in found]

    def read_checks(self, flow_run_id: UUID | str) -> list[CheckResult]:
        """Return the check results that a flow run recorded, in order."""
        row = self.find_flow_run(flow_run_id)
        found = self._engine.ledger.checks(row.id, limit=MAX_LIMIT)
        return [write.result for write in found]

    def find_flow_run(self, given: UUID | str) -> FlowRunRow:
        """Return a flow run's row by its id, the start of its id, or its name; see `read_flow_run`."""
        return find_flow_run(self._engine, given)

    def _settle(self) -> None:
        """Have everything written that this process recorded so far."""
        self._engine.journal.barrier().wait()


def _check_query(method: str, query: Filters, kind: Any) -> None:
    """Refuse what a list cannot be asked for, so that nobody takes a list of all runs for one of some."""
    known: frozenset[str] = kind.__optional_keys__
    unknown = ", ".join(sorted(query.keys() - known))
    if unknown:
        msg = f"{method}() cannot be asked for {unknown}; it takes {', '.join(sorted(known))}"
        raise TypeError(msg)


def _limit(limit: int | None) -> int:
    return MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)


def _order(sort: FlowRunSort | TaskRunSort | None, *, descending: bool) -> Order:
    if sort is None:
        return Order("id", descending)
    from caudal.client.schemas.sorting import order_of  # noqa: PLC0415 - with the filters

    return order_of(sort)


def _given(query: Filters) -> Any:
    """Return the filters that are given, or None when none is."""
    given = (
        query.get("flow_filter"),
        query.get("flow_run_filter"),
        query.get("task_run_filter"),
    )
    return None if given == (None, None, None) else given


def _flow_runs_where(query: Filters) -> Where | None:
    given = _given(query)
    if given is None:
        return None
    from caudal.client.schemas.filters import flow_runs_where  # noqa: PLC0415 - pydantic takes 50 ms

    return flow_runs_where(*given)


def _task_runs_where(query: Filters) -> Where | None:
    given = _given(query)
    if given is None:
        return None
    from caudal.client.schemas.filters import task_runs_where  # noqa: PLC0415 - pydantic takes 50 ms

    return task_runs_where(*given)


def _or_all(where: Where | None) -> Where:
    return Where() if where is None else where


def _with_usual(
    where: Where | None, fields: Mapping[str, tuple[Any, ...] | Any]
) -> Where:
    """Return conditions together with those that are said without a filter."""
    usual = [
        Condition(field, Relation.IN, values)
        for field, values in fields.items()
        if values
    ]
    return Where((_or_all(where), *usual))


def _states(moves: Iterable[Move], last: State[Any]) -> list[State[object]]:
    """Return the states that a run moved to; the last one has its result, those of earlier attempts are told by their message.

    Args:
        moves: The moves.
        last: The state that the run is in.
    """
    made: list[State[object]] = []
    for kind, name, at, message in moves:
        if (kind, name, at) == (last.type, last.name, last.at):
            made.append(last)
            continue
        data = MISSING if kind == StateType.COMPLETED else None
        state: State[object] = State(kind, name, message, data, timestamp=at)
        made.append(state.of_run(*last.run_ids))
    return made
