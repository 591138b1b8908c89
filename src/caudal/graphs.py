"""Draws the graph of a flow: which tasks it calls, and which get results of which."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caudal.engine.context import current
from caudal.engine.dry_run import DryRun
from caudal.exceptions import FlowVisualizationError, GraphvizExecutableNotFoundError

if TYPE_CHECKING:
    from caudal.engine.dry_run import Node
    from caudal.model.specs import FlowSpec


def flow_graph(
    spec: FlowSpec, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Node]:
    """Run a flow's own code, without its tasks, and return the calls that it makes.

    Raises:
        ParameterBindError: The flow cannot be called so.
        FlowVisualizationError: The code cannot go on without a task's result.
    """
    spec.bind(args, kwargs)
    dry = DryRun()
    token = current.set(dry)  # pyright: ignore[reportArgumentType] - it refuses what it cannot do
    try:
        outcome = spec.body(*args, **kwargs)
        if spec.is_async:
            import asyncio  # noqa: PLC0415 - costs 40 ms; only coroutine functions need it

            asyncio.run(outcome)
    except Exception as error:
        raise FlowVisualizationError(spec.name, f"{type(error).__name__}: {error}") from error  # fmt: skip
    finally:
        current.reset(token)
    return dry.nodes


def mermaid(nodes: list[Node]) -> str:
    """Return a graph as a Mermaid flowchart."""
    ids = {node: re.sub(r"\W", "_", node.name) for node in nodes}
    lines = ["flowchart TD", *(f'    {ids[node]}["{node.name}"]' for node in nodes)]
    for node in nodes:
        lines += [f"    {ids[other]} --> {ids[node]}" for other in node.upstream]
    return "\n".join(lines)


def dot(nodes: list[Node]) -> str:
    """Return a graph in Graphviz's language."""
    lines = [f"    {_quoted(node.name)};" for node in nodes]
    for node in nodes:
        edge = f" -> {_quoted(node.name)};"
        lines += [f"    {_quoted(other.name)}{edge}" for other in node.upstream]
    return "\n".join(["digraph {", *lines, "}"])


def draw(nodes: list[Node], path: Path) -> Path:
    """Draw a graph into a PNG file and return its path.

    Raises:
        GraphvizExecutableNotFoundError: Graphviz is not installed.
    """
    program = shutil.which("dot")
    if program is None:
        raise GraphvizExecutableNotFoundError(str(path))
    subprocess.run(  # noqa: S603 - found above
        [program, "-Tpng", "-o", str(path)], input=dot(nodes), text=True, check=True
    )
    return path


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
