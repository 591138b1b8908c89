"""Short ids: what a person types is the start of a written id."""

from __future__ import annotations

from caudal.model.ids import ID_BYTES

_DIGITS = 2 * ID_BYTES
_DASHES = frozenset({8, 13, 18, 23})


def id_range(text: str) -> tuple[bytes, bytes] | None:
    """Return the first and the last id whose written form starts with the text; None when there can be none.

    The text may have the dashes of the written form or none at all.
    """
    digits = text.replace("-", "")
    dashes = {place for place, char in enumerate(text) if char == "-"}
    if dashes and dashes != {place for place in _DASHES if place < len(text)}:
        return None
    if (
        not digits
        or len(digits) > _DIGITS
        or set(digits) - set("0123456789abcdefABCDEF")
    ):
        return None
    low, high = digits.ljust(_DIGITS, "0"), digits.ljust(_DIGITS, "f")
    return bytes.fromhex(low), bytes.fromhex(high)
