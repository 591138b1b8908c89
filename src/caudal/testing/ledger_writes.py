"""What every ledger must do with a batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import structs

from caudal.ledger.port import Batch, RunFilter, TaskWrite
from caudal.model.runs import (
    Fence,
    LogRow,
    Move,
    TaskRunChange,
)
from caudal.testing.samples import (
    START,
    SampleRun,
    moment,
    move,
    raised,
    sample_check,
    sample_result,
)

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger

#: Numbers of rows around the sizes in which ledgers may cut a batch.
SIZES = (1, 2, 3, 7, 64, 65, 511, 512, 513, 777, 1000)


class BatchConformance:
    """Batches are atomic, fenced and guarded, and rows are what their changes add up to."""

    def test_a_batch_becomes_visible_as_a_whole(self, ledger: Ledger) -> None:
        """Everything a batch holds is there after it."""
        run = SampleRun()
        batch = run.batch(run.creation("PENDING", "RUNNING"), run.task("COMPLETED"))
        batch.logs.append(LogRow(moment(), 20, "flow", "hello", run.id))
        batch.checks.append(sample_check(run))
        batch.results.append(sample_result("key"))
        receipt = ledger.commit(batch)
        events = ledger.events()
        kinds = [event.kind for event in events]
        assert kinds == ["flow_run", "task_run", "check"]
        assert (events[-1].seq, {}) == receipt
        assert [row.name for row in ledger.flow_runs(RunFilter())] == [run.name]
        assert list(run.task_rows.values()) == list(ledger.task_runs(RunFilter()))
        assert [log for _, log in ledger.logs()] == batch.logs
        assert list(ledger.checks(run.id)) == batch.checks
        assert ledger.result("key") == batch.results[0]

    def test_a_created_flow_run_holds_what_its_change_says(
        self, ledger: Ledger
    ) -> None:
        """A flow run's row carries the fields, states and times of its creation."""
        run, parent = SampleRun(), SampleRun()
        write = run.creation(
            "RUNNING",
            parent_flow_run_id=parent.id.hex(),
            parent_task_run_id=parent.owner.hex(),
            details={"version": "7"},
        )
        ledger.commit(run.batch(write))
        row = ledger.flow_run(run.id)
        assert row is not None
        started_at = write.change.moves[0][2]
        assert (row.id, row.name, row.flow_name) == (run.id, run.name, run.flow_name)
        assert (row.state_type, row.state_name) == ("RUNNING", "Running")
        assert (row.created_at, row.started_at) == (run.created_at, started_at)
        assert (row.ended_at, row.run_count) == (None, 1)
        assert (row.parent_flow_run_id, row.parent_task_run_id) == (
            parent.id,
            parent.owner,
        )
        assert (row.owner, row.attempt) == run.fence
        assert (row.parameters, row.tags) == ({"day": "2024-01-01"}, ["daily"])
        assert row.details == {"message": None, "version": "7"}

    def test_a_batch_that_cannot_be_read_writes_nothing(self, ledger: Ledger) -> None:
        """An error in the last write leaves out the first one too."""
        run = SampleRun()
        nowhere = run.change()
        nowhere.change.moves = [Move("NOWHERE", "Nowhere", START)]
        batch = run.batch(run.creation(), run.task("COMPLETED"), nowhere)
        raised(ValueError, lambda: ledger.commit(batch))
        assert not ledger.events()
        assert ledger.flow_run(run.id) is None
        run.start(ledger)

    def test_an_empty_batch_changes_nothing(self, ledger: Ledger) -> None:
        """A batch without content says where the ledger ends."""
        assert ledger.commit(Batch()) == (0, {})
        SampleRun().start(ledger)
        assert ledger.commit(Batch()) == (1, {})

    def test_a_stale_attempt_is_refused_and_the_rest_written(
        self, ledger: Ledger
    ) -> None:
        """What a batch holds for a run of another attempt is left out, for other runs it is written."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        self._assert_refused(ledger, run, other, Fence(run.owner, run.attempt + 1))

    def test_a_stale_owner_is_refused_and_the_rest_written(
        self, ledger: Ledger
    ) -> None:
        """What a batch holds for a run of another owner is left out, for other runs it is written."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        self._assert_refused(ledger, run, other, Fence(other.owner, run.attempt))

    def _assert_refused(
        self, ledger: Ledger, run: SampleRun, other: SampleRun, stale: Fence
    ) -> None:
        before = ledger.flow_run(run.id)
        seq = len(ledger.events())
        batch = run.batch(
            run.task("COMPLETED"), other.task("COMPLETED"), run.change("COMPLETED")
        )
        batch.fences = {run.id: stale, other.id: other.fence}
        batch.logs += [LogRow(START, 20, "a", "left out", run.id)]
        batch.logs += [LogRow(START, 20, "a", "kept", other.id)]
        batch.checks += [sample_check(run), sample_check(other)]
        batch.results += [sample_result(key) for key in ("left out", "kept", "free")]
        batch.result_owners = {"left out": run.id, "kept": other.id}
        receipt = ledger.commit(batch)
        assert receipt.refused.keys() == {run.id}
        assert before == ledger.flow_run(run.id)
        assert not ledger.task_runs(RunFilter(flow_run_id=run.id))
        assert not ledger.checks(run.id)
        assert [log.message for _, log in ledger.logs()] == ["kept"]
        assert ledger.result("left out") is None
        assert ledger.result("kept") is not None
        assert ledger.result("free") is not None
        assert len(ledger.checks(other.id)) == 1
        assert [row.id for row in ledger.task_runs(RunFilter())] == list(
            other.task_rows
        )
        kinds = [event.kind for event in ledger.events(since=seq)]
        assert kinds == ["task_run", "check"]

    def test_a_write_without_a_fence_is_accepted(self, ledger: Ledger) -> None:
        """Whoever gives no fence may write, as long as the move is legal."""
        run = SampleRun().start(ledger)
        batch = run.batch(run.change("CANCELLING"))
        batch.fences.clear()
        assert not ledger.commit(batch).refused
        row = ledger.flow_run(run.id)
        assert row is not None
        assert row.state_type == "CANCELLING"

    def test_writes_for_an_unknown_flow_run_are_refused(self, ledger: Ledger) -> None:
        """A flow run must be created before anything is written for it."""
        run, known = SampleRun(), SampleRun().start(ledger)
        batch = run.batch(run.change("RUNNING"), known.task("COMPLETED"))
        assert ledger.commit(batch).refused.keys() == {run.id}
        batch = Batch()
        batch.writes.append(run.task("COMPLETED"))
        assert ledger.commit(batch).refused.keys() == {run.id}
        early = run.batch(run.task("COMPLETED"), run.creation("RUNNING"))
        assert ledger.commit(early).refused.keys() == {run.id}
        assert ledger.flow_run(run.id) is None
        assert [row.id for row in ledger.task_runs(RunFilter())] == list(
            known.task_rows
        )

    def test_an_illegal_move_is_refused_and_task_runs_written(
        self, ledger: Ledger
    ) -> None:
        """A change whose moves break the table is left out, with no event."""
        run = SampleRun().start(ledger, "RUNNING", "COMPLETED")
        before = ledger.flow_run(run.id)
        batch = run.batch(run.change("RUNNING", "FAILED"), run.task("COMPLETED"))
        receipt = ledger.commit(batch)
        assert "COMPLETED to RUNNING" in receipt.refused[run.id]
        after = ledger.flow_run(run.id)
        assert before is not None
        assert after == structs.replace(before, task_count=1, task_completed=1)
        assert [event.kind for event in ledger.events(since=1)] == ["task_run"]

    def test_the_guard_sees_the_moves_of_its_own_batch(self, ledger: Ledger) -> None:
        """The second change of a batch starts where the first one ended."""
        run = SampleRun().start(ledger)
        receipt = ledger.commit(run.batch(run.change("FAILED"), run.change("RUNNING")))
        assert receipt.refused.keys() == {run.id}
        row = ledger.flow_run(run.id)
        assert row is not None
        assert (row.state_type, receipt.last_seq) == ("FAILED", 2)

    def test_an_ended_run_is_reopened_only_on_request(self, ledger: Ledger) -> None:
        """A failed run goes on when the write says that it is a resume or retry."""
        run = SampleRun().start(ledger, "RUNNING", "FAILED")
        assert ledger.commit(run.batch(run.change("RUNNING"))).refused
        assert not ledger.commit(run.batch(run.change("RUNNING", reopen=True))).refused
        row = ledger.flow_run(run.id)
        assert row is not None
        assert (row.state_type, row.ended_at) == ("RUNNING", None)

    def test_creating_a_run_twice_is_refused(self, ledger: Ledger) -> None:
        """The row stays as the first creation made it."""
        run = SampleRun().start(ledger)
        before = ledger.flow_run(run.id)
        receipt = ledger.commit(run.batch(run.creation("COMPLETED")))
        assert (1, {run.id}) == (receipt.last_seq, receipt.refused.keys())
        assert before == ledger.flow_run(run.id)

    def test_facts_are_merged_into_the_row(self, ledger: Ledger) -> None:
        """Later facts replace earlier ones of the same name and leave the others."""
        run = SampleRun().start(ledger)
        ledger.commit(run.batch(run.change(details={"a": 1, "b": [1, {"c": None}]})))
        ledger.commit(run.batch(run.change("COMPLETED", details={"a": 2}, owner=None)))
        row = ledger.flow_run(run.id)
        assert row is not None
        assert row.details == {"message": None, "a": 2, "b": [1, {"c": None}]}
        assert (row.owner, row.attempt) == (None, run.attempt)

    def test_a_task_run_is_replaced_by_its_newer_row(self, ledger: Ledger) -> None:
        """Each change is an event, the row is the last one, within a batch and across batches."""
        run = SampleRun().start(ledger)
        first = run.task("RUNNING", details={"upstream": ["a"]})
        task_run_id = first.task_run_id
        second = run.next_of_task(task_run_id, "SCHEDULED")
        ledger.commit(run.batch(first, second))
        assert second.after == ledger.task_run(task_run_id)
        third = run.next_of_task(task_run_id, "RUNNING", "COMPLETED", details={"n": 1})
        ledger.commit(run.batch(third))
        assert third.after == ledger.task_run(task_run_id)
        assert {event.task_run_id for event in ledger.events(since=1)} == {task_run_id}

    def test_task_counts_follow_the_task_runs(self, ledger: Ledger) -> None:
        """Counts go up and down with the rows, whether the flow run's row is in the batch or not."""
        run = SampleRun().start(ledger)
        writes = [run.task("RUNNING") for _ in range(3)]
        ids = [write.task_run_id for write in writes]
        ledger.commit(run.batch(*writes, run.task("COMPLETED")))
        assert self._counts(ledger, run) == (4, 1, 0, 3)
        ledger.commit(run.batch(run.next_of_task(ids[0], "FAILED"), run.change()))
        assert self._counts(ledger, run) == (4, 1, 1, 2)
        closing = [run.next_of_task(task_run_id, "CRASHED") for task_run_id in ids[1:]]
        ledger.commit(run.batch(*closing, run.change("FAILED")))
        assert self._counts(ledger, run) == (4, 1, 3, 0)

    def _counts(self, ledger: Ledger, run: SampleRun) -> tuple[int, int, int, int]:
        row = ledger.flow_run(run.id)
        assert row is not None
        return row.task_count, row.task_completed, row.task_failed, row.task_running

    def test_a_task_run_may_have_no_flow_run(self, ledger: Ledger) -> None:
        """Tasks called outside of flows are recorded too."""
        run = SampleRun()
        change = TaskRunChange([move("COMPLETED")], name="alone", created_at=moment())
        write = TaskWrite.of(run.id, None, change, None)
        batch = Batch()
        batch.writes.append(write)
        assert not ledger.commit(batch).refused
        assert write.after == ledger.task_run(run.id)
        (event,) = ledger.events()
        assert (event.flow_run_id, event.task_run_id) == (None, run.id)

    def test_batches_of_any_size_keep_their_order(self, ledger: Ledger) -> None:
        """No row is lost or doubled where a large batch is cut, and events keep the order of the writes."""
        run = SampleRun().start(ledger)
        seq = 1
        for size in SIZES:
            writes = [run.task("RUNNING", "COMPLETED") for _ in range(size)]
            batch = run.batch(*writes)
            batch.logs += [
                LogRow(START, 20, "task", str(place)) for place in range(size)
            ]
            batch.results += [sample_result(f"{size}-{place}") for place in range(size)]
            receipt = ledger.commit(batch)
            events = ledger.events(since=seq, limit=size + 1)
            expected = [write.task_run_id for write in writes]
            assert expected == [event.task_run_id for event in events]
            assert list(range(seq + 1, receipt.last_seq + 1)) == [
                event.seq for event in events
            ]
            logs = [log for _, log in ledger.logs(since=seq - 1, limit=size + 1)]
            assert logs == batch.logs
            assert ledger.result(f"{size}-{size - 1}") is not None
            seq = receipt.last_seq
        assert self._counts(ledger, run) == (sum(SIZES), sum(SIZES), 0, 0)
        rows = ledger.task_runs(RunFilter(flow_run_id=run.id), limit=sum(SIZES) + 1)
        assert list(run.task_rows.values()) == list(rows)

    def test_threads_may_write_at_once(self, ledger: Ledger) -> None:
        """Batches of several threads neither mix nor get lost."""
        runs = [SampleRun().start(ledger) for _ in range(8)]

        def write(run: SampleRun) -> None:
            for _ in range(10):
                ledger.commit(run.batch(run.task("COMPLETED"), run.task("FAILED")))

        with ThreadPoolExecutor(len(runs)) as pool:
            list(pool.map(write, runs))
        events = ledger.events(limit=1000)
        assert list(range(1, len(events) + 1)) == [event.seq for event in events]
        for run in runs:
            assert self._counts(ledger, run) == (20, 10, 10, 0)

    def test_text_of_every_script_comes_back(self, ledger: Ledger) -> None:
        """Names, messages and facts keep their characters."""
        text = "Größe 価格 🐙 \x00 e\u0301 'quoted' \"twice\" \\ \u2028 %s {where} ?"
        run = SampleRun(flow_name=text, name=text)
        task = run.task("RUNNING", name=text, details={text: [text]})
        batch = run.batch(run.creation("RUNNING", parameters={text: text}), task)
        batch.logs.append(LogRow(START, 20, text, text, run.id, None, {text: text}))
        batch.results.append(sample_result(text))
        ledger.commit(batch)
        row = ledger.flow_run(run.id)
        assert row is not None
        assert (row.name, row.flow_name) == (text, text)
        assert row.parameters == {text: text}
        assert task.after == ledger.task_run(task.task_run_id)
        assert [log for _, log in ledger.logs()] == batch.logs
        assert ledger.result(text) == batch.results[0]
        assert [each.name for each in ledger.find_flow_runs(text)] == [text]

    def test_broken_text_costs_nothing_else(self, ledger: Ledger) -> None:
        """Text that is not valid Unicode, such as an undecodable file name, does not lose its batch."""
        broken = "caf\udce9"
        run = SampleRun(name=broken)
        task = run.task("COMPLETED", details={"file": [broken]})
        batch = run.batch(run.creation("RUNNING"), task)
        batch.logs += [LogRow(START, 20, "task", broken, run.id, None, {"a": broken})]
        assert not ledger.commit(batch).refused
        (_, log), *_ = ledger.logs()
        assert log.message.startswith("caf")
        assert ledger.task_run(task.task_run_id) is not None

    def test_large_values_come_back(self, ledger: Ledger) -> None:
        """Megabytes of text and bytes are kept whole."""
        large = "0123456789" * 300_000
        run = SampleRun()
        batch = run.batch(run.creation("RUNNING", parameters={"text": large}))
        batch.logs.append(LogRow(START, 20, "flow", large, run.id))
        batch.results.append(sample_result("large", large.encode()))
        ledger.commit(batch)
        row = ledger.flow_run(run.id)
        assert row is not None
        assert row.parameters == {"text": large}
        assert [log.message for _, log in ledger.logs()] == [large]
        assert ledger.result("large") == batch.results[0]

    def test_a_value_without_json_does_not_cost_the_batch(self, ledger: Ledger) -> None:
        """An object that JSON has no form for is kept as text in the event."""
        run = SampleRun()
        odd = object()
        ledger.commit(run.batch(run.creation("RUNNING", details={"odd": odd})))
        (event,) = ledger.events()
        assert b"<object object at" in event.payload
