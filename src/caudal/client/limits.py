"""What a client does with named limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.clock import timestamp
from caudal.engine.liveness import is_alive
from caudal.exceptions import ObjectNotFound
from caudal.ledger.granting import live_holders
from caudal.model.limit_views import (
    ConcurrencyLimit,
    GlobalConcurrencyLimit,
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    limit_view,
    tag_limit_view,
)
from caudal.model.limits import TAG_PREFIX, LimitChange
from caudal.model.paging import MAX_LIMIT, checked_limit, checked_offset
from caudal.twins import in_thread

if TYPE_CHECKING:
    from caudal.engine.engine import Engine


class LimitMethods:
    """The part of a client that reads and changes named limits; those on tags are the limits named ``tag:TAG``."""

    _engine: Engine

    def create_global_concurrency_limit(
        self, concurrency_limit: GlobalConcurrencyLimitCreate
    ) -> GlobalConcurrencyLimit:
        """Make a limit and return it.

        Raises:
            ObjectAlreadyExists: There is one of that name.
        """
        given = concurrency_limit
        change = LimitChange(
            given.name, given.limit, given.active, given.slot_decay_per_second
        )
        self._change(change, exists=False)
        return self.read_global_concurrency_limit_by_name(given.name)

    def update_global_concurrency_limit(
        self, name: str, concurrency_limit: GlobalConcurrencyLimitUpdate
    ) -> GlobalConcurrencyLimit:
        """Change a limit and return it; slots that are held stay held, also when there are fewer now.

        Raises:
            ObjectNotFound: There is none.
        """
        given = concurrency_limit
        change = LimitChange(
            name, given.limit, given.active, given.slot_decay_per_second
        )
        self._change(change, exists=True)
        return self.read_global_concurrency_limit_by_name(name)

    def upsert_global_concurrency_limit_by_name(
        self, name: str, limit: int, slot_decay_per_second: float | None = None
    ) -> GlobalConcurrencyLimit:
        """Make a limit, or change the one that is there, in one step, and return it.

        Args:
            name: Its name.
            limit: How many slots there are.
            slot_decay_per_second: Slots that come back each second; None leaves that as it is, or 0.
        """
        checked = GlobalConcurrencyLimitCreate(
            name, limit, slot_decay_per_second=slot_decay_per_second or 0.0
        )
        change = LimitChange(
            checked.name, limit, slot_decay_per_second=slot_decay_per_second
        )
        self._change(change, exists=None)
        return self.read_global_concurrency_limit_by_name(name)

    def delete_global_concurrency_limit_by_name(self, name: str) -> None:
        """Delete a limit; who holds slots goes on, and nobody waits for them any more.

        Raises:
            ObjectNotFound: There is none.
        """
        self._change(LimitChange(name, deleted=True), exists=True)

    def reset_global_concurrency_limit_by_name(self, name: str) -> None:
        """Free all slots of a limit; the code that held them goes on.

        Raises:
            ObjectNotFound: There is none.
        """
        self._change(LimitChange(name, reset=True), exists=True)

    def read_global_concurrency_limit_by_name(
        self, name: str
    ) -> GlobalConcurrencyLimit:
        """Return a limit.

        Raises:
            ObjectNotFound: There is none.
        """
        for view in self.read_global_concurrency_limits(MAX_LIMIT):
            if view.name == name:
                return view
        raise ObjectNotFound("concurrency limit", name)

    def read_global_concurrency_limits(
        self, limit: int = 10, offset: int = 0
    ) -> list[GlobalConcurrencyLimit]:
        """Return limits by name, those on tags too.

        Args:
            limit: The most limits to return, up to 10,000.
            offset: How many to leave out at the beginning.
        """
        engine, now = self._engine, timestamp()
        ledger = engine.ledger
        holders = live_holders(
            ledger.limits.holders(), ledger.leases(), now, is_alive, engine.owner
        )
        page = ledger.limits.all()[checked_offset(offset) :][: checked_limit(limit)]
        return [limit_view(each, holders, now) for each in page]

    def create_concurrency_limit(
        self, tag: str, concurrency_limit: int
    ) -> ConcurrencyLimit:
        """Limit how many task runs with a tag run at a time, or change that limit.

        Args:
            tag: The tag.
            concurrency_limit: How many; with 0 all of them wait.
        """
        name = TAG_PREFIX + tag
        return tag_limit_view(
            self.upsert_global_concurrency_limit_by_name(name, concurrency_limit)
        )

    def read_concurrency_limit_by_tag(self, tag: str) -> ConcurrencyLimit:
        """Return the limit on a tag.

        Raises:
            ObjectNotFound: There is none.
        """
        return tag_limit_view(
            self.read_global_concurrency_limit_by_name(TAG_PREFIX + tag)
        )

    def read_concurrency_limits(
        self, limit: int = 10, offset: int = 0
    ) -> list[ConcurrencyLimit]:
        """Return the limits on tags by tag; see ``read_global_concurrency_limits``."""
        views = [
            tag_limit_view(view)
            for view in self.read_global_concurrency_limits(MAX_LIMIT)
            if view.name.startswith(TAG_PREFIX)
        ]
        return views[checked_offset(offset) :][: checked_limit(limit)]

    def reset_concurrency_limit_by_tag(self, tag: str) -> None:
        """Free all slots of the limit on a tag; the task runs that held them go on.

        Raises:
            ObjectNotFound: There is none.
        """
        self.reset_global_concurrency_limit_by_name(TAG_PREFIX + tag)

    def delete_concurrency_limit_by_tag(self, tag: str) -> None:
        """Delete the limit on a tag.

        Raises:
            ObjectNotFound: There is none.
        """
        self.delete_global_concurrency_limit_by_name(TAG_PREFIX + tag)

    def _change(self, change: LimitChange, *, exists: bool | None) -> None:
        self._engine.ledger.limits.change(change, timestamp(), exists=exists)
        self._engine.slots.forget_tags()


class AsyncLimitMethods:
    """The part of an awaited client that reads and changes named limits."""

    _limits: LimitMethods

    async def create_global_concurrency_limit(
        self, concurrency_limit: GlobalConcurrencyLimitCreate
    ) -> GlobalConcurrencyLimit:
        """See `LimitMethods.create_global_concurrency_limit`."""
        return await in_thread(
            self._limits.create_global_concurrency_limit, concurrency_limit
        )

    async def update_global_concurrency_limit(
        self, name: str, concurrency_limit: GlobalConcurrencyLimitUpdate
    ) -> GlobalConcurrencyLimit:
        """See `LimitMethods.update_global_concurrency_limit`."""
        return await in_thread(
            self._limits.update_global_concurrency_limit, name, concurrency_limit
        )

    async def upsert_global_concurrency_limit_by_name(
        self, name: str, limit: int, slot_decay_per_second: float | None = None
    ) -> GlobalConcurrencyLimit:
        """See `LimitMethods.upsert_global_concurrency_limit_by_name`."""
        return await in_thread(
            self._limits.upsert_global_concurrency_limit_by_name,
            name,
            limit,
            slot_decay_per_second,
        )

    async def delete_global_concurrency_limit_by_name(self, name: str) -> None:
        """See `LimitMethods.delete_global_concurrency_limit_by_name`."""
        await in_thread(self._limits.delete_global_concurrency_limit_by_name, name)

    async def reset_global_concurrency_limit_by_name(self, name: str) -> None:
        """See `LimitMethods.reset_global_concurrency_limit_by_name`."""
        await in_thread(self._limits.reset_global_concurrency_limit_by_name, name)

    async def read_global_concurrency_limit_by_name(
        self, name: str
    ) -> GlobalConcurrencyLimit:
        """See `LimitMethods.read_global_concurrency_limit_by_name`."""
        return await in_thread(self._limits.read_global_concurrency_limit_by_name, name)

    async def read_global_concurrency_limits(
        self, limit: int = 10, offset: int = 0
    ) -> list[GlobalConcurrencyLimit]:
        """See `LimitMethods.read_global_concurrency_limits`."""
        return await in_thread(
            self._limits.read_global_concurrency_limits, limit, offset
        )

    async def create_concurrency_limit(
        self, tag: str, concurrency_limit: int
    ) -> ConcurrencyLimit:
        """See `LimitMethods.create_concurrency_limit`."""
        return await in_thread(
            self._limits.create_concurrency_limit, tag, concurrency_limit
        )

    async def read_concurrency_limit_by_tag(self, tag: str) -> ConcurrencyLimit:
        """See `LimitMethods.read_concurrency_limit_by_tag`."""
        return await in_thread(self._limits.read_concurrency_limit_by_tag, tag)

    async def read_concurrency_limits(
        self, limit: int = 10, offset: int = 0
    ) -> list[ConcurrencyLimit]:
        """See `LimitMethods.read_concurrency_limits`."""
        return await in_thread(self._limits.read_concurrency_limits, limit, offset)

    async def reset_concurrency_limit_by_tag(self, tag: str) -> None:
        """See `LimitMethods.reset_concurrency_limit_by_tag`."""
        await in_thread(self._limits.reset_concurrency_limit_by_tag, tag)

    async def delete_concurrency_limit_by_tag(self, tag: str) -> None:
        """See `LimitMethods.delete_concurrency_limit_by_tag`."""
        await in_thread(self._limits.delete_concurrency_limit_by_tag, tag)
