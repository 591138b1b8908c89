"""What every ledger must do when a process is gone: leases, claims and sweeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import urandom
from typing import TYPE_CHECKING, Any

from caudal.exceptions import FlowRunNotResumableError, ObjectNotFound
from caudal.ledger.port import Batch, FlowWrite, RunFilter
from caudal.model.ids import format_id
from caudal.model.runs import Fence, FlowRunChange
from caudal.testing.samples import SampleRun, lease_of, moment, raised

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.model.runs import FlowRunRow, Lease

#: Long after every sample.
LATER = 4_000_000_000.0


def alive(_: Lease) -> bool:
    """Say that the process of a lease lives."""
    return True


def dead(_: Lease) -> bool:
    """Say that the process of a lease is gone."""
    return False


class TakeoverConformance:
    """Of several processes one owns a run, and a run whose owner is gone is closed or taken over once."""

    def test_a_lease_is_kept_extended_and_released(self, ledger: Ledger) -> None:
        """There is one lease for each owner, the last one given."""
        first, second = urandom(16), urandom(16)
        ledger.renew(lease_of(first, 10.0))
        ledger.renew(lease_of(second, 20.0))
        ledger.renew(lease_of(first, 30.0))
        expected = {lease_of(first, 30.0), lease_of(second, 20.0)}
        assert expected == set(ledger.leases())
        ledger.release(first)
        ledger.release(first)
        assert [lease_of(second, 20.0)] == list(ledger.leases())

    def test_a_claim_takes_an_ended_run_over(self, ledger: Ledger) -> None:
        """The run is RUNNING under the new owner, one attempt on, and the event says so."""
        for kind in ("FAILED", "CRASHED", "CANCELLED"):
            run = SampleRun().start(ledger, "RUNNING", kind)
            row = self._claim(ledger, run)
            assert row == ledger.flow_run(run.id)
            assert (row.state_type, row.attempt, row.ended_at) == ("RUNNING", 2, None)
            last = ledger.events(flow_run_id=run.id)[-1]
            assert b'"attempt":2' in last.payload

    def test_a_claim_takes_a_waiting_run(self, ledger: Ledger) -> None:
        """Scheduled and paused runs that no process holds may be claimed."""
        for kind in ("SCHEDULED", "PAUSED", "PENDING"):
            run = SampleRun()
            ledger.commit(run.batch(run.creation(kind, owner=None)))
            assert self._claim(ledger, run).state_type == "RUNNING"

    def test_a_claim_takes_a_run_whose_process_is_gone(self, ledger: Ledger) -> None:
        """No lease, an expired one and a dead process all mean that the owner is gone."""
        without, expired, killed = (SampleRun().start(ledger) for _ in range(3))
        ledger.renew(lease_of(expired.owner, moment()))
        ledger.renew(lease_of(killed.owner, LATER))
        self._claim(ledger, without)
        self._claim(ledger, expired)
        owner = urandom(16)
        row = ledger.claim(
            killed.id, owner, moment(), lambda lease: lease.owner != killed.owner
        )
        assert (row.owner, row.attempt) == (owner, 2)
        assert row.state_type == "RUNNING"

    def test_a_claim_of_a_cancelling_run_closes_it_first(self, ledger: Ledger) -> None:
        """A run whose process died while it was cancelled is cancelled, then taken up again."""
        run = SampleRun().start(ledger, "RUNNING", "CANCELLING")
        assert self._claim(ledger, run).state_type == "RUNNING"
        last = ledger.events(flow_run_id=run.id)[-1]
        assert last.payload.index(b"CANCELLED") < last.payload.index(b"RUNNING")

    def test_a_claim_closes_open_task_runs(self, ledger: Ledger) -> None:
        """Task runs that the old process left open are CRASHED, ended ones stay."""
        run = SampleRun().start(ledger)
        done, running, waiting = (
            run.task(kind) for kind in ("COMPLETED", "RUNNING", "SCHEDULED")
        )
        ledger.commit(run.batch(done, running, waiting))
        row = self._claim(ledger, run)
        rows = ledger.task_runs(RunFilter(flow_run_id=run.id))
        kinds = [each.state_type for each in rows]
        assert kinds == ["COMPLETED", "CRASHED", "CRASHED"]
        assert (row.task_completed, row.task_failed, row.task_running) == (1, 2, 0)

    def test_a_claim_fences_the_old_owner_off(self, ledger: Ledger) -> None:
        """The old owner's batches are refused, the new owner's are written."""
        run = SampleRun().start(ledger)
        row = self._claim(ledger, run)
        assert ledger.commit(run.batch(run.change("COMPLETED"))).refused
        batch = run.batch(run.change("COMPLETED"))
        batch.fences[run.id] = Fence(row.owner or b"", row.attempt)
        assert not ledger.commit(batch).refused

    def test_a_completed_run_cannot_be_claimed(self, ledger: Ledger) -> None:
        """There is nothing left to do in it."""
        run = SampleRun().start(ledger, "COMPLETED")
        self._assert_not_claimable(ledger, run)

    def test_a_run_in_live_hands_cannot_be_claimed(self, ledger: Ledger) -> None:
        """While its process lives, an open run stays with it, waiting or not."""
        for kind in ("PENDING", "RUNNING", "CANCELLING", "SCHEDULED", "PAUSED"):
            run = SampleRun().start(ledger, kind)
            ledger.renew(lease_of(run.owner, LATER))
            self._assert_not_claimable(ledger, run)

    def test_an_unknown_run_cannot_be_claimed(self, ledger: Ledger) -> None:
        """The error names the id."""
        unknown = SampleRun()
        error = raised(
            ObjectNotFound,
            lambda: ledger.claim(unknown.id, unknown.owner, moment(), alive),
        )
        assert (error.kind, error.name) == ("flow run", format_id(unknown.id))

    def test_one_of_many_claims_succeeds(self, ledger: Ledger) -> None:
        """Of eight processes that claim a run at the same moment, one gets it."""
        run = SampleRun().start(ledger, "CRASHED")
        owners = [urandom(16) for _ in range(8)]
        for owner in owners:
            ledger.renew(lease_of(owner, LATER))

        def claim(owner: bytes) -> bytes | None:
            try:
                return ledger.claim(run.id, owner, moment(), alive).owner
            except FlowRunNotResumableError:
                return None

        with ThreadPoolExecutor(len(owners)) as pool:
            winners = [owner for owner in pool.map(claim, owners) if owner]
        row = ledger.flow_run(run.id)
        assert row is not None
        assert winners == [row.owner]
        assert (row.attempt, row.run_count) == (2, 1)

    def test_a_sweep_closes_runs_whose_process_is_gone(self, ledger: Ledger) -> None:
        """Running, pending and waiting ones crash, cancelling ones are cancelled, with their open task runs."""
        for kind in ("PENDING", "RUNNING", "SCHEDULED", "CANCELLING"):
            run = SampleRun().start(ledger, kind)
            ledger.commit(run.batch(run.task("RUNNING"), run.task("COMPLETED")))
            closed = "CANCELLED" if kind == "CANCELLING" else "CRASHED"
            (row,) = ledger.sweep(moment(), alive)
            assert row == ledger.flow_run(run.id)
            assert (row.state_type, row.owner, row.attempt) == (closed, None, 1)
            assert row.ended_at is not None
            tasks = ledger.task_runs(RunFilter(flow_run_id=run.id))
            assert [task.state_type for task in tasks] == [closed, "COMPLETED"]
            assert row.task_running == 0

    def test_a_second_sweep_finds_nothing(self, ledger: Ledger) -> None:
        """A run is closed once, with one event."""
        run = SampleRun().start(ledger)
        assert len(ledger.sweep(moment(), alive)) == 1
        seq = len(ledger.events())
        assert not ledger.sweep(moment(), alive)
        assert not ledger.events(since=seq)
        assert ledger.flow_run(run.id) is not None

    def test_sweeps_at_once_close_a_run_once(self, ledger: Ledger) -> None:
        """Several processes that sweep at the same moment divide the work."""
        runs = {SampleRun().start(ledger).id for _ in range(5)}
        with ThreadPoolExecutor(4) as pool:
            sweeps = [pool.submit(ledger.sweep, LATER, dead) for _ in range(4)]
            closed = [row.id for sweep in sweeps for row in sweep.result()]
        assert sorted(runs) == sorted(closed)
        assert len(ledger.events()) == 2 * len(runs)

    def test_a_sweep_goes_by_lease_and_process(self, ledger: Ledger) -> None:
        """An expired lease or a dead process gives a run up, a live one keeps it."""
        live, expired, killed = (SampleRun().start(ledger) for _ in range(3))
        ledger.renew(lease_of(live.owner, LATER))
        ledger.renew(lease_of(killed.owner, LATER))
        ledger.renew(lease_of(expired.owner, moment()))
        rows = ledger.sweep(moment(), lambda lease: lease.owner != killed.owner)
        assert {expired.id, killed.id} == {row.id for row in rows}

    def test_a_sweep_leaves_runs_that_need_no_process(self, ledger: Ledger) -> None:
        """Runs without an owner and ended ones stay as they are."""
        for kind in ("SCHEDULED", "PENDING"):
            run = SampleRun()
            ledger.commit(run.batch(run.creation(kind, owner=None)))
        for kind in ("COMPLETED", "FAILED"):
            SampleRun().start(ledger, kind)
        assert not ledger.sweep(LATER, dead)

    def test_a_run_whose_process_died_while_it_waited_waits_on(
        self, ledger: Ledger
    ) -> None:
        """It is suspended, not lost; claimed, it has the pause before it, and the time until which it waits."""
        run, pause = self._paused(ledger, until=LATER)
        ledger.commit(run.batch(run.task("RUNNING")))
        (row,) = ledger.sweep(moment(), dead)
        assert (row.state_type, row.state_name) == ("PAUSED", "Suspended")
        assert (row.owner, "losses" in row.details) == (None, False)
        assert (row.details["pause"], row.details["pauses"]) == (pause, ["1"])
        (task,) = ledger.task_runs(RunFilter(flow_run_id=run.id))
        assert task.state_type == "CRASHED"
        assert not ledger.sweep(LATER, dead)
        row = ledger.claim(run.id, urandom(16), moment(), alive)
        assert (row.details["pause"], row.details["pauses"]) == (pause, ["1"])

    def test_a_paused_run_that_is_claimed_before_a_sweep_waits_again(
        self, ledger: Ledger
    ) -> None:
        """As if the sweep had come first."""
        run, pause = self._paused(ledger, until=None)
        row = ledger.claim(run.id, urandom(16), moment(), dead)
        assert (row.state_type, row.attempt) == ("RUNNING", 2)
        assert (row.details["pause"], row.details["pauses"]) == (pause, ["1"])

    def test_a_resumed_run_has_its_pause_behind_it(self, ledger: Ledger) -> None:
        """Whoever resumes it says so before it is claimed."""
        run, _ = self._paused(ledger, until=None)
        ledger.sweep(moment(), dead)
        batch = Batch()
        change = FlowRunChange(details={"pauses": ["1", "2"]})
        batch.writes.append(FlowWrite(run.id, change))
        ledger.commit(batch)
        row = ledger.claim(run.id, urandom(16), moment(), alive)
        assert (row.details["pause"], row.details["pauses"]) == (None, ["1", "2"])

    def test_a_paused_run_without_a_process_fails_when_its_time_is_over(
        self, ledger: Ledger
    ) -> None:
        """Run again, it asks again."""
        run, _ = self._paused(ledger, until=moment())
        (row,) = ledger.sweep(LATER, dead)
        assert (row.id, row.state_type, row.owner) == (run.id, "FAILED", None)
        assert "never resumed" in row.details["message"]
        assert (row.details["pause"], row.details["pauses"]) == (None, ["1"])

    def _paused(
        self, ledger: Ledger, *, until: float | None
    ) -> tuple[SampleRun, dict[str, Any]]:
        """Return a run that waits in its process for the second time, and its pause."""
        run = SampleRun().start(ledger)
        pause = {"key": "2", "name": "Paused", "until": until}
        details = {"pause": pause, "pauses": ["1", "2"]}
        ledger.commit(run.batch(run.change("PAUSED", details=details)))
        return run, pause

    def test_a_sweep_fences_the_old_owner_off(self, ledger: Ledger) -> None:
        """A process that only seemed to be gone finds out with its next batch."""
        run = SampleRun().start(ledger)
        ledger.sweep(moment(), alive)
        batch = run.batch(run.task("COMPLETED"), run.change("COMPLETED"))
        assert ledger.commit(batch).refused.keys() == {run.id}
        row = ledger.flow_run(run.id)
        assert row is not None
        assert (row.state_type, row.task_count) == ("CRASHED", 0)

    def test_a_sweep_deletes_leases_that_nobody_needs(self, ledger: Ledger) -> None:
        """Expired leases go, those of runs that are closed with them too, live ones stay."""
        run, idle, live = SampleRun().start(ledger), urandom(16), urandom(16)
        ledger.renew(lease_of(run.owner, moment()))
        ledger.renew(lease_of(idle, moment()))
        ledger.renew(lease_of(live, LATER))
        ledger.sweep(moment(), alive)
        assert [live] == [lease.owner for lease in ledger.leases()]

    def test_a_swept_run_can_be_claimed(self, ledger: Ledger) -> None:
        """What crashed is resumed under the next attempt."""
        run = SampleRun().start(ledger)
        ledger.sweep(moment(), alive)
        row = self._claim(ledger, run)
        batch = run.batch(run.change("COMPLETED"))
        batch.fences[run.id] = Fence(row.owner or b"", row.attempt)
        assert not ledger.commit(batch).refused
        assert row.state_name == "Running"

    def test_durable_runs_without_an_end_of_their_own_are_found(
        self, ledger: Ledger
    ) -> None:
        """Open and crashed ones are, by their key or all of them, oldest first; ended and ordinary ones are not."""
        first, second, other, ended, failed, plain = (SampleRun() for _ in range(6))
        for run, key in ((first, "a"), (second, "a"), (other, "b"), (ended, "a"), (failed, "a")):  # fmt: skip
            ledger.commit(run.batch(run.creation("RUNNING", durable_key=key)))
        plain.start(ledger)
        ledger.commit(ended.batch(ended.change("COMPLETED")))
        ledger.commit(failed.batch(failed.change("FAILED")))
        ledger.commit(second.batch(second.change("CRASHED")))
        assert [row.id for row in ledger.unfinished("a")] == [first.id, second.id]
        assert {row.id for row in ledger.unfinished()} == {first.id, second.id, other.id}  # fmt: skip
        assert [row.id for row in ledger.unfinished("a", limit=1)] == [first.id]
        assert not ledger.unfinished("c")
        ledger.commit(first.batch(first.change(durable_key=None)))
        assert [row.id for row in ledger.unfinished("a")] == [second.id]

    def test_a_durable_run_that_is_lost_too_often_is_given_up(
        self, ledger: Ledger
    ) -> None:
        """After as many recoveries as allowed it cannot be claimed, but by somebody who looked; then it counts anew."""
        run = SampleRun()
        ledger.commit(run.batch(run.creation("RUNNING", durable_key="k")))
        for losses in (1, 2):
            (row,) = ledger.sweep(LATER, dead, recovery_limit=2)
            assert (row.details["losses"], row.durable_key) == (losses, "k")
            row = ledger.claim(run.id, urandom(16), moment(), alive)
        (row,) = ledger.sweep(LATER, dead, recovery_limit=2)
        assert (row.state_type, row.durable_key) == ("CRASHED", "k")
        assert "lost 3 times" in row.details["message"]
        assert f"resume {run.name} --force" in row.details["message"]
        assert not ledger.unfinished()
        for key in ("k", None):
            (found,) = ledger.unfinished(key, given_up=True)
            assert found.id == run.id
        error = raised(
            FlowRunNotResumableError,
            lambda: ledger.claim(run.id, urandom(16), moment(), alive),
        )
        assert "lost 3 times" in error.reason
        row = ledger.claim(run.id, urandom(16), moment(), alive, again=True)
        assert (row.state_type, row.attempt) == ("RUNNING", 4)
        assert not ledger.unfinished(given_up=True)
        (row,) = ledger.sweep(LATER, dead, recovery_limit=2)
        assert (row.details["losses"], row.details["given_up"]) == (1, False)

    def test_an_ordinary_run_is_never_given_up(self, ledger: Ledger) -> None:
        """Nobody but a person takes it up again, as often as they like."""
        run = SampleRun().start(ledger)
        for _ in range(3):
            ledger.sweep(LATER, dead, recovery_limit=0)
            ledger.claim(run.id, urandom(16), moment(), alive)
        row = ledger.flow_run(run.id)
        assert row is not None
        assert "given_up" not in row.details

    def test_a_completed_run_can_be_run_again_by_somebodys_will(
        self, ledger: Ledger
    ) -> None:
        """It goes back to RUNNING as its next attempt."""
        run = SampleRun().start(ledger, "RUNNING", "COMPLETED")
        row = ledger.claim(run.id, urandom(16), moment(), alive, again=True)
        assert (row.state_type, row.attempt, row.ended_at) == ("RUNNING", 2, None)

    def _claim(self, ledger: Ledger, run: SampleRun) -> FlowRunRow:
        owner = urandom(16)
        ledger.renew(lease_of(owner, LATER))
        row = ledger.claim(run.id, owner, moment(), alive)
        assert (row.owner, row.attempt) == (owner, run.attempt + 1)
        return row

    def _assert_not_claimable(self, ledger: Ledger, run: SampleRun) -> None:
        before, seq = ledger.flow_run(run.id), len(ledger.events())
        error = raised(
            FlowRunNotResumableError,
            lambda: ledger.claim(run.id, urandom(16), moment(), alive),
        )
        assert error.flow_run == run.name
        assert before == ledger.flow_run(run.id)
        assert not ledger.events(since=seq)
