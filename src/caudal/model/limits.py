"""Named limits: how many slots there are, and who holds them.

The occupancy of a limit is the set of its holders, never a counter. A holder counts while the process that acquired
its slots lives, so no slot outlives the code that it was for. Slots that a rate limit took have no holder: they come back with time, and
the limit keeps how many are used up and since when (a token bucket).
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, structs

#: What the names of limits on the tasks with a tag begin with.
TAG_PREFIX = "tag:"


class Limit(Struct):
    """A limit as it stands."""

    name: str
    #: How many may be in use at a time; with none, everyone waits.
    slots: int
    #: Whether it limits anything now.
    active: bool = True
    #: Slots of rate limits that come back each second; 0 when it is no rate limit.
    slot_decay_per_second: float = 0.0
    #: Seconds since the epoch, UTC, like all times.
    created_at: float = 0.0
    updated_at: float = 0.0
    #: Slots used up by rate limits at ``used_at``; they have been coming back since.
    used: float = 0.0
    used_at: float = 0.0

    def used_slots(self, now: float) -> float:
        """Return how many slots are used up by rate limits now; a clock that is behind brings none back."""
        elapsed = max(0.0, now - self.used_at)
        return max(0.0, self.used - self.slot_decay_per_second * elapsed)


class Holder(NamedTuple):
    """Slots of one limit in use; those that were acquired together have the same id."""

    id: bytes
    name: str
    slots: int
    #: Lease of the process that acquired them.
    owner: bytes
    #: The run whose code uses them, None outside of runs.
    run_id: bytes | None
    #: Who that is, for people.
    label: str
    acquired_at: float


class LimitChange(Struct, omit_defaults=True):
    """What happened to a limit: the payload of a ``limit`` event. Fields that are None stay as they are."""

    name: str
    slots: int | None = None
    active: bool | None = None
    slot_decay_per_second: float | None = None
    #: Whether all its slots were taken from those who held or used them.
    reset: bool = False
    deleted: bool = False

    @property
    def frees(self) -> bool:
        """Whether nobody holds slots of the limit from then on."""
        return self.reset or self.deleted


class SlotsChange(Struct, omit_defaults=True):
    """Slots acquired or released: the payload of a ``slots`` event."""

    id: str
    #: The limits; empty when the slots were released.
    names: list[str] = []
    slots: int = 0
    owner: str = ""
    run_id: str | None = None
    label: str = ""
    #: Whether they were used up by a rate limit, so that nobody holds them.
    is_rate: bool = False


def fold_limit(limit: Limit | None, change: LimitChange, at: float) -> Limit | None:
    """Return a limit after a change, None when it was deleted; the limit given stays as it is."""
    if change.deleted:
        return None
    if limit is None:
        limit = Limit(change.name, 0, created_at=at, used_at=at)
    given = {
        name: value
        for name in ("slots", "active", "slot_decay_per_second")
        if (value := getattr(change, name)) is not None
    }
    # What came back so far came back at the old rate.
    used = 0.0 if change.reset else limit.used_slots(at)
    used_at = max(at, limit.used_at)
    return structs.replace(limit, updated_at=at, used=used, used_at=used_at, **given)


def use_up(limit: Limit, slots: int, at: float) -> Limit:
    """Return a limit after a rate limit took slots of it."""
    used = limit.used_slots(at) + slots
    return structs.replace(limit, used=used, used_at=max(at, limit.used_at))


def holders_of(change: SlotsChange, at: float) -> list[Holder]:
    """Return the holders that an acquisition makes, one for each limit."""
    run_id = None if change.run_id is None else bytes.fromhex(change.run_id)
    own_id, owner = bytes.fromhex(change.id), bytes.fromhex(change.owner)
    return [
        Holder(own_id, name, change.slots, owner, run_id, change.label, at)
        for name in change.names
    ]
