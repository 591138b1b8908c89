"""The graph of a flow, from a run of its own code without its tasks."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_run_logger, task, unmapped
from caudal.exceptions import (
    FlowVisualizationError,
    GraphvizExecutableNotFoundError,
    ParameterBindError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task
def load(day: str) -> list[int]:
    """Never run here."""
    raise AssertionError(day)


@task
def total(rows: Any) -> int:
    """Never run here."""
    raise AssertionError(rows)


@task(viz_return_value=[1, 2, 3])
def listing() -> list[int]:
    """Never run here; a dry run goes on with an example."""
    raise AssertionError


@flow
def report(day: str) -> int:
    """Load, sum and log."""
    get_run_logger().info("reporting %s", day)
    rows = load(day)
    later = total.submit(rows)
    total.submit([later, rows])
    return later.result()


def test_edges_follow_results(record: Record) -> None:
    """Results and futures make edges, inside of containers too; no task runs and nothing is recorded."""
    assert report.generate_mermaid_graph("monday").splitlines() == [
        "flowchart TD",
        '    load_0["load-0"]',
        '    total_0["total-0"]',
        '    total_1["total-1"]',
        "    load_0 --> total_0",
        "    total_0 --> total_1",
        "    load_0 --> total_1",
    ]
    assert record.client.read_flow_runs() == []
    assert record.client.read_task_runs() == []


def test_an_example_stands_for_a_result() -> None:
    """The code goes on with it, and it is known again where it is passed on."""

    @flow
    def sums() -> int:
        rows = listing()
        total(rows)
        return sum(rows)

    assert "listing_0 --> total_0" in sums.generate_mermaid_graph()


def test_code_that_needs_a_result_is_told() -> None:
    """The error says which way out there is."""

    @flow
    def sums() -> int:
        return sum(load("monday"))

    with pytest.raises(FlowVisualizationError, match="viz_return_value"):
        sums.generate_mermaid_graph()
    with pytest.raises(ParameterBindError):
        report.generate_mermaid_graph()  # type: ignore[call-arg]


def test_maps_child_flows_and_delayed_calls_are_nodes() -> None:
    """Each is one, whatever it stands for."""

    @flow
    def child(rows: Any) -> None:
        raise AssertionError(rows)

    @flow
    def outer() -> None:
        mapped = total.map(load("monday"), unmapped(1))
        child(mapped.result())
        total.delay(mapped)

    lines = outer.generate_mermaid_graph().splitlines()
    assert "    load_0 --> total_0" in lines
    assert "    total_0 --> child_0" in lines
    assert "    total_0 --> total_1" in lines


def test_coroutines_and_generators_are_drawn() -> None:
    """Async flows, tasks, and generators of both kinds."""

    @task
    async def fetch() -> int:
        raise AssertionError

    @task
    def stream() -> Generator[int]:
        yield 1

    @task
    async def astream() -> AsyncGenerator[int]:
        yield 1

    @flow
    async def inner() -> int:
        raise AssertionError

    @flow
    async def outer() -> None:
        total(await fetch())
        for item in stream():
            total(item)
        async for item in astream():
            total(item)
        total(await inner())

    async def main() -> str:
        return await outer.agenerate_mermaid_graph()

    text = asyncio.run(main())
    assert text == outer.generate_mermaid_graph()
    for place, name in enumerate(["fetch", "stream", "astream", "inner"]):
        assert f"{name}_0 --> total_{place}" in text


def test_without_graphviz_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the program and the way without it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GraphvizExecutableNotFoundError, match="Install Graphviz"):
        report.visualize("monday")


def test_graphviz_gets_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It draws a file named after the flow; a program that keeps its input stands for it."""
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > "$3"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    path = report.visualize("monday")
    assert path.name == "report.png"
    assert '"load-0" -> "total-0";' in path.read_text()
    assert asyncio.run(report.avisualize("monday")) == path


def test_parameters_are_shown_as_json() -> None:
    """What JSON does not know becomes text."""
    given = {"size": 1, "tags": {"a"}}
    assert report.serialize_parameters(given) == {"size": 1, "tags": ["a"]}


@pytest.mark.parametrize("name", ["serve", "deploy", "to_deployment", "from_source"])
def test_deployments_are_not_there_yet(name: str) -> None:
    """Whoever asks for them is told."""
    assert not hasattr(report, name)
    with pytest.raises(AttributeError, match="deployments are not there yet"):
        getattr(report, name)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = report.other  # type: ignore[attr-defined]
