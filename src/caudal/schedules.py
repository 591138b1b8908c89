"""Schedules: when a deployed flow is to run. They are checked when they are made; deployments, which come later, use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from caudal import clock

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True)
class Schedule:
    """When something is to happen again and again: at an interval, by a cron expression or by a recurrence rule.

    Args:
        interval: Time from one to the next, counted from ``anchor_date``.
        cron: A cron expression of five fields, or six with seconds first, or an alias such as ``@daily``.
        rrule: A recurrence rule of RFC 5545.
        timezone: Name of a time zone, such as ``Europe/Madrid``, whose clock counts; UTC when it is not given.
        anchor_date: Where an interval starts; now when it is not given.
        day_or: Whether a cron expression with both kinds of day means either of them, as cron does, or both.
        active: Whether it starts runs.
        parameters: Parameters of the runs it starts, beside those of the deployment.
        slug: Name that tells it from other schedules of a deployment.

    Raises:
        ValueError: More than one of ``interval``, ``cron`` and ``rrule`` is given, or one of the values cannot be used.
    """

    interval: timedelta | None = None
    cron: str | None = None
    rrule: str | None = None
    timezone: str | None = None
    anchor_date: datetime = field(default_factory=clock.now)
    day_or: bool = True
    active: bool = True
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    slug: str | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name in ("interval", "cron", "rrule")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"a schedule has one of interval, cron and rrule, not {' and '.join(given)}")  # fmt: skip
        if self.interval is not None and self.interval <= timedelta(0):
            raise ValueError(f"the interval of a schedule must be longer than nothing, not {self.interval}")  # fmt: skip
        if self.cron is not None:
            _check_cron(self.cron)
        if self.rrule is not None:
            _check_rrule(self.rrule, self.anchor_date)
        if self.timezone is not None:
            _check_timezone(self.timezone)


def Cron(  # noqa: N802 - Prefect's name
    cron: str,
    /,
    timezone: str | None = None,
    day_or: bool = True,  # noqa: FBT001, FBT002 - Prefect's signature
    active: bool = True,  # noqa: FBT001, FBT002
    parameters: dict[str, Any] | None = None,
    slug: str | None = None,
) -> Schedule:
    """Return a schedule by a cron expression; see `Schedule`."""
    return Schedule(
        cron=cron, timezone=timezone, day_or=day_or, active=active, parameters=parameters or {}, slug=slug
    )  # fmt: skip


def Interval(  # noqa: N802
    interval: timedelta | float,
    /,
    anchor_date: datetime | None = None,
    timezone: str | None = None,
    active: bool = True,  # noqa: FBT001, FBT002
    parameters: dict[str, Any] | None = None,
    slug: str | None = None,
) -> Schedule:
    """Return a schedule at an interval, as a time or in seconds; see `Schedule`."""
    if not isinstance(interval, timedelta):
        interval = timedelta(seconds=interval)
    return Schedule(
        interval=interval, anchor_date=anchor_date or clock.now(), timezone=timezone, active=active,
        parameters=parameters or {}, slug=slug,
    )  # fmt: skip


def RRule(  # noqa: N802
    rrule: str,
    /,
    timezone: str | None = None,
    active: bool = True,  # noqa: FBT001, FBT002
    parameters: dict[str, Any] | None = None,
    slug: str | None = None,
) -> Schedule:
    """Return a schedule by a recurrence rule; see `Schedule`."""
    return Schedule(
        rrule=rrule, timezone=timezone, active=active, parameters=parameters or {}, slug=slug
    )  # fmt: skip


def _check_cron(cron: str) -> None:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - few programs have schedules

    try:
        CronSim(_ALIASES.get(cron, cron), datetime(2000, 1, 1))  # noqa: DTZ001 - any moment will do
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no cron expression: {error}") from None


def _check_rrule(rrule: str, anchor: datetime) -> None:
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - 20 ms that few programs need

    try:
        rrulestr(rrule, dtstart=anchor)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{rrule!r} is no recurrence rule of RFC 5545: {error}") from None  # fmt: skip


def _check_timezone(name: str) -> None:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; they are named like 'Europe/Madrid'") from None  # fmt: skip
