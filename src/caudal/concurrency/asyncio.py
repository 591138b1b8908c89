"""Named limits for coroutines; see ``caudal.concurrency.sync`` for plain code."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from caudal.concurrency.acquisition import Acquisition, listed
from caudal.exceptions import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

__all__ = [
    "AcquireConcurrencySlotTimeoutError",
    "ConcurrencySlotAcquisitionError",
    "concurrency",
    "rate_limit",
]


@asynccontextmanager
async def concurrency(
    names: str | Iterable[str],
    occupy: int = 1,
    timeout_seconds: float | None = None,
    max_retries: int | None = None,
    lease_duration: float = 300,
    strict: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    holder: object = None,
    raise_on_lease_renewal_failure: bool | None = None,  # noqa: FBT001
) -> AsyncGenerator[None]:
    """Hold slots of limits within a ``async with`` block; wait until all of them are free.

    The slots come free at the end of the block, and with the process, however it ends.

    Args:
        names: The limits, one or several. One that is not defined limits nothing, and a warning says so.
        occupy: Slots of each of them.
        timeout_seconds: How long to wait; None is no limit.
        max_retries: How many further tries there are after the first one; None is any number.
        lease_duration: Accepted for compatibility: slots are held as long as the process renews its lease (``lease_seconds``).
        strict: Fail when a limit is not defined, and when the slots were taken away before the end of the block.
        holder: Who holds the slots, for people; by default the run in charge.
        raise_on_lease_renewal_failure: Fail when the slots were taken away before the end of the block; None is as ``strict`` says.

    Raises:
        AcquireConcurrencySlotTimeoutError: They did not come free in time; it is a ``TimeoutError``.
        ConcurrencySlotAcquisitionError: They cannot be had: more than there are, too many tries, or not defined and ``strict``.
        ConcurrencySlotsLostError: They were taken away.
        ValueError: ``occupy`` is below 1.
    """
    del lease_duration
    given = listed(names)
    if not given:
        yield
        return
    slots = Acquisition(
        given,
        occupy,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        strict=strict,
        holder=holder,
    )
    insist = raise_on_lease_renewal_failure
    insist = strict if insist is None else insist
    await slots.aacquire()
    try:
        yield
    except BaseException:
        await slots.arelease(insist=False)
        raise
    await slots.arelease(insist=insist)


async def rate_limit(
    names: str | Iterable[str],
    occupy: int = 1,
    timeout_seconds: float | None = None,
    strict: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
) -> None:
    """Use up slots of limits that come back with time; wait until there are enough.

    Args:
        names: The limits, one or several, each with a slot decay. One that is not defined limits nothing, and a warning says so.
        occupy: Slots of each of them.
        timeout_seconds: How long to wait; None is no limit.
        strict: Fail when a limit is not defined.

    Raises:
        AcquireConcurrencySlotTimeoutError: There were not enough in time; it is a ``TimeoutError``.
        ConcurrencySlotAcquisitionError: They cannot be had: more than there are, no slot decay, or not defined and ``strict``.
        ValueError: ``occupy`` is below 1.
    """
    given = listed(names)
    if given:
        await Acquisition(
            given, occupy, timeout_seconds=timeout_seconds, strict=strict, is_rate=True
        ).aacquire()
