"""What every ledger must find by conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.ledger.port import Batch
from caudal.model.runs import LogRow
from caudal.model.search import Condition, Order, Related, Relation, Where
from caudal.testing.samples import SampleRun

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger

#: Runs of a list with several pages.
_MANY = 7
_ANY_ORDER = Order("id", descending=False)


class SearchConformance:
    """Conditions mean the same in every ledger."""

    def test_conditions_on_flow_runs(self, ledger: Ledger) -> None:
        """Each test finds the runs that meet it; a field without a value meets only that it has none."""
        runs = self._flow_runs(ledger)
        first, second, third = (run.id for run in runs)
        started = ledger.flow_run(second)
        assert started is not None
        cases: list[tuple[str, Relation, Any, set[bytes]]] = [
            ("id", Relation.IN, (first, third), {first, third}),
            ("id", Relation.NOT_IN, (first,), {second, third}),
            ("id", Relation.IN, (), set()),
            ("name", Relation.CONTAINS, "OTTER", {first}),
            ("name", Relation.CONTAINS, "%", set()),
            ("flow_name", Relation.IN, ("ingest",), {first, second}),
            ("state_type", Relation.IN, ("COMPLETED", "FAILED"), {second, third}),
            ("state_name", Relation.NOT_IN, ("Running",), {second, third}),
            ("started_at", Relation.AT_LEAST, started.started_at, {second, third}),
            ("started_at", Relation.AT_MOST, started.started_at, {first, second}),
            ("ended_at", Relation.IS_NULL, True, {first}),
            ("ended_at", Relation.IS_NULL, False, {second, third}),
            ("ended_at", Relation.AT_LEAST, 0.0, {second, third}),
            ("parent_flow_run_id", Relation.IN, (first,), {third}),
            ("tags", Relation.HAS_ALL, ("daily", "größe"), {second}),
            ("tags", Relation.HAS_ANY, ("größe", "weekly"), {second, third}),
            ("tags", Relation.IS_NULL, False, {first, second, third}),
            ("flow_version", Relation.IN, ("2",), {second}),
        ]
        for field, test, value, expected in cases:
            where = Where((Condition(field, test, value),))
            found = ledger.search.flow_runs(where, _ANY_ORDER)
            assert {row.id for row in found} == expected, (field, test, value)
            assert ledger.search.count("flow_run", where) == len(expected)

    def test_conditions_are_joined(self, ledger: Ledger) -> None:
        """All of them, or one of them, at any depth; none at all hold of every run."""
        first, second, third = (run.id for run in self._flow_runs(ledger))
        failed = Condition("state_type", Relation.IN, ("FAILED",))
        running = Condition("state_type", Relation.IN, ("RUNNING",))
        ingest = Condition("flow_name", Relation.IN, ("ingest",))
        either = Where((failed, running), is_or=True)
        cases = [
            (Where(), {first, second, third}),
            (either, {first, third}),
            (Where((either, ingest)), {first}),
            (Where((failed, running)), set[bytes]()),
            (Where((Where(), ingest)), {first, second}),
        ]
        for where, expected in cases:
            found = ledger.search.flow_runs(where, _ANY_ORDER)
            assert {row.id for row in found} == expected

    def test_runs_are_found_by_others_that_belong_to_them(self, ledger: Ledger) -> None:
        """Flow runs by their task runs, and the other way round."""
        run, other, _ = self._flow_runs(ledger)
        failed = run.task("FAILED", name="load-0", details={"tags": ["slow"]})
        good = run.task("COMPLETED", name="load-1")
        ledger.commit(run.batch(failed, good))
        ledger.commit(other.batch(other.task("COMPLETED", name="load-0")))
        is_failed = Where((Condition("state_type", Relation.IN, ("FAILED",)),))
        is_slow = Where((Condition("tags", Relation.HAS_ANY, ("slow",)),))
        for where in (is_failed, is_slow):
            by_task = Where((Related("id", "task_run", "flow_run_id", where),))
            found = ledger.search.flow_runs(by_task, _ANY_ORDER)
            assert [row.id for row in found] == [run.id]
        is_run = Where((Condition("id", Relation.IN, (run.id,)),))
        of_run = Where((Related("flow_run_id", "flow_run", "id", is_run),))
        rows = ledger.search.task_runs(of_run, _ANY_ORDER)
        assert [row.name for row in rows] == ["load-0", "load-1"]
        assert ledger.search.count("task_run", of_run) == len(rows)

    def test_lists_are_ordered_and_paged(self, ledger: Ledger) -> None:
        """Pages by cursor and by offset are parts of the whole list, in every order."""
        for number in range(_MANY):
            name = f"otter-{number % 3}"
            kinds = ("RUNNING", "COMPLETED") if number % 2 else ("RUNNING",)
            SampleRun(name=name).start(ledger, *kinds)
        for field in ("id", "name", "started_at", "ended_at", "created_at"):
            for descending in (False, True):
                order = Order(field, descending)
                whole = [row.id for row in ledger.search.flow_runs(Where(), order)]
                assert len(set(whole)) == _MANY
                pages: list[bytes] = []
                while page := ledger.search.flow_runs(
                    Where(), order, limit=3, after=pages[-1] if pages else None
                ):
                    pages += [row.id for row in page]
                assert pages == whole, order
                offset = ledger.search.flow_runs(Where(), order, limit=3, offset=2)
                assert [row.id for row in offset] == whole[2:5]
        ended = ledger.search.flow_runs(Where(), Order("ended_at", descending=True))
        assert [row.ended_at is None for row in ended] == [False] * 3 + [True] * 4

    def test_log_lines_are_found(self, ledger: Ledger) -> None:
        """By level, text, time and run, forward and backward."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        batch = Batch()
        for place, (owner, level) in enumerate(((run, 10), (run, 40), (other, 40))):
            text = f"Line {place}"
            batch.logs.append(LogRow(float(place), level, "tests", text, owner.id))
        ledger.commit(batch)
        cases: list[tuple[str, Relation, Any, list[str]]] = [
            ("level", Relation.AT_LEAST, 20, ["Line 1", "Line 2"]),
            ("message", Relation.CONTAINS, "line 2", ["Line 2"]),
            ("at", Relation.AT_MOST, 1.0, ["Line 0", "Line 1"]),
            ("flow_run_id", Relation.IN, (run.id,), ["Line 0", "Line 1"]),
            ("task_run_id", Relation.IS_NULL, True, ["Line 0", "Line 1", "Line 2"]),
        ]
        for field, test, value, expected in cases:
            where = Where((Condition(field, test, value),))
            found = ledger.search.logs(where)
            assert [row.message for _, row in found] == expected
        backward = ledger.search.logs(Where(), descending=True, limit=1, offset=1)
        ((place, row),) = backward
        assert (place, row.message) == (2, "Line 1")

    def _flow_runs(self, ledger: Ledger) -> tuple[SampleRun, SampleRun, SampleRun]:
        first, second = SampleRun(name="brave-otter"), SampleRun(name="calm-bay")
        third = SampleRun("publish", "100-lakes")
        below = first.id.hex()
        writes = [
            (first, first.creation("RUNNING")),
            (second, second.creation("RUNNING", "COMPLETED", tags=["daily", "größe"], details={"version": "2"})),
            (third, third.creation("RUNNING", "FAILED", tags=["weekly"], parent_flow_run_id=below)),
        ]  # fmt: skip
        for run, write in writes:
            ledger.commit(run.batch(write))
        return first, second, third
