"""Whatever is asked of limits, in whatever order: both ledgers decide alike, and no limit is exceeded by a grant."""

from __future__ import annotations

from contextlib import closing
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from caudal.exceptions import CaudalError
from caudal.ledger.limits import Grant, SlotRequest
from caudal.ledger.memory import MemoryLedger
from caudal.ledger.replay import rebuild
from caudal.ledger.sqlite import SqliteLedger
from caudal.model.limits import LimitChange
from caudal.testing.samples import lease_of

if TYPE_CHECKING:
    from caudal.ledger.limits import Refusal
    from caudal.ledger.port import Ledger
    from caudal.model.limits import Limit
    from caudal.model.runs import Lease

NAMES = ["api", "db", "tag:x"]
OWNERS = [bytes([place]) * 16 for place in (1, 2, 3)]
LATER = 1e9

names = st.sampled_from(NAMES)
owners = st.sampled_from(OWNERS)


class Change(NamedTuple):
    """Somebody changes a limit."""

    change: LimitChange
    exists: bool | None


class Acquire(NamedTuple):
    """A process asks for slots."""

    id: int
    names: tuple[str, ...]
    slots: int
    owner: bytes
    is_rate: bool


class Release(NamedTuple):
    """A process releases slots."""

    ids: tuple[int, ...]


class Lose(NamedTuple):
    """The lease of a process ends, or begins."""

    owner: bytes
    begins: bool


ids = st.integers(1, 8)
steps = st.one_of(
    st.builds(
        Change,
        st.builds(
            LimitChange,
            names,
            st.none() | st.integers(0, 4),
            st.none() | st.booleans(),
            st.none() | st.sampled_from([0.0, 0.5, 3.0]),
            st.booleans(),
            st.sampled_from([False, False, True]),
        ),
        st.none() | st.booleans(),
    ),
    st.builds(
        Acquire,
        ids,
        st.lists(names, min_size=1, max_size=3).map(tuple),
        st.integers(1, 3),
        owners,
        st.booleans(),
    ),
    st.builds(Release, st.lists(ids, min_size=1, max_size=3).map(tuple)),
    st.builds(Lose, owners, st.booleans()),
)
limited = [
    Change(LimitChange(name, slots, None, decay), None)
    for name, slots, decay in (("api", 3, 0.5), ("db", 2, 0.0))
]


def alive(_: Lease) -> bool:
    """Say that the process of a lease lives."""
    return True


def take(ledger: Ledger, step: Change | Acquire | Release | Lose, now: float) -> object:
    """Take a step and return what came of it."""
    match step:
        case Change(change, exists):
            try:
                return ledger.limits.change(change, now, exists=exists)
            except CaudalError as error:
                return str(error)
        case Acquire():
            return acquire(ledger, step, now)
        case Release(given_ids):
            return ledger.limits.release([bytes([it]) * 16 for it in given_ids], now)
        case Lose(owner, begins):
            if begins:
                return ledger.renew(lease_of(owner, LATER))
            return ledger.release(owner)


def acquire(ledger: Ledger, step: Acquire, now: float) -> Grant | Refusal | None:
    """Ask for slots under an id that nothing is held under, and check that a grant exceeds no limit."""
    own_id = bytes([step.id]) * 16
    if any(holder.id == own_id for holder in ledger.limits.holders()):
        return None
    ledger.renew(lease_of(step.owner, LATER))
    request = SlotRequest(own_id, step.names, step.slots, step.owner, None, "r", step.is_rate)  # fmt: skip
    outcome = ledger.limits.acquire(request, now, alive)
    if isinstance(outcome, Grant):
        for limit in ledger.limits.all():
            if limit.name in outcome.names:
                assert occupied(ledger, limit, now) <= limit.slots + 1e-6
    return outcome


def occupied(ledger: Ledger, limit: Limit, now: float) -> float:
    """Return how many slots of a limit are in use by processes that live."""
    living = {lease.owner for lease in ledger.leases()}
    holders = [each for each in ledger.limits.holders() if each.name == limit.name]
    held = sum(each.slots for each in holders if each.owner in living)
    return held + limit.used_slots(now)


@given(st.lists(steps, max_size=30))
@settings(deadline=None, max_examples=150)
def test_no_limit_is_exceeded_and_events_add_up(
    taken: list[Change | Acquire | Release | Lose],
) -> None:
    """After each grant the holders that live have no more slots than there are, and a replay makes the same rows."""
    with (
        TemporaryDirectory() as folder,
        closing(SqliteLedger(f"{folder}/caudal.db")) as file,
    ):
        memory = MemoryLedger()
        for place, step in enumerate([*limited, *taken], 1):
            assert take(memory, step, place / 3) == take(file, step, place / 3)
        assert memory.events() == file.events()
        rebuilt = rebuild(file.events())
        for ledger in (memory, file):
            assert rebuilt.holders == list(ledger.limits.holders())
            assert rebuilt.limits == {limit.name: limit for limit in ledger.limits.all()}  # fmt: skip
