"""Limits as users see them: in the client and in what programs print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from caudal.exceptions import InvalidNameError, InvalidValueError
from caudal.model.limits import TAG_PREFIX
from caudal.model.views import utc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from caudal.model.limits import Holder, Limit


@dataclass(slots=True)
class SlotHolder:
    """Who holds slots of a limit. Times are aware UTC."""

    #: The run whose code it is, as a phrase; or the process outside of runs.
    label: str
    slots: int
    since: datetime
    #: The task or flow run, None outside of runs.
    run_id: UUID | None


@dataclass(slots=True)
class GlobalConcurrencyLimit:
    """A named limit at one moment. Times are aware UTC."""

    name: str
    limit: int
    #: Whether it limits anything now.
    active: bool
    #: Slots in use: held ones, and those of rate limits that have not come back.
    active_slots: int
    slot_decay_per_second: float
    created: datetime
    updated: datetime
    #: Who holds slots, in the order of acquisition; those whose process is gone are left out.
    holders: list[SlotHolder]


@dataclass(slots=True)
class ConcurrencyLimit:
    """A limit on the task runs with a tag, at one moment. Times are aware UTC."""

    tag: str
    concurrency_limit: int
    #: The task runs that hold a slot.
    active_slots: list[UUID]
    created: datetime
    updated: datetime


@dataclass(slots=True)
class GlobalConcurrencyLimitCreate:
    """A limit that is to be made.

    Raises:
        InvalidNameError: The name is empty.
        InvalidValueError: A number is negative.
    """

    name: str
    limit: int
    active: bool = True
    #: Slots that come back each second when it is used as a rate limit; 0 when it is none.
    slot_decay_per_second: float = 0.0

    def __post_init__(self) -> None:
        if not self.name or not self.name.removeprefix(TAG_PREFIX):
            rule = "Give at least one character."
            raise InvalidNameError("a concurrency limit", self.name, rule)
        _check(self.limit, self.slot_decay_per_second)


@dataclass(slots=True)
class GlobalConcurrencyLimitUpdate:
    """What is to change of a limit; fields that are None stay as they are.

    Raises:
        InvalidValueError: A number is negative.
    """

    limit: int | None = None
    active: bool | None = None
    slot_decay_per_second: float | None = None

    def __post_init__(self) -> None:
        _check(self.limit, self.slot_decay_per_second)


def limit_view(
    limit: Limit, holders: Iterable[Holder], now: float
) -> GlobalConcurrencyLimit:
    """Return a limit as users see it.

    Args:
        limit: The limit.
        holders: Who holds slots of any limit and lives.
        now: Seconds since the epoch, UTC.
    """
    own = [
        SlotHolder(
            each.label,
            each.slots,
            utc(each.acquired_at),
            None if each.run_id is None else UUID(bytes=each.run_id),
        )
        for each in holders
        if each.name == limit.name
    ]
    return GlobalConcurrencyLimit(
        name=limit.name,
        limit=limit.slots,
        active=limit.active,
        active_slots=sum(each.slots for each in own) + math.ceil(limit.used_slots(now)),
        slot_decay_per_second=limit.slot_decay_per_second,
        created=utc(limit.created_at),
        updated=utc(limit.updated_at),
        holders=own,
    )


def tag_limit_view(view: GlobalConcurrencyLimit) -> ConcurrencyLimit:
    """Return the limit on a tag that a named limit is."""
    return ConcurrencyLimit(
        tag=view.name.removeprefix(TAG_PREFIX),
        concurrency_limit=view.limit,
        active_slots=[each.run_id for each in view.holders if each.run_id is not None],
        created=view.created,
        updated=view.updated,
    )


def _check(limit: int | None, slot_decay_per_second: float | None) -> None:
    if limit is not None and limit < 0:
        rule = "It takes a whole number from 0 on."
        raise InvalidValueError("limit", str(limit), rule)
    decay = slot_decay_per_second
    if decay is not None and not (decay >= 0 and math.isfinite(decay)):
        rule = "It takes a number of slots from 0 on."
        raise InvalidValueError("slot_decay_per_second", str(decay), rule)
