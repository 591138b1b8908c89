"""Limits of a ledger in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from caudal.ledger.encoding import encode
from caudal.ledger.granting import (
    check_exists,
    check_owner,
    decide,
    live_holders,
    released_events,
)
from caudal.model.limits import fold_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from threading import RLock

    from caudal.ledger.limits import Grant, Refusal, SlotRequest
    from caudal.ledger.plan import NewEvent
    from caudal.model.limits import Holder, Limit, LimitChange
    from caudal.model.runs import FlowRunRow, Lease


class MemoryLimits:
    """``Limits`` of a ``MemoryLedger``; see the port for what its methods do.

    Args:
        opened: Gives the ledger's lock, or raises when it is closed.
        leases: Returns all leases.
        record: Appends events.
        flow_run: Returns a flow run, or None.
    """

    def __init__(
        self,
        opened: Callable[[], RLock],
        leases: Callable[[], Sequence[Lease]],
        record: Callable[[Iterable[NewEvent]], None],
        flow_run: Callable[[bytes], FlowRunRow | None],
    ) -> None:
        self._opened, self._leases, self._record = opened, leases, record
        self._flow_run = flow_run
        self._limits: dict[str, Limit] = {}
        self._holders: list[Holder] = []

    def change(
        self, change: LimitChange, at: float, *, exists: bool | None = None
    ) -> Limit | None:
        """Create, change, reset or delete a limit."""
        with self._opened():
            old = self._limits.get(change.name)
            check_exists(change.name, found=old is not None, expected=exists)
            self._record([(at, "limit", None, None, encode(change))])
            if change.frees:
                self._holders = [h for h in self._holders if h.name != change.name]
            new = fold_limit(old, change, at)
            if new is None:
                self._limits.pop(change.name, None)
                return None
            self._limits[change.name] = new
            return structs.replace(new)

    def all(self) -> Sequence[Limit]:
        """Return all limits by name."""
        with self._opened():
            return [
                structs.replace(self._limits[name]) for name in sorted(self._limits)
            ]

    def holders(self) -> Sequence[Holder]:
        """Return who holds slots."""
        with self._opened():
            return list(self._holders)

    def acquire(
        self, request: SlotRequest, now: float, is_alive: Callable[[Lease], bool]
    ) -> Grant | Refusal:
        """Acquire slots of all limits that a request names, or of none."""
        with self._opened():
            row = self._flow_run(request.flow_run_id or b"")
            check_owner(request, None if row is None else (row.owner, row.attempt))
            holders = [each for each in self._holders if each.name in request.names]
            live = live_holders(holders, self._leases(), now, is_alive, request.owner)
            made = decide(request, self._limits, holders, live, now)
            self._record(made.events)
            self._drop(made.gone)
            self._holders += made.added
            self._limits |= {limit.name: limit for limit in made.used}
            return made.outcome

    def release(self, ids: Collection[bytes], now: float) -> set[bytes]:
        """Release what was acquired under some ids."""
        with self._opened():
            held = {each.id for each in self._holders}.intersection(ids)
            self._record(released_events(held, now))
            self._drop(held)
            return held

    def _drop(self, ids: set[bytes]) -> None:
        if ids:
            self._holders = [each for each in self._holders if each.id not in ids]
