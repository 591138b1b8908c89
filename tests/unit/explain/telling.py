"""Explanations of what a test ran, as plain lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from caudal import get_client
from caudal.explain import Explanation, Reason, explain_flow_run, explain_task_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.conftest import Record

#: Seconds after which something that has to happen counts as never happening.
PATIENCE = 30


def of_flow(record: Record, flow_name: str | None = None) -> Explanation:
    """Return the explanation of the newest flow run."""
    return explain_flow_run(get_client().find_flow_run(record.flow(flow_name).id))


def of_task(record: Record, name: str, flow_name: str | None = None) -> Explanation:
    """Return the explanation of a task run of the newest flow run."""
    row = record._engine.ledger.task_run(record.tasks(flow_name)[name].id.bytes)
    assert row is not None
    return explain_task_run(row)


def lines(reasons: Iterable[Reason], depth: int = 0) -> list[str]:
    """Return the texts of reasons, those of causes indented."""
    return [
        line
        for reason in reasons
        for line in (
            " " * depth + reason.text,
            *lines(reason.causes, depth + 1),
        )
    ]


def until(happened: Callable[[], bool]) -> None:
    """Wait until something happened: what waits is written a moment later."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
