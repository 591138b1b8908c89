"""What is written as JSON comes back, and nothing is too odd to be written."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import UNSET

from caudal.ledger.encoding import (
    clean_text,
    decode,
    decode_check,
    decode_flow_change,
    decode_task_change,
    encode,
)
from caudal.model.runs import FlowRunChange, Move, TaskRunChange
from caudal.testing.samples import START, SampleRun, sample_check


def test_changes_come_back() -> None:
    """A change that was encoded is the same change, given fields and absent ones alike."""
    moves = [Move("RUNNING", "Running", 1.1), Move("FAILED", "Failed", 2.2, "why")]
    flow = FlowRunChange(moves, name="n", parameters={"a": [1]}, owner="00")
    task = TaskRunChange(moves, path="load-0", details={"größe": None})
    assert flow == decode_flow_change(encode(flow))
    assert task == decode_task_change(encode(task))


def test_an_owner_that_is_taken_away_differs_from_no_change() -> None:
    """None means that nobody owns the run from now on, absence that the owner stays."""
    assert decode_flow_change(encode(FlowRunChange())).owner is UNSET
    assert decode_flow_change(encode(FlowRunChange(owner=None))).owner is None


def test_a_check_result_comes_back() -> None:
    """Enums and the sample rows keep their types."""
    result = sample_check(SampleRun()).result
    assert result == decode_check(encode(result))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.fromtimestamp(START, UTC), "2023-11-14T22:13:20Z"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (float("nan"), None),
        (complex(1, 2), "(1+2j)"),
        ({"caf\udce9": ["\ud800", 1, None]}, {"caf?": ["?", 1, None]}),
    ],
)
def test_odd_values_are_written_as_text(value: object, expected: object) -> None:
    """A value that JSON has no form for does not fail."""
    assert expected == decode(encode(value))


def test_text_is_cleaned_only_where_it_is_broken() -> None:
    """Valid text stays as it is."""
    assert clean_text("größe 🐙") == "größe 🐙"
    assert clean_text("caf\udce9") == "caf?"
