"""Commands run in this process, on an engine of the test's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from caudal.cli.main import caudal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def _imports_as_before(tmp_path: Path) -> Iterator[None]:
    """Forget the modules and folders that a test's flow files added."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        # Libraries stay: some, once imported, do not work with a second copy of themselves.
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(
            str(tmp_path)
        ):
            del sys.modules[name]


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Give a function that runs a command line; an error that is no usage error is raised."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(caudal, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def succeed(invoke: Callable[..., Result]) -> Callable[..., str]:
    """Give a function that runs a command line which has to work, and returns what it prints on stdout."""

    def run(*arguments: Any) -> str:
        result = invoke(*map(str, arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    return run
