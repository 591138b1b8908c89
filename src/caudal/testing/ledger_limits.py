"""What every ledger must do about named limits: slots are granted whole, to so many holders and no more, and come free with their process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import isclose
from os import urandom
from typing import TYPE_CHECKING

from caudal.exceptions import LeaseLostError, ObjectAlreadyExists, ObjectNotFound
from caudal.ledger.limits import Grant, Refusal, SlotRequest
from caudal.ledger.replay import rebuild
from caudal.model.limits import Holder, Limit, LimitChange
from caudal.testing.samples import START, SampleRun, lease_of, raised

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.model.runs import Lease

#: Long after every sample.
LATER = 4_000_000_000.0


def alive(_: Lease) -> bool:
    """Say that the process of a lease lives."""
    return True


class LimitConformance:
    """Of a limit's slots no more are held than there are, whoever asks."""

    def test_a_limit_is_made_changed_and_deleted(self, ledger: Ledger) -> None:
        """Fields that a change leaves out stay; what is deleted is gone."""
        ledger.limits.change(LimitChange("db", 2), 1.0)
        made = ledger.limits.change(LimitChange("db", slot_decay_per_second=0.5), 2.0)
        expected = Limit("db", 2, slot_decay_per_second=0.5, created_at=1.0, updated_at=2.0, used_at=2.0)  # fmt: skip
        assert expected == made
        ledger.limits.change(LimitChange("api", 1, active=False), 3.0)
        assert [limit.name for limit in ledger.limits.all()] == ["api", "db"]
        assert not ledger.limits.all()[0].active
        assert ledger.limits.change(LimitChange("db", deleted=True), 4.0) is None
        assert [limit.name for limit in ledger.limits.all()] == ["api"]
        self._audit(ledger)

    def test_a_change_may_insist_on_what_is_there(self, ledger: Ledger) -> None:
        """Of two that make a limit one succeeds, and what is not there cannot be changed; nothing is recorded of either."""
        ledger.limits.change(LimitChange("db", 2), 1.0, exists=False)
        raised(
            ObjectAlreadyExists,
            lambda: ledger.limits.change(LimitChange("db", 3), 2.0, exists=False),
        )
        raised(
            ObjectNotFound,
            lambda: ledger.limits.change(LimitChange("api", 3), 2.0, exists=True),
        )
        assert [event.kind for event in ledger.events()] == ["limit"]

    def test_slots_are_granted_until_there_are_none(self, ledger: Ledger) -> None:
        """The third holder of two slots is refused and told who holds them; one release lets it in."""
        ledger.limits.change(LimitChange("db", 2), 1.0)
        first, second, third = (self._request(ledger, "db") for _ in range(3))
        assert Grant(("db",), ()) == self._acquire(ledger, first)
        assert Grant(("db",), ()) == self._acquire(ledger, second)
        refusal = self._acquire(ledger, third)
        assert isinstance(refusal, Refusal)
        assert refusal.limit.name == "db"
        assert [first.id, second.id] == [holder.id for holder in refusal.holders]
        assert refusal.retry_after is None
        assert {first.id} == ledger.limits.release([first.id], 2.0)
        assert isinstance(self._acquire(ledger, third), Grant)
        held = [holder.id for holder in ledger.limits.holders()]
        assert [second.id, third.id] == held
        self._audit(ledger)

    def test_a_holder_is_kept_as_it_asked(self, ledger: Ledger) -> None:
        """Who holds what, for which run, since when."""
        ledger.limits.change(LimitChange("db", 5), 1.0)
        request = self._request(ledger, "db", slots=3, run_id=urandom(16))
        self._acquire(ledger, request)
        expected = Holder(request.id, "db", 3, request.owner, request.run_id, "somebody", START)  # fmt: skip
        assert [expected] == list(ledger.limits.holders())
        assert isinstance(self._acquire(ledger, self._request(ledger, "db", slots=3)), Refusal)  # fmt: skip
        self._audit(ledger)

    def test_slots_of_several_limits_come_together(self, ledger: Ledger) -> None:
        """While one of them is full nothing is held of the others; a name given twice counts once."""
        ledger.limits.change(LimitChange("db", 1), 1.0)
        ledger.limits.change(LimitChange("api", 1), 1.0)
        only = self._request(ledger, "api")
        self._acquire(ledger, only)
        both = self._request(ledger, "db", "api", "db")
        refusal = self._acquire(ledger, both)
        assert isinstance(refusal, Refusal)
        assert refusal.limit.name == "api"
        assert [holder.name for holder in ledger.limits.holders()] == ["api"]
        ledger.limits.release([only.id], 2.0)
        assert Grant(("db", "api"), ()) == self._acquire(ledger, both)
        assert {both.id} == ledger.limits.release([both.id], 3.0)
        assert not ledger.limits.holders()
        self._audit(ledger)

    def test_what_is_not_defined_or_not_active_limits_nothing(
        self, ledger: Ledger
    ) -> None:
        """Such names are granted without a trace, and those that are not defined are told."""
        ledger.limits.change(LimitChange("off", 0, active=False), 1.0)
        events = len(ledger.events())
        request = self._request(ledger, "off", "nowhere")
        assert Grant((), ("nowhere",)) == self._acquire(ledger, request)
        assert not ledger.limits.holders()
        assert events == len(ledger.events())

    def test_a_process_that_lost_a_run_gets_no_slots_for_it(
        self, ledger: Ledger
    ) -> None:
        """Its fence has to be the stored one; a run that is not on record yet is nobody else's."""
        ledger.limits.change(LimitChange("db", 9), 1.0)
        run = SampleRun()
        wish = self._request(ledger, "db")._replace(flow_run_id=run.id, fence=run.fence)
        assert isinstance(self._acquire(ledger, wish), Grant)
        run.start(ledger)
        wish = wish._replace(id=urandom(16))
        assert isinstance(self._acquire(ledger, wish), Grant)
        ledger.sweep(LATER, lambda _: False)
        before = len(ledger.events())
        raised(LeaseLostError, lambda: self._acquire(ledger, wish))
        assert len(ledger.events()) == before
        self._audit(ledger)

    def test_a_second_release_finds_nothing(self, ledger: Ledger) -> None:
        """Releasing what is not held changes and records nothing."""
        ledger.limits.change(LimitChange("db", 1), 1.0)
        request = self._request(ledger, "db")
        self._acquire(ledger, request)
        ledger.limits.release([request.id], 2.0)
        events = len(ledger.events())
        assert set() == ledger.limits.release([request.id, urandom(16)], 3.0)
        assert events == len(ledger.events())

    def test_slots_of_a_process_that_is_gone_are_free(self, ledger: Ledger) -> None:
        """No lease, an expired one and a dead process all mean that; their holders are removed by whoever asks next."""
        ledger.limits.change(LimitChange("db", 3), 1.0)
        requests = [self._request(ledger, "db") for _ in range(3)]
        for request in requests:
            self._acquire(ledger, request)
        without, expired, dead = (request.owner for request in requests)
        ledger.release(without)
        ledger.renew(lease_of(expired, START))
        new = self._request(ledger, "db", slots=3)
        grant = ledger.limits.acquire(new, START + 1, lambda lease: lease.owner != dead)
        assert Grant(("db",), ()) == grant
        assert [new.id] == [holder.id for holder in ledger.limits.holders()]
        self._audit(ledger)

    def test_a_refusal_clears_away_who_is_gone(self, ledger: Ledger) -> None:
        """Also when those who are left still have too many slots."""
        ledger.limits.change(LimitChange("db", 2), 1.0)
        gone, staying = self._request(ledger, "db"), self._request(ledger, "db")
        self._acquire(ledger, gone)
        self._acquire(ledger, staying)
        ledger.release(gone.owner)
        refusal = self._acquire(ledger, self._request(ledger, "db", slots=2))
        assert isinstance(refusal, Refusal)
        assert [staying.id] == [holder.id for holder in refusal.holders]
        assert [staying.id] == [holder.id for holder in ledger.limits.holders()]
        self._audit(ledger)

    def test_the_process_that_asks_is_never_gone(self, ledger: Ledger) -> None:
        """What it holds counts although its lease has just expired."""
        ledger.limits.change(LimitChange("db", 1), 1.0)
        first = self._request(ledger, "db")
        self._acquire(ledger, first)
        second = first._replace(id=urandom(16))
        outcome = ledger.limits.acquire(second, LATER + 1, alive)
        assert isinstance(outcome, Refusal)

    def test_slots_of_a_rate_limit_come_back_with_time(self, ledger: Ledger) -> None:
        """Two at once, then one each half second; a refusal says how long to wait."""
        ledger.limits.change(LimitChange("api", 2, slot_decay_per_second=2.0), START)
        assert isinstance(self._rate(ledger, START, slots=2), Grant)
        refusal = self._rate(ledger, START)
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after is not None
        assert isclose(0.5, refusal.retry_after, rel_tol=1e-6)
        assert isinstance(self._rate(ledger, START + 0.5), Grant)
        assert isinstance(self._rate(ledger, START + 0.5), Refusal)
        assert not ledger.limits.holders()
        self._audit(ledger)

    def test_a_clock_that_is_behind_brings_no_slots_back(self, ledger: Ledger) -> None:
        """Of two machines whose clocks differ, both count the same slots."""
        ledger.limits.change(LimitChange("api", 1, slot_decay_per_second=1.0), START)
        assert isinstance(self._rate(ledger, START + 100), Grant)
        assert isinstance(self._rate(ledger, START), Refusal)
        assert isinstance(self._rate(ledger, START + 100.5), Refusal)
        assert isinstance(self._rate(ledger, START + 101), Grant)

    def test_held_and_used_slots_add_up(self, ledger: Ledger) -> None:
        """A limit serves both uses; who holds slots has to release them before as many can be used."""
        ledger.limits.change(LimitChange("api", 2, slot_decay_per_second=1.0), START)
        self._acquire(ledger, self._request(ledger, "api"))
        assert isinstance(self._rate(ledger, START), Grant)
        assert isinstance(self._rate(ledger, START), Refusal)
        refusal = self._rate(ledger, START, slots=2)
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after is None
        assert isinstance(self._rate(ledger, START + 1), Grant)
        self._audit(ledger)

    def test_a_limit_without_decay_is_no_rate_limit(self, ledger: Ledger) -> None:
        """Its slots would never come back, so none is used up."""
        ledger.limits.change(LimitChange("db", 5), START)
        refusal = self._rate(ledger, START, name="db")
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after is None
        assert ledger.limits.all()[0].used == 0

    def test_a_new_rate_counts_from_its_change(self, ledger: Ledger) -> None:
        """What came back before came back at the old rate."""
        ledger.limits.change(LimitChange("api", 4, slot_decay_per_second=1.0), START)
        self._rate(ledger, START, slots=4)
        ledger.limits.change(LimitChange("api", slot_decay_per_second=0.1), START + 1)
        assert isinstance(self._rate(ledger, START + 1), Grant)
        refusal = self._rate(ledger, START + 1)
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after is not None
        assert isclose(10, refusal.retry_after, rel_tol=1e-6)
        self._audit(ledger)

    def test_a_reset_frees_all_slots(self, ledger: Ledger) -> None:
        """Held and used ones; the limit stays as it was."""
        ledger.limits.change(LimitChange("api", 3, slot_decay_per_second=1.0), START)
        self._acquire(ledger, self._request(ledger, "api", slots=2))
        self._rate(ledger, START)
        made = ledger.limits.change(LimitChange("api", reset=True), START)
        assert made is not None
        assert (made.slots, made.used) == (3, 0)
        assert not ledger.limits.holders()
        self._audit(ledger)

    def test_a_deleted_limit_frees_its_own_slots_alone(self, ledger: Ledger) -> None:
        """Those acquired of other limits at the same time are still held."""
        ledger.limits.change(LimitChange("db", 1), START)
        ledger.limits.change(LimitChange("api", 1), START)
        both = self._request(ledger, "db", "api")
        self._acquire(ledger, both)
        ledger.limits.change(LimitChange("db", deleted=True), START)
        assert [holder.name for holder in ledger.limits.holders()] == ["api"]
        assert {both.id} == ledger.limits.release([both.id], START)
        self._audit(ledger)

    def test_fewer_slots_take_none_away(self, ledger: Ledger) -> None:
        """Who holds slots of a limit that is lowered keeps them; others wait until enough were released."""
        ledger.limits.change(LimitChange("db", 2), START)
        first, second = self._request(ledger, "db"), self._request(ledger, "db")
        self._acquire(ledger, first)
        self._acquire(ledger, second)
        ledger.limits.change(LimitChange("db", 1), START)
        third = self._request(ledger, "db")
        ledger.limits.release([first.id], START)
        assert isinstance(self._acquire(ledger, third), Refusal)
        ledger.limits.release([second.id], START)
        assert isinstance(self._acquire(ledger, third), Grant)

    def test_of_many_at_once_as_many_get_slots_as_there_are(
        self, ledger: Ledger
    ) -> None:
        """The last slot goes to one of those who want it."""
        ledger.limits.change(LimitChange("db", 3), START)
        requests = [self._request(ledger, "db") for _ in range(12)]
        with ThreadPoolExecutor(6) as threads:
            outcomes = list(threads.map(partial(self._acquire, ledger), requests))
        granted = {
            request.id
            for request, outcome in zip(requests, outcomes, strict=True)
            if isinstance(outcome, Grant)
        }
        held = [holder.id for holder in ledger.limits.holders()]
        assert [own_id in granted for own_id in held] == [True] * 3
        assert granted == set(held)
        self._audit(ledger)

    def _request(
        self,
        ledger: Ledger,
        *names: str,
        slots: int = 1,
        run_id: bytes | None = None,
    ) -> SlotRequest:
        """Return the request of a process of its own, which lives."""
        owner = urandom(16)
        ledger.renew(lease_of(owner, LATER))
        return SlotRequest(urandom(16), names, slots, owner, run_id, "somebody")

    def _acquire(self, ledger: Ledger, request: SlotRequest) -> Grant | Refusal:
        return ledger.limits.acquire(request, START, alive)

    def _rate(
        self, ledger: Ledger, at: float, *, slots: int = 1, name: str = "api"
    ) -> Grant | Refusal:
        request = self._request(ledger, name, slots=slots)._replace(is_rate=True)
        return ledger.limits.acquire(request, at, alive)

    def _audit(self, ledger: Ledger) -> None:
        """Check that limits and holders are what the events add up to."""
        rebuilt = rebuild(ledger.events())
        assert list(ledger.limits.all()) == [rebuilt.limits[name] for name in sorted(rebuilt.limits)]  # fmt: skip
        assert list(ledger.limits.holders()) == rebuilt.holders
