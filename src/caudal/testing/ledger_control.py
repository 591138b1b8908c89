"""What every ledger must do when somebody asks flow runs to stop."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

from caudal.exceptions import (
    FlowRunNotCancellableError,
    FlowRunNotPausableError,
    ObjectNotFound,
)
from caudal.ledger.control import Asked
from caudal.ledger.port import RunFilter
from caudal.testing.ledger_takeover import LATER, alive, dead
from caudal.testing.samples import SampleRun, lease_of, moment, raised

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger


class ControlConformance:
    """Whoever cancels a run is heard by its process, or closes the run when it has none."""

    def test_a_run_in_live_hands_is_asked_to_stop(self, ledger: Ledger) -> None:
        """It is CANCELLING, still its process's own, and its process is told."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        for each in (run, other):
            ledger.renew(lease_of(each.owner, LATER))
        row = ledger.control.cancel(run.id, moment(), alive, "too slow")
        assert row == ledger.flow_run(run.id)
        assert ("CANCELLING", run.owner) == (row.state_type, row.owner)
        asked = [Asked(run.id, "CANCELLING", "Cancelling", "too slow")]
        assert asked == list(ledger.control.asked(run.owner))
        assert not ledger.control.asked(other.owner)

    def test_a_run_that_is_cancelled_ends_in_no_other_way(self, ledger: Ledger) -> None:
        """Its process may write CANCELLED alone; then nothing is asked any more."""
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, LATER))
        ledger.control.cancel(run.id, moment(), alive)
        for kind in ("RUNNING", "SCHEDULED", "COMPLETED", "FAILED", "PAUSED"):
            assert ledger.commit(run.batch(run.change(kind))).refused
        end = run.change("CANCELLED", owner=None)
        assert not ledger.commit(run.batch(end)).refused
        assert not ledger.control.asked(run.owner)

    def test_a_run_whose_process_is_gone_is_cancelled_at_once(
        self, ledger: Ledger
    ) -> None:
        """So are its open task runs; ended ones stay, and its process may write no more."""
        run = SampleRun().start(ledger)
        ledger.commit(run.batch(run.task("COMPLETED"), run.task("RUNNING")))
        ledger.renew(lease_of(run.owner, LATER))
        row = ledger.control.cancel(run.id, moment(), dead)
        assert (row.state_type, row.owner) == ("CANCELLED", None)
        assert row.ended_at is not None
        rows = ledger.task_runs(RunFilter(flow_run_id=run.id))
        assert [each.state_type for each in rows] == ["COMPLETED", "CANCELLED"]
        assert ledger.commit(run.batch(run.change("COMPLETED"))).refused

    def test_a_run_that_nobody_owns_is_cancelled_at_once(self, ledger: Ledger) -> None:
        """Scheduled and suspended runs have no process."""
        for kind in ("SCHEDULED", "PAUSED", "PENDING"):
            run = SampleRun()
            ledger.commit(run.batch(run.creation(kind, owner=None)))
            row = ledger.control.cancel(run.id, moment(), alive)
            assert row.state_type == "CANCELLED"

    def test_the_runs_below_are_cancelled_too(self, ledger: Ledger) -> None:
        """Each by what its own process does; ended ones stay as they are."""
        parent = SampleRun().start(ledger)
        below = {"parent_flow_run_id": parent.id.hex()}
        child, done, orphan = SampleRun(), SampleRun(), SampleRun()
        ledger.commit(child.batch(child.creation("RUNNING", **below)))
        ledger.commit(done.batch(done.creation("RUNNING", "COMPLETED", **below)))
        grandchild = {"parent_flow_run_id": child.id.hex()}
        ledger.commit(orphan.batch(orphan.creation("RUNNING", **grandchild)))
        for each in (parent, child):
            ledger.renew(lease_of(each.owner, LATER))
        ledger.control.cancel(parent.id, moment(), alive)
        kinds = [self._kind(ledger, each) for each in (parent, child, orphan, done)]
        assert kinds == ["CANCELLING", "CANCELLING", "CANCELLED", "COMPLETED"]

    def test_a_second_request_changes_nothing(self, ledger: Ledger) -> None:
        """Whoever asks twice writes no second event."""
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, LATER))
        ledger.control.cancel(run.id, moment(), alive)
        before = ledger.events()
        ledger.control.cancel(run.id, moment(), alive)
        assert before == ledger.events()

    def test_a_run_that_was_asked_is_closed_once_its_process_is_gone(
        self, ledger: Ledger
    ) -> None:
        """A second request does what the process did not live to do."""
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, LATER))
        ledger.control.cancel(run.id, moment(), alive)
        row = ledger.control.cancel(run.id, moment(), dead)
        assert row.state_type == "CANCELLED"

    def test_an_ended_run_cannot_be_cancelled(self, ledger: Ledger) -> None:
        """The error says how it ended, and nothing is written."""
        for kind in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            run = SampleRun().start(ledger, "RUNNING", kind)
            before = ledger.events()
            error = raised(
                FlowRunNotCancellableError,
                lambda run=run: ledger.control.cancel(run.id, moment(), alive),
            )
            assert error.state.upper() == kind
            assert before == ledger.events()

    def test_an_unknown_run_cannot_be_cancelled(self, ledger: Ledger) -> None:
        """There is nothing to cancel."""
        raised(
            ObjectNotFound,
            lambda: ledger.control.cancel(urandom(16), moment(), alive),
        )

    def test_a_suspended_run_stays_its_process_s_own_until_that_lets_go(
        self, ledger: Ledger
    ) -> None:
        """Its process is told, may end its part, and may complete the run, too."""
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, LATER))
        row = ledger.control.suspend(run.id, moment(), alive, {"pause": {"key": "1"}})
        assert (row.state_type, row.state_name) == ("PAUSED", "Suspended")
        assert (row.owner, row.details["pause"]) == (run.owner, {"key": "1"})
        asked = ledger.control.asked(run.owner)
        assert [(each.flow_run_id, each.state_name) for each in asked] == [(run.id, "Suspended")]  # fmt: skip
        assert not ledger.control.go_on(run.id, moment(), alive)
        let_go = run.change("PAUSED", owner=None)
        assert not ledger.commit(run.batch(let_go)).refused
        assert not ledger.control.asked(run.owner)

    def test_a_suspended_run_without_a_process_is_left_to_whoever_takes_it(
        self, ledger: Ledger
    ) -> None:
        """Its open task runs are closed, and a claim forgets what it waited for."""
        run = SampleRun().start(ledger)
        ledger.commit(run.batch(run.task("RUNNING")))
        row = ledger.control.suspend(run.id, moment(), dead, {"pause": {"key": "1"}})
        assert (row.state_type, row.owner) == ("PAUSED", None)
        rows = ledger.task_runs(RunFilter(flow_run_id=run.id))
        assert [each.state_type for each in rows] == ["CRASHED"]
        claimed = ledger.claim(run.id, urandom(16), moment(), alive)
        assert claimed.details["pause"] is None

    def test_only_open_runs_are_suspended(self, ledger: Ledger) -> None:
        """Ended ones, those that are being cancelled and suspended ones are left alone."""
        for kind in ("COMPLETED", "FAILED", "CANCELLING"):
            run = SampleRun().start(ledger, "RUNNING", kind)
            self._assert_not_pausable(ledger, run)
        run = SampleRun().start(ledger)
        ledger.control.suspend(run.id, moment(), dead, {})
        self._assert_not_pausable(ledger, run)

    def test_a_paused_run_goes_on_in_its_process(self, ledger: Ledger) -> None:
        """It is RUNNING under the same fence; a second call finds nothing that waits."""
        run = SampleRun().start(ledger)
        ledger.renew(lease_of(run.owner, LATER))
        pause = run.change("PAUSED", details={"pause": {"key": "1"}})
        ledger.commit(run.batch(pause))
        assert ledger.control.go_on(run.id, moment(), alive)
        row = ledger.flow_run(run.id)
        assert row is not None
        assert (row.state_type, row.owner, row.details["pause"]) == ("RUNNING", run.owner, None)  # fmt: skip
        assert not ledger.control.go_on(run.id, moment(), alive)
        assert not ledger.commit(run.batch(run.change("COMPLETED"))).refused

    def test_a_paused_run_whose_process_is_gone_does_not_go_on(
        self, ledger: Ledger
    ) -> None:
        """Nobody would do its work; it has to be claimed."""
        run = SampleRun().start(ledger, "RUNNING", "PAUSED")
        before = ledger.events()
        assert not ledger.control.go_on(run.id, moment(), dead)
        assert ledger.events() == before

    def _assert_not_pausable(self, ledger: Ledger, run: SampleRun) -> None:
        before = ledger.events()
        raised(
            FlowRunNotPausableError,
            lambda: ledger.control.suspend(run.id, moment(), alive, {}),
        )
        assert ledger.events() == before

    def _kind(self, ledger: Ledger, run: SampleRun) -> str:
        row = ledger.flow_run(run.id)
        assert row is not None
        return row.state_type
