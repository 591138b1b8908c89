"""What clients read of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from caudal.client.asking import (
    asked_of_flow_runs,
    asked_of_task_runs,
    counted_flow_runs,
    counted_task_runs,
    one_of,
)
from caudal.client.schemas.objects import Flow, Log
from caudal.client.schemas.sorting import LogSort
from caudal.engine.finding import find_flow_run, find_task_run
from caudal.engine.recorded_states import recorded_flow_run, recorded_task_run
from caudal.exceptions import CaudalError, ObjectNotFound
from caudal.ledger.encoding import decode_flow_change, decode_task_change
from caudal.ledger.port import RunFilter
from caudal.model.ids import optional_id
from caudal.model.paging import MAX_LIMIT, checked_limit, checked_offset
from caudal.model.search import Condition, Order, Relation, Where
from caudal.model.state_json import MISSING
from caudal.model.states import State, StateType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from caudal.client.schemas.filters import LogFilter
    from caudal.client.schemas.queries import Filters, FlowRunQuery, TaskRunQuery
    from caudal.engine.engine import Engine
    from caudal.engine.parts import Parts
    from caudal.model.checks import CheckResult
    from caudal.model.runs import FlowRunRow, Move
    from caudal.model.views import FlowRun, TaskRun


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

        Raises:
            TypeError: There is no such option, or a value is of another type.
            ValueError: A value is none of those that there are.
        """
        self._settle()
        ledger, asked = self._engine.ledger, asked_of_flow_runs(query)
        if asked.is_usual:
            usual = RunFilter(asked.state_types, asked.state_names, of=asked.of)
            rows = ledger.flow_runs(usual, limit=asked.limit, before=asked.behind)
        else:
            rows = ledger.search.flow_runs(
                asked.all_of(flow_name=asked.of),
                asked.order or Order("id", descending=True),
                limit=asked.limit,
                offset=asked.offset,
                after=asked.behind,
            )
        return [recorded_flow_run(self._engine, row) for row in rows]

    def count_flow_runs(self, **filters: Unpack[Filters]) -> int:
        """Return how many flow runs there are.

        Args:
            filters: Which; see ``caudal.client.schemas.queries.Filters``.
        """
        self._settle()
        where = counted_flow_runs(filters)
        return self._engine.ledger.search.count("flow_run", where)

    def read_task_runs(self, **query: Unpack[TaskRunQuery]) -> list[TaskRun]:
        """Return task runs: those of one flow run oldest first, others newest first, or in the order asked for.

        Args:
            query: Which, and how many; see ``caudal.client.schemas.queries.TaskRunQuery``.
        """
        self._settle()
        ledger, asked = self._engine.ledger, asked_of_task_runs(query)
        flow_run = query.get("flow_run_id")
        owner = None if flow_run is None else self.find_flow_run(flow_run).id
        if asked.is_usual:
            usual = RunFilter(
                asked.state_types, asked.state_names, of=asked.of, flow_run_id=owner
            )
            rows = ledger.task_runs(usual, limit=asked.limit, after=asked.behind)
        else:
            rows = ledger.search.task_runs(
                asked.all_of(task_name=asked.of, flow_run_id=owner),
                asked.order or Order("id", descending=owner is None),
                limit=asked.limit,
                offset=asked.offset,
                after=asked.behind,
            )
        return [recorded_task_run(self._engine, row) for row in rows]

    def count_task_runs(self, **filters: Unpack[Filters]) -> int:
        """Return how many task runs there are.

        Args:
            filters: Which; see ``caudal.client.schemas.queries.Filters``.
        """
        self._settle()
        where = counted_task_runs(filters)
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
        flow_run_id: UUID | str | None = None,
        task_run_id: UUID | str | None = None,
        since: int = 0,
    ) -> list[Log]:
        """Return log lines, in the order in which they were recorded.

        Args:
            log_filter: Only these lines; see ``caudal.client.schemas.filters``.
            limit: The most lines to return; None is 10,000, which is the limit of limits.
            offset: How many to pass over. To go on, ``since`` is cheaper.
            sort: ``TIMESTAMP_DESC`` for the last lines first.
            flow_run_id: Only lines of this flow run and its tasks.
            task_run_id: Only lines of this task run.
            since: Only lines behind this position; for use without a filter, a sort and an offset.
        """
        self._settle()
        ledger, first = self._engine.ledger, checked_offset(offset)
        owner = _id(self._engine, flow_run_id, find_flow_run)
        task_run = _id(self._engine, task_run_id, find_task_run)
        if log_filter is None and sort is None and not first:
            found = ledger.logs(
                flow_run_id=owner,
                task_run_id=task_run,
                since=checked_offset(since),
                limit=checked_limit(limit),
            )
        else:
            if since:
                msg = "read_logs() takes since without a filter, a sort or an offset. Use offset, or leave them out."
                raise TypeError(msg)
            fields = {"flow_run_id": owner, "task_run_id": task_run}
            found = ledger.search.logs(
                _lines(log_filter, fields),
                descending=sort is not None
                and one_of("sort", sort, LogSort) == LogSort.TIMESTAMP_DESC,
                limit=checked_limit(limit),
                offset=first,
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


def _id(
    engine: Engine, given: UUID | str | None, find: Callable[[Parts, str], Any]
) -> bytes | None:
    """Return a run's id; a run that is given by its whole id need not be on record yet."""
    try:
        return optional_id(given)
    except ObjectNotFound:
        return find(engine, str(given)).id


def _lines(log_filter: LogFilter | None, fields: dict[str, bytes | None]) -> Where:
    """Return the conditions on log lines: those of a filter, and the values of fields."""
    parts: list[Where | Condition] = [
        Condition(name, Relation.IN, (value,))
        for name, value in fields.items()
        if value is not None
    ]
    if log_filter is not None:
        from caudal.client.schemas.filters import LogFilter  # noqa: PLC0415 - pydantic takes 50 ms

        parts.append(LogFilter.model_validate(log_filter).where())
    return Where(tuple(parts))


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
