"""Limits of the ledger in a SQLite file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple

from caudal.ledger.encoding import encode
from caudal.ledger.granting import (
    check_exists,
    check_owner,
    decide,
    live_holders,
    released_events,
)
from caudal.ledger.sqlite.bulk import BulkStatement
from caudal.ledger.sqlite.rows import event_values
from caudal.model.limits import Holder, Limit, fold_limit
from caudal.model.runs import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from sqlite3 import Cursor

    from caudal.ledger.granting import Decision
    from caudal.ledger.limits import Grant, Refusal, SlotRequest
    from caudal.ledger.plan import NewEvent
    from caudal.ledger.sqlite.database import Database
    from caudal.model.limits import LimitChange


class SqliteLimits:
    """``Limits`` of a ``SqliteLedger``; see the port for what its methods do.

    Args:
        database: The ledger's file.
        queries: Statements by name.
    """

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database, self._queries = database, queries
        self._add_events = BulkStatement(queries["add_events"])
        self._held = BulkStatement(queries["held"])
        self._drop_holders = BulkStatement(queries["delete_holders"])

    def change(
        self, change: LimitChange, at: float, *, exists: bool | None = None
    ) -> Limit | None:
        """Create, change, reset or delete a limit."""
        with self._database.transaction() as cursor:
            found = cursor.execute(self._queries["limits"]).fetchall()
            old = _limits(found).get(change.name)
            check_exists(change.name, found=old is not None, expected=exists)
            self._record(cursor, [(at, "limit", None, None, encode(change))])
            if change.frees:
                cursor.execute(self._queries["delete_holders_of_limit"], (change.name,))
            new = fold_limit(old, change, at)
            if new is None:
                cursor.execute(self._queries["delete_limit"], (change.name,))
            else:
                cursor.execute(self._queries["put_limit"], astuple(new))
            return new

    def all(self) -> Sequence[Limit]:
        """Return all limits by name."""
        return list(_limits(self._read("limits")).values())

    def holders(self) -> Sequence[Holder]:
        """Return who holds slots."""
        return _holders(self._read("holders"))

    def acquire(
        self, request: SlotRequest, now: float, is_alive: Callable[[Lease], bool]
    ) -> Grant | Refusal:
        """Acquire slots of all limits that a request names, or of none."""
        # A look without a lock first: those who wait for a slot should cost the writers nothing.
        made = self._decide(request, now, is_alive, self._read)
        if not made.events:
            return made.outcome
        with self._database.transaction() as cursor:

            def read(query: str, *values: Any) -> list[Any]:
                return cursor.execute(self._queries[query], values).fetchall()

            found = read("fences", request.flow_run_id)
            check_owner(request, found[0][1:] if found else None)
            made = self._decide(request, now, is_alive, read)
            self._record(cursor, made.events)
            self._drop(cursor, made.gone)
            for holder in made.added:
                cursor.execute(self._queries["put_holder"], holder)
            for limit in made.used:
                cursor.execute(self._queries["put_limit"], astuple(limit))
        return made.outcome

    def release(self, ids: Collection[bytes], now: float) -> set[bytes]:
        """Release what was acquired under some ids."""
        with self._database.transaction() as cursor:
            held = {
                own_id
                for (own_id,) in self._held.run(cursor, [(each,) for each in ids])
            }
            self._record(cursor, released_events(held, now))
            self._drop(cursor, held)
        return held

    def _decide(
        self,
        request: SlotRequest,
        now: float,
        is_alive: Callable[[Lease], bool],
        read: Callable[..., list[Any]],
    ) -> Decision:
        limits = _limits(read("limits"))
        holders = live = _holders(read("holders_of_limits", json.dumps(request.names)))
        if any(each.owner != request.owner for each in holders):
            leases = [Lease(*values) for values in read("leases")]
            live = live_holders(holders, leases, now, is_alive, request.owner)
        return decide(request, limits, holders, live, now)

    def _drop(self, cursor: Cursor, ids: Iterable[bytes]) -> None:
        self._drop_holders.run(cursor, [(each,) for each in ids])

    def _record(self, cursor: Cursor, events: Collection[NewEvent]) -> None:
        self._add_events.run(cursor, events, event_values)

    def _read(self, query: str, *values: Any) -> list[Any]:
        return self._database.read(self._queries[query], values)


def _limits(found: Iterable[Sequence[Any]]) -> dict[str, Limit]:
    limits: dict[str, Limit] = {}
    for name, slots, active, *rest in found:
        limits[name] = Limit(name, slots, bool(active), *rest)
    return limits


def _holders(found: Iterable[Sequence[Any]]) -> list[Holder]:
    return [Holder(*values) for values in found]
