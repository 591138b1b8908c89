"""What caudal adds to a task, measured beside a bare thread pool in the same run.

Every figure is the median of several rounds; a round measures the pool and caudal in turn, so that a slow moment of the machine
meets both. The bounds are ratios, or stand far from the measured figure. A figure that exceeds its bound by more than 25 % is
measured up to twice more, and the lowest counts, as other programs can only add to it. Exit status 1: it still exceeds the bound.

    python benchmarks/overhead.py [--rounds 7] [--output json]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS = 10_000
#: How often all is measured at most.
PASSES = 3
#: How far a noisy machine may push a figure past its bound.
TOLERANCE = 1.25

PIPELINE = """
from caudal import flow, task

@task
def extract():
    return [1, 2, 3]

@task
def transform(rows):
    return [row * 2 for row in rows]

@task
def load(rows):
    return sum(rows)

@flow
def pipeline():
    return load(transform(extract()))

pipeline()
"""


class Figure(NamedTuple):
    """One measured figure and its bound."""

    name: str
    value: float
    unit: str
    bound: float
    #: What the figure was divided by, if it is a ratio.
    against: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bound is kept, with the tolerance."""
        return self.value <= self.bound * TOLERANCE


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CAUDAL_HOME": home, "CAUDAL_LOGGING_LEVEL": "ERROR"}
        figures = measured(options.rounds, home)
        for _ in range(PASSES - 1):
            if all(figure.holds for figure in figures):
                break
            again = measured(options.rounds, home)
            figures = [
                min(pair, key=_value) for pair in zip(figures, again, strict=True)
            ]
    if options.output == "json":
        rows = [{**figure._asdict(), "holds": figure.holds} for figure in figures]
        print(json.dumps(rows, indent=2))
    else:
        print_table(figures)
    return 0 if all(figure.holds for figure in figures) else 1


def measured(rounds: int, home: str) -> list[Figure]:
    """Measure everything once."""
    return [*engine_figures(rounds), *process_figures(rounds, home)]


def _value(figure: Figure) -> float:
    return figure.value


def engine_figures(rounds: int) -> list[Figure]:
    """Measure calls in this process."""
    from caudal import flow, task
    from caudal.engine.composition import close_engine
    from caudal.testing.utilities import caudal_test_harness

    @task
    def same(value: int) -> int:
        return value

    @flow
    def mapped() -> None:
        same.map(range(TASKS)).result()

    @flow
    def sequential() -> None:
        for value in range(TASKS):
            same(value)

    @flow
    def empty() -> None:
        pass

    def in_harness() -> None:
        with caudal_test_harness():
            empty()

    empty()
    bare, wide, long, nothing, tested = [], [], [], [], []
    for _ in range(rounds):
        bare.append(seconds(bare_pool) / TASKS)
        wide.append(seconds(mapped) / TASKS)
        long.append(seconds(sequential) / TASKS)
        nothing.append(min(seconds(empty) for _ in range(5)))
        tested.append(seconds(in_harness))
    floor = statistics.median(bare)
    kept = memory_kept(flow, same)
    close_engine()
    pool = "bare ThreadPoolExecutor, submit and result"
    return [
        Figure("bare ThreadPoolExecutor, a task", floor * 1e6, "us", float("inf")),
        Figure("map, a task, durable on return", ratio(wide, bare), "x", 1.5, pool),
        Figure(
            "calls in sequence, a task, durable on return",
            ratio(long, bare),
            "x",
            1.5,
            pool,
        ),
        Figure("empty flow call", statistics.median(nothing) * 1e3, "ms", 1.0),
        Figure(
            "test harness around an empty flow call",
            statistics.median(tested) * 1e3,
            "ms",
            50,
        ),
        Figure("memory kept for a finished task of a map", kept, "bytes", 1024),
    ]


def process_figures(rounds: int, home: str) -> list[Figure]:
    """Measure whole processes."""
    script = Path(home) / "pipeline.py"
    script.write_text(PIPELINE)
    python = sys.executable
    bare, importing, running, version = [], [], [], []
    for _ in range(rounds):
        fresh = {
            **os.environ,
            "CAUDAL_HOME": str(Path(home) / f"fresh-{time.monotonic_ns()}"),
        }
        bare.append(seconds(lambda: run([python, "-c", "pass"])))
        importing.append(
            seconds(lambda: run([python, "-c", "from caudal import flow, task"]))
        )
        running.append(seconds(lambda env=fresh: run([python, str(script)], env)))
        version.append(
            seconds(lambda: run([str(Path(python).parent / "caudal"), "version"]))
        )
    count = "import sys; from caudal import flow, task; print(len(sys.modules))"
    modules = int(run([python, "-c", count]))
    return [
        Figure(
            "from caudal import flow, task",
            ratio(importing, bare),
            "x",
            4.0,
            "python -c pass",
        ),
        Figure("modules that it loads", modules, "modules", 150),
        Figure(
            "a script with a flow and three tasks, fresh home",
            statistics.median(running),
            "s",
            0.4,
        ),
        Figure("caudal version", statistics.median(version) * 1e3, "ms", 150),
    ]


def bare_pool() -> None:
    """Do the same work on a thread pool that records nothing."""
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(int, value) for value in range(TASKS)]
        for future in futures:
            future.result()


def memory_kept(flow: Any, same: Any) -> float:
    """Return the bytes that a finished task of a map holds while its future is held."""
    kept: list[float] = []

    @flow
    def holding() -> None:
        futures = same.map(range(TASKS))
        futures.result()
        time.sleep(0.5)  # the journal lets go of what it has written
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        futures.clear()
        gc.collect()
        kept.append((before - tracemalloc.get_traced_memory()[0]) / TASKS)

    tracemalloc.start()
    holding()
    tracemalloc.stop()
    return kept[0]


def seconds(function: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def run(command: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)  # noqa: S603 - our own commands
    return done.stdout


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(
        own / other for own, other in zip(ours, theirs, strict=True)
    )


def print_table(figures: list[Figure]) -> None:
    """Print the figures for people."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        bound = "" if figure.bound == float("inf") else f"bound {figure.bound:g}"
        verdict = "" if figure.holds else "  EXCEEDED"
        against = f"  of {figure.against}" if figure.against else ""
        print(
            f"{figure.name:{width}}  {figure.value:10.2f} {figure.unit:7}  {bound:12}{against}{verdict}"
        )


if __name__ == "__main__":
    raise SystemExit(main())
