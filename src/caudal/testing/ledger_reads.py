"""What every ledger must answer: lists, single runs, events, logs, checks and results."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, TypeVar

from caudal.exceptions import LedgerError
from caudal.ledger.port import Batch, RunFilter, TaskWrite
from caudal.model.ids import format_id
from caudal.model.runs import LogRow, TaskRunChange
from caudal.testing.samples import START, SampleRun, raised, sample_check, sample_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow, TaskRunRow

Row = TypeVar("Row", "FlowRunRow", "TaskRunRow")


def page_through(page: Callable[[bytes | None], Sequence[Row]]) -> list[bytes]:
    """Return the ids of all pages of a list."""
    ids: list[bytes] = []
    while rows := page(ids[-1] if ids else None):
        ids += [row.id for row in rows]
    return ids


class ReadConformance:
    """Lists are ordered, complete and restricted as asked, and nothing that is read can change the ledger."""

    def test_flow_runs_come_newest_first_page_by_page(self, ledger: Ledger) -> None:
        """Pages join to the whole list, with nothing doubled or left out."""
        runs = [SampleRun().start(ledger) for _ in range(7)]
        expected = [run.id for run in reversed(runs)]
        where = RunFilter()
        assert expected == [row.id for row in ledger.flow_runs(where)]
        pages = page_through(lambda last: ledger.flow_runs(where, limit=3, before=last))
        assert expected == pages

    def test_flow_runs_are_found_by_each_field(self, ledger: Ledger) -> None:
        """Each field of a filter restricts the list, and together they all do."""
        parent = SampleRun("parent", "one").start(ledger)
        child = SampleRun("child", "two")
        child_of = {"parent_flow_run_id": parent.id.hex()}
        ledger.commit(child.batch(child.creation("RUNNING", "FAILED", **child_of)))
        other = SampleRun("child", "three").start(ledger, "SCHEDULED")

        def found(**fields: object) -> list[bytes]:
            return [row.id for row in ledger.flow_runs(RunFilter(**fields))]  # pyright: ignore[reportArgumentType]

        assert found(of="child") == [other.id, child.id]
        assert found(name="two") == [child.id]
        assert found(flow_run_id=parent.id) == [child.id]
        assert found(state_types=("FAILED",)) == [child.id]
        assert found(state_names=("Running", "Failed")) == [child.id, parent.id]
        assert found(state_types=("RUNNING", "SCHEDULED")) == [other.id, parent.id]
        assert found(state_types=("FAILED",), state_names=("Running",)) == []
        every = {"of": "child", "name": "two", "flow_run_id": parent.id}
        assert found(**every, state_types=("FAILED", "FAILED")) == [child.id]
        assert found(**every, state_types=("RUNNING",)) == []

    def test_flow_runs_in_several_states_come_page_by_page(
        self, ledger: Ledger
    ) -> None:
        """A list of several states is one list in order of time."""
        kinds = ("FAILED", "RUNNING", "COMPLETED", "FAILED", "COMPLETED", "CRASHED")
        runs = [SampleRun().start(ledger, kind) for kind in kinds]
        where = RunFilter(state_types=("CRASHED", "FAILED", "RUNNING"))
        expected = [
            run.id for run, kind in zip(runs, kinds, strict=True) if kind != "COMPLETED"
        ]
        pages = page_through(lambda last: ledger.flow_runs(where, limit=2, before=last))
        assert expected[::-1] == pages

    def test_task_runs_of_a_flow_run_come_oldest_first(self, ledger: Ledger) -> None:
        """A flow run's task runs are read in the order in which they were made."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        ledger.commit(run.batch(*(run.task("COMPLETED") for _ in range(7))))
        ledger.commit(other.batch(other.task("COMPLETED")))
        where = RunFilter(flow_run_id=run.id)
        expected = list(run.task_rows)
        assert expected == [row.id for row in ledger.task_runs(where)]
        pages = page_through(lambda last: ledger.task_runs(where, limit=3, after=last))
        assert expected == pages

    def test_task_runs_of_all_flow_runs_come_newest_first(self, ledger: Ledger) -> None:
        """Without a flow run the list shows what happened last."""
        runs = [SampleRun().start(ledger) for _ in range(5)]
        for run in runs:
            ledger.commit(run.batch(run.task("COMPLETED"), run.task("FAILED")))
        expected = [row.id for run in runs for row in run.task_rows.values()][::-1]
        where = RunFilter()
        assert expected == [row.id for row in ledger.task_runs(where)]
        pages = page_through(lambda last: ledger.task_runs(where, limit=3, after=last))
        assert expected == pages

    def test_task_runs_are_found_by_each_field(self, ledger: Ledger) -> None:
        """Each field of a filter restricts the list, and together they all do."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        done = run.task("COMPLETED", name="a").task_run_id
        failed = run.task("FAILED", name="b").task_run_id
        cached = run.task("COMPLETED", name="c").task_run_id
        row = run.task_rows[cached]
        row.state_name = "Cached"
        elsewhere = other.task("FAILED", name="b").task_run_id
        for each in (run, other):
            writes = [each.next_of_task(task_run_id) for task_run_id in each.task_rows]
            ledger.commit(each.batch(*writes))

        def found(**fields: object) -> list[bytes]:
            return [row.id for row in ledger.task_runs(RunFilter(**fields))]  # pyright: ignore[reportArgumentType]

        assert found(of="load") == [elsewhere, cached, failed, done]
        assert found(of="other") == []
        assert found(name="b") == [elsewhere, failed]
        assert found(state_types=("FAILED",)) == [elsewhere, failed]
        assert found(state_types=("COMPLETED",)) == [cached, done]
        assert found(state_names=("Cached", "Failed")) == [elsewhere, cached, failed]
        both = {"state_types": ("COMPLETED", "FAILED")}
        assert found(flow_run_id=run.id, **both) == [done, failed, cached]
        assert found(flow_run_id=run.id, state_names=("Cached",), **both) == [cached]
        assert found(flow_run_id=run.id, state_types=("FAILED",)) == [failed]
        assert found(flow_run_id=run.id, name="b", of="load") == [failed]

    def test_runs_are_found_by_the_start_of_their_id(self, ledger: Ledger) -> None:
        """A short id finds its run, with dashes or without, in capitals or not."""
        run = SampleRun().start(ledger)
        task = run.task("COMPLETED")
        ledger.commit(run.batch(task))
        for written in (format_id(run.id), run.id.hex()):
            for length in (9, 10, 14, 20, 24, len(written)):
                (row,) = ledger.find_flow_runs(written[:length].upper())
                assert row.id == run.id
        (found,) = ledger.find_task_runs(format_id(task.task_run_id))
        assert found == task.after
        assert not ledger.find_flow_runs(format_id(task.task_run_id))
        for text in ("", "-", "x", run.id.hex() + "0", run.id.hex()[:4] + "-"):
            assert not ledger.find_flow_runs(text)

    def test_runs_are_found_by_name_newest_first(self, ledger: Ledger) -> None:
        """A name finds all runs that have it, as far as the limit goes."""
        runs = [SampleRun(name="daily").start(ledger) for _ in range(3)]
        SampleRun(name="daily-2").start(ledger)
        expected = [run.id for run in reversed(runs)]
        assert expected == [row.id for row in ledger.find_flow_runs("daily")]
        assert expected[:2] == [
            row.id for row in ledger.find_flow_runs("daily", limit=2)
        ]
        first, second = (runs[0].task("COMPLETED", name="x") for _ in range(2))
        ledger.commit(runs[0].batch(first, second))
        rows = ledger.find_task_runs("x")
        assert [second.after, first.after] == list(rows)

    def test_what_is_not_there_is_none(self, ledger: Ledger) -> None:
        """Unknown ids and keys have no value and no list."""
        run = SampleRun()
        assert ledger.flow_run(run.id) is None
        assert ledger.task_run(run.id) is None
        assert ledger.result("key") is None
        assert not ledger.task_runs(RunFilter(flow_run_id=run.id))
        assert not ledger.events(flow_run_id=run.id)
        assert not ledger.logs(flow_run_id=run.id)
        assert not ledger.checks(run.id)
        ledger.delete_result("key")

    def test_a_row_that_was_read_is_the_callers(self, ledger: Ledger) -> None:
        """Changing a row does not change the ledger."""
        run = SampleRun().start(ledger)
        row = ledger.flow_run(run.id)
        assert row is not None
        row.state_type = "FAILED"
        again = ledger.flow_run(run.id)
        assert again is not None
        assert again.state_type == "RUNNING"

    def test_events_are_read_with_a_cursor(self, ledger: Ledger) -> None:
        """Events come in order from a place on, of all runs or of one."""
        first, second = SampleRun().start(ledger), SampleRun().start(ledger)
        ledger.commit(first.batch(first.task("COMPLETED"), first.change("COMPLETED")))
        ledger.commit(second.batch(second.change("COMPLETED")))
        assert [event.seq for event in ledger.events()] == [1, 2, 3, 4, 5]
        assert [event.seq for event in ledger.events(since=2, limit=2)] == [3, 4]
        of_first = ledger.events(flow_run_id=first.id)
        assert [event.seq for event in of_first] == [1, 3, 4]
        assert list(of_first[1:2]) == list(
            ledger.events(flow_run_id=first.id, since=1, limit=1)
        )

    def test_the_changes_of_one_run_are_read_whole(self, ledger: Ledger) -> None:
        """They are those of a flow run itself, or of one task run, in a flow or outside, and of no other."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        task, next_task = run.task("RUNNING"), run.task("RUNNING")
        ledger.commit(run.batch(task, next_task))
        ledger.commit(other.batch(other.task("RUNNING")))
        end = run.next_of_task(task.task_run_id, "COMPLETED")
        ledger.commit(run.batch(end, run.change("COMPLETED")))
        change = TaskRunChange(name="alone-0", task_name="alone", created_at=START)
        alone = TaskWrite.of(urandom(16), None, change, None)
        batch = Batch()
        batch.writes.append(alone)
        ledger.commit(batch)

        def places(flow_run_id: bytes | None, task_run_id: bytes | None) -> list[int]:
            return [event.seq for event in ledger.changes(flow_run_id, task_run_id)]

        assert places(run.id, None) == [1, 7]
        assert places(run.id, task.task_run_id) == [3, 6]
        assert places(None, alone.task_run_id) == [8]
        assert places(None, task.task_run_id) == []

    def test_an_event_happened_when_its_last_move_did(self, ledger: Ledger) -> None:
        """An event without a move carries the time at which the run entered its state."""
        run = SampleRun()
        create, task = run.creation("RUNNING"), run.task("RUNNING", "COMPLETED")
        again, facts = run.next_of_task(task.task_run_id), run.change(details={"a": 1})
        ledger.commit(run.batch(create, task, again, facts))
        started, ended = create.change.moves[-1][2], task.at
        times = [event.at for event in ledger.events()]
        assert times == [started, ended, ended, started]

    def test_logs_are_read_in_order_and_by_run(self, ledger: Ledger) -> None:
        """Lines come in the order in which they were written, of all runs or of one."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        task = run.task("COMPLETED")
        batch = run.batch(task)
        batch.logs += [
            LogRow(START + 3, 20, "flow", "first", run.id),
            LogRow(START + 1, 40, "task", "second", run.id, task.task_run_id, {"n": 1}),
            LogRow(START + 2, 10, "flow", "third", other.id),
        ]
        ledger.commit(batch)

        def messages(**fields: object) -> list[str]:
            lines = ledger.logs(**fields)  # pyright: ignore[reportArgumentType]
            return [log.message for _, log in lines]

        assert messages() == ["first", "second", "third"]
        assert messages(flow_run_id=run.id) == ["first", "second"]
        assert messages(task_run_id=task.task_run_id) == ["second"]
        assert messages(flow_run_id=other.id, task_run_id=task.task_run_id) == []
        assert messages(flow_run_id=run.id, task_run_id=task.task_run_id) == ["second"]
        (place, first), *_ = ledger.logs(limit=1)
        assert first == batch.logs[0]
        assert messages(since=place, limit=1) == ["second"]

    def test_checks_are_read_in_order(self, ledger: Ledger) -> None:
        """A flow run's check results come back as they were given."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        for name in ("b", "a"):
            batch = run.batch(run.task("COMPLETED"))
            batch.checks += [sample_check(run, name), sample_check(other)]
            batch.checks += [sample_check(run, name * 2)]
            ledger.commit(batch)
        names = [check.result.check for check in ledger.checks(run.id)]
        assert names == ["b", "bb", "a", "aa"]
        assert len(ledger.checks(run.id, limit=3)) == len(names) - 1
        assert list(ledger.checks(run.id))[2:] == [
            check for check in batch.checks if check.flow_run_id == run.id
        ]

    def test_a_result_replaces_the_one_before(self, ledger: Ledger) -> None:
        """The last result of a key counts, until it is deleted."""
        run = SampleRun().start(ledger)
        batch = run.batch()
        batch.results += [sample_result("key", b"1"), sample_result("key", b"2")]
        ledger.commit(batch)
        assert batch.results[1] == ledger.result("key")
        batch.results[:] = [sample_result("key", b"3")]
        ledger.commit(batch)
        assert batch.results[0] == ledger.result("key")
        ledger.delete_result("key")
        assert ledger.result("key") is None

    def test_a_closed_ledger_says_so(self, ledger: Ledger) -> None:
        """Closing twice is harmless; every call after it is a ledger error."""
        run = SampleRun().start(ledger)
        ledger.flow_run(run.id)
        ledger.close()
        ledger.close()
        batch = run.batch(run.change("COMPLETED"))
        for call in (lambda: ledger.commit(batch), lambda: ledger.flow_run(run.id)):
            assert "closed" in str(raised(LedgerError, call))
