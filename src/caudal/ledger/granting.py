"""The rules by which slots of limits are granted.

They live here once, without input or output. A ledger reads, asks ``decide`` and stores what that says inside one
transaction, so that of several processes that want the last slot one gets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.json import Decoder

from caudal.exceptions import LeaseLostError, ObjectAlreadyExists, ObjectNotFound
from caudal.ledger.encoding import encode
from caudal.ledger.limits import Grant, Refusal
from caudal.ledger.takeover import is_gone
from caudal.model.ids import format_id
from caudal.model.limits import LimitChange, SlotsChange, holders_of, use_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from caudal.ledger.limits import SlotRequest
    from caudal.ledger.plan import NewEvent
    from caudal.model.limits import Holder, Limit
    from caudal.model.runs import Lease

#: Reads the payload of a ``limit`` event.
decode_limit_change: Callable[[bytes], LimitChange] = Decoder(LimitChange).decode
#: Reads the payload of a ``slots`` event.
decode_slots_change: Callable[[bytes], SlotsChange] = Decoder(SlotsChange).decode

#: Slots come back as fractions; so much may be missing from a whole one.
_ROUNDING = 1e-9


class Decision(NamedTuple):
    """What a ledger stores for a request; nothing when there is no event."""

    outcome: Grant | Refusal
    events: list[NewEvent]
    #: Ids of holders whose process is gone.
    gone: set[bytes]
    added: list[Holder]
    #: Limits whose used slots changed.
    used: list[Limit]


def live_holders(
    holders: Iterable[Holder],
    leases: Iterable[Lease],
    now: float,
    is_alive: Callable[[Lease], bool],
    myself: bytes | None = None,
) -> list[Holder]:
    """Return the holders whose process is not gone; the one that asks never is."""
    holders = list(holders)
    known = {lease.owner: lease for lease in leases}
    gone = {
        owner
        for owner in {holder.owner for holder in holders} - {myself}
        if is_gone(known.get(owner), now, is_alive)
    }
    return [holder for holder in holders if holder.owner not in gone]


def check_exists(name: str, *, found: bool, expected: bool | None) -> None:
    """Do nothing if a limit may be changed; see ``Limits.change``.

    Raises:
        ObjectNotFound: It has to be there and is not.
        ObjectAlreadyExists: It must not be there and is.
    """
    if expected is True and not found:
        raise ObjectNotFound("concurrency limit", name)
    if expected is False and found:
        raise ObjectAlreadyExists("concurrency limit", name)


def check_owner(request: SlotRequest, stored: tuple[bytes | None, int] | None) -> None:
    """Do nothing if the process that asks owns the flow run for whose code it asks, or that is not on record yet.

    Args:
        request: Who wants what.
        stored: Owner and attempt of the flow run as the ledger has it, None when it has none.

    Raises:
        LeaseLostError: Another process owns it.
    """
    if request.flow_run_id is not None and stored not in {None, request.fence}:
        raise LeaseLostError(format_id(request.flow_run_id))


def decide(
    request: SlotRequest,
    limits: Mapping[str, Limit],
    holders: Sequence[Holder],
    live: Sequence[Holder],
    now: float,
) -> Decision:
    """Return what to store for a request.

    Args:
        request: Who wants what.
        limits: The stored limits by name, at least those that the request names.
        holders: The stored holders of these limits.
        live: Those of them whose process is not gone.
        now: Seconds since the epoch, UTC.
    """
    gone = {holder.id for holder in holders} - {holder.id for holder in live}
    events = released_events(gone, now)
    names = dict.fromkeys(request.names)
    wanted = [limits[name] for name in names if name in limits and limits[name].active]
    for limit in wanted:
        refusal = _refusal(limit, live, request, now)
        if refusal is not None:
            return Decision(refusal, events, gone, [], [])
    missing = tuple(name for name in names if name not in limits)
    grant = Grant(tuple(limit.name for limit in wanted), missing)
    if not wanted:
        return Decision(grant, events, gone, [], [])
    change = _acquisition(request, grant.names)
    events.append((now, "slots", None, None, encode(change)))
    if request.is_rate:
        used = [use_up(limit, request.slots, now) for limit in wanted]
        return Decision(grant, events, gone, [], used)
    return Decision(grant, events, gone, holders_of(change, now), [])


def released_events(ids: Iterable[bytes], at: float) -> list[NewEvent]:
    """Return the events that say that slots were released."""
    return [
        (at, "slots", None, None, encode(SlotsChange(own_id.hex())))
        for own_id in sorted(ids)
    ]


def _refusal(
    limit: Limit, live: Sequence[Holder], request: SlotRequest, now: float
) -> Refusal | None:
    """Return why slots of a limit cannot be had, or None."""
    holders = tuple(holder for holder in live if holder.name == limit.name)
    decay = limit.slot_decay_per_second
    if request.is_rate and decay <= 0:
        return Refusal(limit, holders, None)
    wanted = sum(holder.slots for holder in holders) + request.slots
    missing = wanted + limit.used_slots(now) - limit.slots
    if missing <= _ROUNDING:
        return None
    comes_back = decay > 0 and wanted <= limit.slots
    return Refusal(limit, holders, missing / decay if comes_back else None)


def _acquisition(request: SlotRequest, names: tuple[str, ...]) -> SlotsChange:
    return SlotsChange(
        request.id.hex(),
        list(names),
        request.slots,
        request.owner.hex(),
        None if request.run_id is None else request.run_id.hex(),
        request.label,
        request.is_rate,
    )
