"""How commands print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from caudal.cli import output
from caudal.cli.output import Cell, Column
from caudal.model.states import StateType

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0ms"),
        (-0.2, "0ms"),
        (0.0854, "85ms"),
        (2.44, "2.4s"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (185, "3m 05s"),
        (7440, "2h 04m"),
        (187_200, "2d 04h"),
    ],
)
def test_durations_have_a_unit_of_their_size(seconds: float | None, text: str) -> None:
    """A duration is short and exact enough at every size."""
    assert output.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-1), "0s ago"),
        (timedelta(seconds=12), "12s ago"),
        (timedelta(minutes=59, seconds=59), "59m ago"),
        (timedelta(hours=25), "1d ago"),
    ],
)
def test_ages_are_told_in_one_unit(ago: timedelta, text: str) -> None:
    """A time in the future, from a clock that differs, counts as now."""
    assert output.format_age(NOW - ago, NOW) == text
    assert output.format_age(None, NOW) == ""


def test_programs_read_times_in_utc() -> None:
    """JSON has no local times."""
    assert output.iso(NOW) == "2026-03-01T12:00:00+00:00"
    assert output.iso(None) is None


def test_every_kind_of_state_has_a_style() -> None:
    """No state is without a colour."""
    assert set(output.STATE_STYLES) == set(StateType)


def test_a_table_in_a_pipe_is_complete_and_plain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Columns are as wide as their cells, numbers align at their end, and nothing is cut or coloured."""
    long = "x" * 200

    output.print_table(
        [Column("Name"), Column("Runs", is_number=True), Column("Note")],
        [["a", "10", Cell(long, "red")], ["bcd", Cell("7", "red"), ""]],
    )

    assert capsys.readouterr().out.splitlines() == [
        "NAME  RUNS  NOTE",
        f"a       10  {long}",
        "bcd      7",
    ]


def test_fields_without_a_value_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names align, and further lines of a value align with its first."""
    output.print_fields(
        [("id", "7"), ("message", "one\ntwo"), ("tags", ""), ("file", None)]
    )

    assert capsys.readouterr().out == "id       7\nmessage  one\n         two\n"
