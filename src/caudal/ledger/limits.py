"""Limits as a part of the ledger: what can be asked of it, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from caudal.model.limits import Holder, Limit, LimitChange
    from caudal.model.runs import Fence, Lease

#: Holders that a sentence names before it counts the others.
_NAMED = 3


class SlotRequest(NamedTuple):
    """What somebody wants: the same number of slots of several limits, all of them or none."""

    #: Under which they are released: sixteen bytes, new for each request.
    id: bytes
    names: tuple[str, ...]
    slots: int
    #: Lease of the process.
    owner: bytes
    run_id: bytes | None
    #: Who asks, for people.
    label: str
    #: Whether the slots are used up and come back with time, instead of being held until they are released.
    is_rate: bool = False
    #: The flow run whose code asks, and proof that the process owns it; None outside of flow runs.
    flow_run_id: bytes | None = None
    fence: Fence | None = None


class Grant(NamedTuple):
    """The slots were acquired."""

    #: The limits that are defined and active; the others limit nothing.
    names: tuple[str, ...]
    #: Names under which no limit is defined.
    missing: tuple[str, ...]


class Refusal(NamedTuple):
    """Not all of the slots are free, so none was acquired."""

    #: The first limit that has too few free.
    limit: Limit
    #: Who holds slots of it.
    holders: tuple[Holder, ...]
    #: Seconds until enough will have come back, None when somebody has to release some or the limit has to change.
    retry_after: float | None

    def reason(self) -> str:
        """Return why the slots cannot be had now, as a sentence for people: which limit is full, and who holds it."""
        limit = self.limit
        name, slots = limit.name, limit.slots
        if not slots:
            return f"Concurrency limit {name!r} has no slots."
        held = sum(holder.slots for holder in self.holders)
        if not held:
            rate = limit.slot_decay_per_second
            used = "The only slot" if slots == 1 else f"The {slots} slots"
            verb = "is" if slots == 1 else "are"
            return f"{used} of concurrency limit {name!r} {verb} used up; {rate:g} a second come back."
        labels = [holder.label for holder in self.holders]
        more = len(labels) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        share = "The only slot" if slots == 1 else f"{held} of the {slots} slots"
        verb = "is" if slots == 1 else "are"
        return f"{share} of concurrency limit {name!r} {verb} held by {', '.join(labels[:_NAMED])}{rest}."


class Limits(Protocol):
    """Named limits and their slots; the attribute ``limits`` of a ledger.

    Implementations are safe to call from several threads and raise ``LedgerError``. Every change is recorded as an event.
    """

    def change(
        self, change: LimitChange, at: float, *, exists: bool | None = None
    ) -> Limit | None:
        """Create, change, reset or delete a limit in one step and return it as it is then, None when it was deleted.

        Deleting or resetting it takes its slots from those who hold them.

        Args:
            change: What is to change.
            at: Seconds since the epoch, UTC.
            exists: Whether the limit has to be there before, or must not be; None when either will do.

        Raises:
            ObjectNotFound: It has to be there and is not.
            ObjectAlreadyExists: It must not be there and is.
        """
        ...

    def all(self) -> Sequence[Limit]:
        """Return all limits by name."""
        ...

    def holders(self) -> Sequence[Holder]:
        """Return who holds slots of any limit, in the order of acquisition; also those whose process is gone."""
        ...

    def acquire(
        self, request: SlotRequest, now: float, is_alive: Callable[[Lease], bool]
    ) -> Grant | Refusal:
        """Acquire slots of all limits that a request names, or of none, in one step.

        At no moment do the holders of a limit whose processes live have more slots than it had when they got them. A holder whose
        process is gone (no lease, an expired one, or one for which ``is_alive`` is false) does not count and is removed.
        Limits that are not defined or not active do not count either. A request of a rate limit is refused by a limit whose
        slots do not come back. The process that asks must hold a lease; a refusal that finds nobody gone writes nothing.

        Raises:
            LeaseLostError: The flow run that the request names is on record with another owner or attempt than its fence says; nothing is acquired.
        """
        ...

    def release(self, ids: Collection[bytes], now: float) -> set[bytes]:
        """Release what was acquired under some ids, and return those that were still held."""
        ...
