"""Fixtures that every test has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from caudal import settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give the test a caudal home of its own, and no settings from outside."""
    for variable in [name for name in os.environ if name.startswith("CAUDAL_")]:
        monkeypatch.delenv(variable)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CAUDAL_HOME", str(folder))
    monkeypatch.setattr(settings, "_loaded", [])
    return folder
