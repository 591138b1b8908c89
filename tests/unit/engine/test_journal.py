"""The journal when writing fails: nothing is lost, doubled or reordered, and nobody waits for ever."""

from __future__ import annotations

import logging
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from caudal.engine import journal as journal_module
from caudal.engine.journal import MOST_BEHIND, Journal
from caudal.exceptions import LedgerCorruptError, LedgerError
from caudal.ledger.memory import MemoryLedger
from caudal.model.runs import LogRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caudal.ledger.port import Batch, Receipt

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the warnings off the console."""
    caplog.set_level(logging.CRITICAL, "caudal.journal")


def failure() -> LedgerError:
    """Return an error of the disk."""
    return LedgerError("here", "the disk reported an error", "Check the disk.")


class Faulty(MemoryLedger):
    """A ledger whose commits can be made to fail, before or after they are done."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = count()
        #: Called with the number of each call of ``commit``, before and after it is done; may raise.
        self.before: Callable[[int], Any] = lambda _: None
        self.after: Callable[[int], Any] = lambda _: None

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch unless something goes wrong."""
        number = next(self.calls)
        self.before(number)
        receipt = super().commit(batch)
        self.after(number)
        return receipt

    def messages(self) -> list[str]:
        """Return what was written."""
        return [row.message for _, row in self.logs(limit=100_000)]


class Line:
    """A log line on its way into the ledger."""

    def __init__(self, text: str) -> None:
        self.text = text

    def collect(self, batch: Batch) -> None:
        """Add it to a batch."""
        batch.logs.append(LogRow(1.0, 20, "test", self.text))


class Journals:
    """Makes journals, and ends them after the test."""

    def __init__(self) -> None:
        self.made: list[Journal] = []

    def __call__(self, ledger: MemoryLedger, **options: Any) -> Journal:
        """Return a journal."""
        duties = options.pop("duties", [(60.0, int)])
        options = {"give_up_seconds": 60.0, **options}
        journal = Journal(
            ledger, b"writer", duties=duties, on_refused=lambda *_: None, **options
        )
        self.made.append(journal)
        return journal


@pytest.fixture
def make_journal() -> Iterator[Journals]:
    """Give a function that makes a journal."""
    journals = Journals()
    yield journals
    for journal in journals.made:
        journal.close()


def every_other(number: int) -> None:
    """Fail at every other call."""
    if number % 2 == 0:
        raise failure()


def test_a_batch_whose_receipt_got_lost_is_not_written_twice(
    make_journal: Journals,
) -> None:
    """The commit was done and failed all the same: it is given again, and the ledger knows it."""
    ledger = Faulty()
    ledger.after = every_other
    journal = make_journal(ledger)
    expected: list[str] = []
    for place in range(5):
        journal.put(Line(f"{place}"))
        expected.append(f"{place}")
        journal.barrier().wait()
    assert ledger.messages() == expected
    assert next(ledger.calls) > len(expected)


def test_a_batch_that_was_not_written_is_given_again(make_journal: Journals) -> None:
    """Nothing of it is lost, and those who wait do not notice."""
    ledger = Faulty()
    ledger.before = every_other
    journal = make_journal(ledger)
    for place in range(5):
        journal.put(Line(f"{place}"))
        journal.barrier().wait()
    assert ledger.messages() == [f"{place}" for place in range(5)]


def test_what_comes_while_waiters_are_told_stays_behind_what_was_there(
    make_journal: Journals,
) -> None:
    """A ledger that cannot be written for long ends the wait, and changes no order."""
    ledger, broken = Faulty(), threading.Event()
    broken.set()

    def fail(_: int) -> None:
        if broken.is_set():
            raise failure()

    ledger.before = fail
    journal = make_journal(ledger, give_up_seconds=0.0)
    expected = [f"{place}" for place in range(2000)]
    for place, text in enumerate(expected):
        journal.put(Line(text))
        if place % 700 == 0:
            with pytest.raises(LedgerError, match="the disk"):
                journal.barrier().wait()
    broken.clear()
    journal.barrier().wait()
    assert ledger.messages() == expected


def test_a_damaged_ledger_ends_the_wait_at_once(make_journal: Journals) -> None:
    """There is nothing to wait for."""
    ledger = Faulty()
    error = LedgerCorruptError("here", "it is damaged", "Move it away.")

    def fail(_: int) -> None:
        raise error

    ledger.before = fail
    journal = make_journal(ledger)
    journal.put(Line("lost"))
    with pytest.raises(LedgerCorruptError):
        journal.barrier().wait()
    ledger.before = lambda _: None


def test_a_journal_that_closes_waits_for_a_ledger_that_fails_for_a_moment(
    make_journal: Journals,
) -> None:
    """The last batch is tried again like every other one."""
    ledger = Faulty()
    ledger.before = lambda number: every_other(number // 2)
    journal = make_journal(ledger)
    journal.put(Line("last"))
    journal.close()
    assert ledger.messages() == ["last"]


def test_a_journal_that_cannot_write_closes_and_writes_nothing_out_of_order(
    make_journal: Journals,
) -> None:
    """What follows a batch that is given up is given up too."""
    ledger = Faulty()
    entered, go_on = threading.Event(), threading.Event()

    def fail_once(number: int) -> None:
        if number == 0:
            entered.set()
            go_on.wait(10)
            raise failure()

    ledger.before = fail_once
    journal = make_journal(ledger, give_up_seconds=0.0)
    journal.put(Line("first"))
    entered.wait(10)
    journal.put(Line("second"))
    closing = threading.Thread(target=journal.close)
    closing.start()
    while not journal._closing:
        threading.Event().wait(0.001)
    go_on.set()
    closing.join()
    assert ledger.messages() == []


def test_a_barrier_of_a_closed_journal_does_not_wait(make_journal: Journals) -> None:
    """Whoever comes after the end hears of it."""
    journal = make_journal(Faulty())
    journal.close()
    with pytest.raises(LedgerError, match="closed"):
        journal.barrier().wait()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # the defect is shown
def test_a_defect_ends_the_wait(make_journal: Journals) -> None:
    """An item that cannot tell what is new would otherwise leave everyone waiting for ever."""

    class Broken:
        def collect(self, batch: Batch) -> None:
            raise ZeroDivisionError(batch)

    journal = make_journal(Faulty())
    journal.put(Broken())
    with pytest.raises(LedgerError):
        journal.barrier().wait()
    with pytest.raises(LedgerError):
        journal.barrier().wait()


def test_the_lease_is_renewed_while_a_commit_fails(make_journal: Journals) -> None:
    """A process whose batch is refused by the disk is not taken for gone."""
    ledger, renewed = Faulty(), threading.Event()

    def fail(_: int) -> None:
        if not renewed.is_set():
            raise failure()

    ledger.before = fail
    journal = make_journal(ledger, duties=[(0.01, renewed.set)])
    journal.put(Line("kept"))
    journal.barrier().wait()
    assert ledger.messages() == ["kept"]


class Step(Line):
    """A log line that may be written a little later, as task runs are."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.deferred_at: float | None = None
        self.queued = self.written = False

    def collect(self, batch: Batch) -> None:
        """Add it to a batch, once."""
        if not self.written:
            self.written = True
            super().collect(batch)


def make_steps(journal: Journal, made: list[str]) -> threading.Thread:
    """Have a thread make more items than may wait, and return it."""

    def make() -> None:
        for number in range(2 * MOST_BEHIND):
            step = Step(str(number))
            journal.defer(step, 1.0)
            step.queued = True
            journal.put(step)
            made.append(step.text)

    thread = threading.Thread(target=make)
    thread.start()
    return thread


def test_who_makes_items_waits_while_writing_is_far_behind(
    make_journal: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dying process can lose is bounded, however long a commit takes."""
    monkeypatch.setattr(journal_module, "_LONGEST_WAIT_SECONDS", 60.0)
    ledger, gate, entered = Faulty(), threading.Event(), threading.Event()

    def hold(number: int) -> None:
        if number == 0:
            entered.set()
            assert gate.wait(60)

    ledger.before = hold
    journal = make_journal(ledger)
    journal.put(Line("first"))
    assert entered.wait(10)
    made: list[str] = []
    thread = make_steps(journal, made)
    thread.join(0.5)
    assert (thread.is_alive(), len(made)) == (True, MOST_BEHIND + 1)
    gate.set()
    thread.join()
    journal.barrier().wait()
    assert sorted(ledger.messages()) == sorted(["first", *made])


def test_who_makes_items_does_not_wait_while_writing_fails(
    make_journal: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would get less: the run goes on, and waits where it ends."""
    monkeypatch.setattr(journal_module, "_LONGEST_WAIT_SECONDS", 60.0)
    ledger, failed, mended = Faulty(), threading.Event(), threading.Event()

    def fail(_: int) -> None:
        if not mended.is_set():
            failed.set()
            raise failure()

    ledger.before = fail
    journal = make_journal(ledger)
    journal.put(Line("first"))
    assert failed.wait(10)
    made: list[str] = []
    make_steps(journal, made).join()
    assert len(made) == 2 * MOST_BEHIND
    mended.set()
    journal.barrier().wait()
    assert sorted(ledger.messages()) == sorted(["first", *made])
