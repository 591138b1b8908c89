"""Secrets that a process holds are replaced in texts, in every form in which they may be written."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from caudal.engine import masking
from caudal.engine.masking import hide, masked, masked_json

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "p'a\"s\\s wörd/1"


@pytest.fixture(autouse=True)
def _nothing_hidden() -> Iterator[None]:
    """Start without secrets, and forget those of the test."""
    known, patterns = set(masking._known), list(masking._patterns)
    masking._known.clear()
    masking._patterns.clear()
    yield
    masking._known.clear()
    masking._known.update(known)
    masking._patterns[:] = patterns


@pytest.mark.parametrize(
    "written",
    [TEXT, repr(TEXT), json.dumps(TEXT), quote(TEXT, safe=""), b64encode(TEXT.encode()).decode()],
)  # fmt: skip
def test_each_form_of_a_secret_is_replaced(written: str) -> None:
    """Quoted, in JSON, in an address and in base 64."""
    hide(TEXT)

    shown = masked(f"before {written} after {written}")

    assert "p'a" not in shown
    assert "rd/1" not in shown
    assert shown.count("********") == 2
    assert shown.startswith("before ")


def test_texts_in_lists_and_dicts_are_secrets_too() -> None:
    """A secret that is JSON hides each text in it; numbers are not looked for."""
    hide({"user": "somebody", "keys": ["first-key", b"second-key"], "port": 5432})

    shown = masked("somebody first-key second-key 5432 user")

    assert shown == "******** ******** ******** 5432 user"


def test_a_longer_secret_is_replaced_whole() -> None:
    """One secret may begin another."""
    hide("abcd")
    hide("abcdefgh")
    assert masked("abcdefgh abcd") == "******** ********"


def test_short_texts_are_left_alone() -> None:
    """They would be found in ordinary words."""
    hide("abc")
    hide("")
    assert masked("abc abcd") == "abc abcd"


def test_json_is_masked_in_depth() -> None:
    """Values and keys; what is no text stays as it is."""
    value = {"a": ["x hidden", 1, None], "hidden": True}
    assert masked_json(value) is value
    hide("hidden")
    assert masked_json(value) == {"a": ["x ********", 1, None], "********": True}
