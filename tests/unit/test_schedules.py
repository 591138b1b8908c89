"""Schedules are checked when they are made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from caudal.schedules import Cron, Interval, RRule, Schedule


@pytest.mark.parametrize(
    "cron",
    ["0 0 * * *", "*/15 9-17 * * MON-FRI", "0 0 L * *", "@daily", "30 0 0 * * *"],
)
def test_cron_expressions_are_kept_as_they_are_written(cron: str) -> None:
    """Five fields, six with seconds, and aliases."""
    made = Cron(cron, "Europe/Madrid", day_or=False, parameters={"a": 1}, slug="s")
    assert (made.cron, made.timezone, made.day_or) == (cron, "Europe/Madrid", False)
    assert (made.active, made.parameters, made.slug) == (True, {"a": 1}, "s")


def test_intervals_are_times_or_seconds() -> None:
    """They start now, or where they are anchored."""
    assert Interval(90).interval == timedelta(seconds=90)
    anchor = datetime(2026, 1, 1, tzinfo=UTC)
    assert Interval(timedelta(hours=1), anchor).anchor_date == anchor
    assert Interval(1).anchor_date.tzinfo is not None


def test_recurrence_rules_are_those_of_the_standard() -> None:
    """With or without the property's name."""
    for rule in ("FREQ=DAILY;COUNT=3", "RRULE:FREQ=MONTHLY;BYDAY=2FR"):
        assert RRule(rule).rrule == rule


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"cron": "61 * * * *"},
            "'61 \\* \\* \\* \\*' is no cron expression: Bad minute",
        ),
        ({"cron": "often"}, "'often' is no cron expression"),
        ({"rrule": "FREQ=OFTEN"}, "'FREQ=OFTEN' is no recurrence rule"),
        ({"rrule": "often"}, "'often' is no recurrence rule"),
        ({"interval": timedelta(0)}, "longer than nothing"),
        ({"cron": "@daily", "timezone": "Madrid"}, "no time zone 'Madrid'"),
        ({"cron": "@daily", "rrule": "FREQ=DAILY"}, "not cron and rrule"),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        Schedule(**given)
