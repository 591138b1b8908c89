"""What a process leaves on record that ends right after a flow call has returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab


@pytest.mark.parametrize(
    ("durability", "ending"),
    [
        ("commit", "kill"),
        ("sync", "kill"),
        ("async", "return"),
        ("async", "raise"),
    ],
)
def test_a_flow_call_that_returned_is_on_record(
    lab: Lab, durability: str, ending: str
) -> None:
    """With ``commit`` and ``sync`` a killed process has recorded it, with ``async`` one that ended by itself."""
    lab.run("ending.py", ending, CAUDAL_DURABILITY=durability)

    assert [row.state_name for row in lab.flow_runs()] == ["Completed"]
    assert lab.states() == {"double-0": "COMPLETED"}
