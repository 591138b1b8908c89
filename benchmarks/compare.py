"""What a trivial task costs in caudal and in its peers, one after the other on one machine.

Each peer has an environment of its own below ``.venv/peers``, made on first use; its program in ``benchmarks/peers`` does the same
work: many tasks that return a number, from the first call until all results are there, which for caudal and DBOS and Dagster is when
every run is durable. Prefect stores them later; that time stands beside it. Exit status 1: caudal is less than a
hundred times as fast as Prefect.

    python benchmarks/compare.py [--only prefect ray] [--output json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "peers"
ENVIRONMENTS = ROOT / ".venv" / "peers"
PREFECT_BOUND = 100
PROGRAM_SECONDS = 300

#: Nothing leaves the machine.
QUIET = {
    "DO_NOT_TRACK": "1",
    "CAUDAL_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
}


class Peer(NamedTuple):
    """Something to compare with."""

    #: Also the end of its program's name.
    name: str
    #: What is imported first.
    statement: str
    #: What is installed in its environment; nothing uses this one.
    package: str
    durable: str


PEERS = (
    Peer("pool", "import concurrent.futures", "", "no"),
    Peer("caudal", "from caudal import flow, task", "", "SQLite, before it returns"),
    Peer("ray", "import ray", "ray==2.60.0", "no"),
    Peer("dask", "import distributed", "distributed==2026.8.0", "no"),
    Peer("dbos", "import dbos", "dbos==3.4.0", "SQLite, each step"),
    Peer("prefect", "import prefect", "prefect==3.8.8", "SQLite, later"),
    Peer("dagster", "import dagster", "dagster==1.13.29", "SQLite, each event"),
)


def main() -> int:
    """Measure, print, and return the exit status."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    chosen = {"pool", "caudal", *options.only}
    figures = {peer.name: measured(peer) for peer in PEERS if peer.name in chosen}
    if options.output == "json":
        print(json.dumps(figures, indent=2))
    else:
        print_table(figures)
    if "prefect" not in figures:
        return 0
    faster = times(figures, "prefect", "caudal")
    return 0 if faster >= PREFECT_BOUND else 1


def measured(peer: Peer) -> dict[str, Any]:
    """Return a peer's figures."""
    print(f"{peer.name} ...", file=sys.stderr, flush=True)
    python = interpreter(peer)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, **QUIET, "HOME": home, "CAUDAL_HOME": home}
        program = PROGRAMS / f"run_{peer.name}.py"
        lines = output([python, str(program)], environment).splitlines()
        count = f"import sys; {peer.statement}; print(len(sys.modules))"
        started = time.perf_counter()
        modules = output([python, "-c", count], environment)
        seconds = time.perf_counter() - started
    figures = json.loads(lines[-1])
    figures |= {"import_seconds": seconds, "modules": int(modules)}
    return {**figures, "durable": peer.durable}


def interpreter(peer: Peer) -> str:
    """Return the Python of a peer's environment, which is made if it is not there."""
    if not peer.package:
        return sys.executable
    python = ENVIRONMENTS / peer.name / "bin" / "python"
    mark = ENVIRONMENTS / peer.name / peer.package
    if not mark.exists():
        print(f"  installing {peer.package}", file=sys.stderr, flush=True)
        uv = shutil.which("uv")
        make = [uv, "venv", "--quiet"] if uv else [sys.executable, "-m", "venv"]
        pip = [uv, "pip"] if uv else [str(python), "-m", "pip"]
        target = ["--python", str(python)] if uv else []
        shutil.rmtree(mark.parent, ignore_errors=True)
        output([*make, str(mark.parent)], dict(os.environ))
        output([*pip, "install", "--quiet", *target, peer.package], dict(os.environ))
        mark.touch()
    return str(python)


def output(command: list[str], environment: dict[str, str]) -> str:
    """Run a command and return what it printed; when it fails, show why."""
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            timeout=PROGRAM_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        print(error.stderr[-4000:], file=sys.stderr)
        raise SystemExit(f"{' '.join(command)} failed") from None
    return done.stdout


def times(figures: dict[str, dict[str, Any]], name: str, other: str) -> float:
    """Return how many times as long as another one a peer takes for a task."""
    return figures[name]["task_seconds"] / figures[other]["task_seconds"]


def print_table(figures: dict[str, dict[str, Any]]) -> None:
    """Print the figures as a Markdown table."""
    print("| what | version | durable | a task, us | x pool | x caudal | stored after, us | empty flow, ms | import, ms | modules |")  # fmt: skip
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, found in figures.items():
        empty, stored = found.get("empty_seconds"), found.get("stored_seconds")
        cells = [
            name,
            found["version"],
            found["durable"],
            f"{found['task_seconds'] * 1e6:,.0f}",
            f"{times(figures, name, 'pool'):,.1f}",
            f"{times(figures, name, 'caudal'):,.1f}",
            "" if stored is None else f"{stored * 1e6:,.0f}",
            "" if empty is None else f"{empty * 1e3:,.1f}",
            f"{found['import_seconds'] * 1e3:,.0f}",
            f"{found['modules']:,}",
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    raise SystemExit(main())
