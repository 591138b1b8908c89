"""What every ledger must do with a batch that is given again because nobody knows what became of it."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

from caudal.ledger.port import Stamp
from caudal.model.runs import Fence, LogRow, Move
from caudal.testing.samples import (
    SampleRun,
    moment,
    raised,
    sample_check,
    sample_result,
)

if TYPE_CHECKING:
    from caudal.ledger.port import Batch, Ledger

_DAY = 86_400


class StampConformance:
    """A batch with a stamp is written once, however often it is given."""

    def test_a_batch_that_is_given_again_is_written_once(self, ledger: Ledger) -> None:
        """Nothing is doubled, and the receipt is that of the first time."""
        run = SampleRun()
        batch = _stamped(run.batch(run.creation("RUNNING"), run.task("COMPLETED")))
        batch.logs.append(LogRow(moment(), 20, "flow", "hello", run.id))
        batch.checks.append(sample_check(run))
        batch.results.append(sample_result("key"))
        first = ledger.commit(batch)
        row = ledger.flow_run(run.id)
        assert ledger.commit(batch) == first
        assert ledger.commit(batch) == first
        assert row == ledger.flow_run(run.id)
        _assert_events(ledger, 3)
        assert len(ledger.logs()) == 1
        assert len(ledger.checks(run.id)) == 1

    def test_a_batch_that_is_given_again_says_again_what_was_refused(
        self, ledger: Ledger
    ) -> None:
        """A writer whose first receipt got lost learns that a run is no longer its own."""
        run, lost = SampleRun().start(ledger), SampleRun().start(ledger)
        batch = _stamped(run.batch(run.task("COMPLETED"), lost.task("COMPLETED")))
        batch.fences[lost.id] = Fence(urandom(16), lost.attempt)
        first = ledger.commit(batch)
        assert first.refused.keys() == {lost.id}
        assert ledger.commit(batch) == first

    def test_the_next_batch_of_a_writer_is_written(self, ledger: Ledger) -> None:
        """A higher number is another batch; a lower one was written before."""
        run, writer = SampleRun().start(ledger), urandom(16)
        batches = [
            _stamped(run.batch(run.task("COMPLETED")), writer, number)
            for number in (1, 2, 5)
        ]
        for batch in batches:
            ledger.commit(batch)
        _assert_events(ledger, 4)
        last = {ledger.commit(batch).last_seq for batch in batches}
        _assert_events(ledger, *last)

    def test_writers_count_for_themselves(self, ledger: Ledger) -> None:
        """The same number of another writer is another batch."""
        run = SampleRun().start(ledger)
        for _ in range(3):
            ledger.commit(_stamped(run.batch(run.task("COMPLETED"))))
        _assert_events(ledger, 4)

    def test_a_batch_that_failed_is_not_taken_for_written(self, ledger: Ledger) -> None:
        """What cannot be written leaves no trace of its stamp."""
        run = SampleRun().start(ledger)
        change = run.change("RUNNING")
        batch = _stamped(run.batch(run.task("COMPLETED"), change))
        right, change.change.moves = change.change.moves, [Move("NO", "No", moment())]
        raised(ValueError, lambda: ledger.commit(batch))
        change.change.moves = right
        ledger.commit(batch)
        _assert_events(ledger, 3)

    def test_a_released_writer_is_forgotten(self, ledger: Ledger) -> None:
        """Nobody gives a batch again who has ended in good order."""
        run, writer = SampleRun().start(ledger), urandom(16)
        ledger.commit(_stamped(run.batch(run.task("COMPLETED")), writer))
        ledger.release(writer)
        ledger.commit(_stamped(run.batch(run.task("COMPLETED")), writer))
        _assert_events(ledger, 3)

    def test_a_sweep_forgets_writers_of_long_ago(self, ledger: Ledger) -> None:
        """What is known of the others stays."""
        run, old, new = SampleRun().start(ledger, "COMPLETED"), urandom(16), urandom(16)
        now = moment() + 2 * _DAY
        for writer, at in ((old, now - 1.5 * _DAY), (new, now - 60)):
            batch = _stamped(run.batch(run.task("COMPLETED")), writer)
            batch.stamp = Stamp(writer, 1, at)
            ledger.commit(batch)
        SampleRun().start(ledger)
        assert ledger.sweep(now, lambda _: False)
        seq = len(ledger.events())
        for writer in (old, new):
            ledger.commit(_stamped(run.batch(run.task("COMPLETED")), writer))
        _assert_events(ledger, seq + 1)


def _stamped(batch: Batch, writer: bytes | None = None, number: int = 1) -> Batch:
    batch.stamp = Stamp(writer or urandom(16), number, moment())
    return batch


def _assert_events(ledger: Ledger, number: int) -> None:
    assert [event.seq for event in ledger.events()] == list(range(1, number + 1))
