"""Short ids as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.ledger.prefixes import id_range
from caudal.model.ids import format_id


@given(st.binary(min_size=16, max_size=16), st.integers(1, 36))
def test_the_start_of_a_written_id_finds_it(value: bytes, length: int) -> None:
    """Every id lies in the range of each start of its written form."""
    found = id_range(format_id(value)[:length])
    assert found is not None
    assert found[0] <= value <= found[1]


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_whole_id_finds_no_other(value: bytes, other: bytes) -> None:
    """The range of a whole id holds that id alone."""
    assert id_range(format_id(value)) == (value, value)
    low, high = id_range(value.hex()) or (other, other)
    assert (low <= other <= high) == (value == other)


@pytest.mark.parametrize(
    "text", ["", "-", "xyz", "0198-", "0-1", "0" * 33, "٣", "load-3", " 01"]
)
def test_other_text_finds_no_id(text: str) -> None:
    """Text that cannot start a written id is no short id."""
    assert id_range(text) is None
