"""Files and folders that the pages for developers name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/caudal"

_PLACE = re.compile(r"`((?:[\w.-]+/)*(?:[\w-]+\.(?:py|sql|md|toml|txt)|[\w.-]+/))`")
PLACES = [
    (page, place)
    for page in ("docs/architecture.md", "CONTRIBUTING.md")
    for place in dict.fromkeys(_PLACE.findall((ROOT / page).read_text()))
]


@pytest.mark.parametrize(("page", "place"), PLACES)
def test_a_place_is_there(page: str, place: str) -> None:
    """Paths start from the package or from the repository."""
    del page
    assert (SOURCES / place).exists() or (ROOT / place).exists()


def test_the_imports_that_are_told_are_those_that_are_checked() -> None:
    """The line in CONTRIBUTING names the layers that exist, in their order."""
    told = (ROOT / "CONTRIBUTING.md").read_text().partition("```\ncli")[2].partition("```")[0]  # fmt: skip
    layers = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2]
    checked = re.findall(r"\((\w+)\)", layers.partition("]\n")[0])
    there = [name for name in checked if (SOURCES / name).is_dir() or (SOURCES / f"{name}.py").is_file()]  # fmt: skip

    names = re.findall(r"root modules|\w+", f"cli{told}")
    machinery = [name for name in there if name in names]
    assert machinery == [name for name in names if name != "root modules"]
