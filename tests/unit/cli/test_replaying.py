"""``caudal task-run replay`` shows the call, and what came of it."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from caudal.entrypoint import load_flow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import Record

PIPELINE = """
    from caudal import flow, task
    from caudal.states import Cancelled

    class Shop:
        @task
        def open(self, day):
            raise RuntimeError(f"closed on {day}")

    @task
    def count(number):
        yield number
        raise IndexError("no more")

    @flow
    def orders():
        Shop().open("sunday", return_state=True)
        count(2, return_state=True)
"""


@pytest.fixture
def file(tmp_path: Path, record: Record) -> Path:
    """Give a file whose flow was run, to be changed before the replay."""
    assert record
    file = tmp_path / "orders_to_show.py"
    file.write_text(dedent(PIPELINE))
    load_flow(str(file))()
    sys.modules.pop(file.stem)
    return file


def test_a_call_that_fails_again_is_told(
    file: Path, record: Record, invoke: Callable[..., Result]
) -> None:
    """The error was logged; the exit status says the same."""
    assert file
    for name, call in (("open-0", "open('sunday')"), ("count-0", "count(2)")):
        result = invoke("task-run", "replay", str(record.tasks("orders")[name].id))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"{call}  # {name}\n")
    assert any("closed on sunday" in line for line in record.logs())


def test_a_call_that_works_now_prints_its_result(
    file: Path, record: Record, succeed: Callable[..., str]
) -> None:
    """Everything that a generator function yields."""
    file.write_text(file.read_text().replace('raise IndexError("no more")', "yield 7"))
    run_id = record.tasks("orders")["count-0"].id
    assert succeed("task-run", "replay", run_id) == "[2, 7]\n"


def test_a_call_that_ends_as_cancelled_says_so(
    file: Path, record: Record, invoke: Callable[..., Result]
) -> None:
    """No log line does."""
    file.write_text(
        file.read_text().replace(
            'raise RuntimeError(f"closed on {day}")',
            'return Cancelled(message="not today")',
        )
    )
    result = invoke("task-run", "replay", str(record.tasks("orders")["open-0"].id))
    assert result.exit_code == 1
    assert result.stderr.endswith("It is Cancelled('not today').\n")
