"""A stand-in for the dbt command that plays lines, in the shape in which dbt 1.11 writes them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from caudal.app import make_engine
from caudal.client import SyncClient
from caudal.engine.composition import use_engine
from caudal.integrations.dbt import DbtProject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Plays ``play.txt``: lines that begin with # are orders, all others are printed.
PLAYER = """#!{python}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
(here / "seen.json").write_text(json.dumps(dict(argv=sys.argv[1:], env=dict(os.environ), pid=os.getpid(), cwd=os.getcwd())))
for line in (here / "play.txt").read_bytes().split(b"\\n"):
    order, _, rest = line.decode("utf-8", "replace").partition(" ")
    if order == "#manifest":
        folder = pathlib.Path(os.environ["DBT_TARGET_PATH"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(rest)
    elif order == "#stderr":
        print(rest, file=sys.stderr, flush=True)
    elif order == "#hang":
        (here / "hanging").touch()
        time.sleep(60)
    elif order == "#die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "#exit":
        sys.exit(int(rest))
    else:
        sys.stdout.buffer.write(line + b"\\n")
        sys.stdout.flush()
"""


class Lines:
    """Writes the lines of a dbt run."""

    def event(self, name: str, level: str = "debug", msg: str = "", **data: Any) -> str:
        """Return one line."""
        info = {
            "category": "",
            "code": "Q000",
            "extra": {},
            "invocation_id": "33f6dc3c-3b49-416f-bcb5-233ee6c4b183",
            "level": level,
            "msg": msg or name,
            "name": name,
            "pid": 15484,
            "thread": "Thread-1 (worker)",
            "ts": "2026-11-21T11:48:33.906449Z",
        }
        return json.dumps({"data": data, "info": info})

    def node(self, unique_id: str, status: str = "started") -> dict[str, Any]:
        """Return the ``node_info`` of a line."""
        kind, _, rest = unique_id.partition(".")
        name = rest.split(".")[1]
        makes_table = kind in {"model", "seed", "snapshot"}
        relation = f'"shop"."main"."{name}"' if makes_table else ""
        return {
            "materialized": {"model": "table", "unit_test": ""}.get(kind, kind),
            "meta": {},
            "node_checksum": "",
            "node_finished_at": "",
            "node_name": name,
            "node_path": f"{name}.sql",
            "node_relation": {
                "alias": name,
                "database": "shop",
                "relation_name": relation,
                "schema": "main",
            },
            "node_started_at": "2026-11-21T11:48:33.905547",
            "node_status": status,
            "resource_type": kind,
            "unique_id": unique_id,
        }

    def start(self, unique_id: str) -> list[str]:
        """Return the lines of a node that begins."""
        info = self.node(unique_id)
        return [
            self.event("NodeStart", node_info=info),
            self.event("LogStartLine", "info", "1 of 9 START ...", node_info=info),
        ]

    def finish(self, unique_id: str, status: str = "success", **result: Any) -> str:
        """Return the line of a node that ends."""
        run_result: dict[str, Any] = {
            "adapter_response": {"_message": "OK"},
            "execution_time": 0.25,
            "message": "",
            "num_failures": 0,
            "status": status,
            "thread": "Thread-1 (worker)",
            "timing_info": [],
            **result,
        }
        info = self.node(unique_id, status)
        return self.event("NodeFinished", node_info=info, run_result=run_result)

    def whole(
        self, unique_id: str, status: str = "success", **result: Any
    ) -> list[str]:
        """Return the lines of a node from start to end."""
        return [*self.start(unique_id), self.finish(unique_id, status, **result)]

    def skip(self, unique_id: str) -> list[str]:
        """Return the lines of a node that dbt skips."""
        info = self.node(unique_id)
        skipped = self.node(unique_id, "skipped")
        return [
            self.event("NodeStart", node_info=info),
            self.event("SkippingDetails", "info", "SKIP", node_info=skipped),
            self.finish(unique_id, "skipped"),
        ]

    def manifest(self, **parents: list[str]) -> dict[str, Any]:
        """Return a manifest of models, each a name and the models it reads, with a not_null and a singular test on each."""
        nodes: dict[str, Any] = {}
        parent_map: dict[str, list[str]] = {}
        for name, read in parents.items():
            model = f"model.shop.{name}"
            parent_map[model] = [f"model.shop.{other}" for other in read]
            nodes[model] = {
                "name": name,
                "schema": "main",
                "alias": name,
                "package_name": "shop",
                "original_file_path": f"models/{name}.sql",
                "path": f"{name}.sql",
                "config": {"materialized": "table"},
                "depends_on": {"nodes": parent_map[model]},
            }
            test = f"test.shop.not_null_{name}_id.0a1b2c"
            parent_map[test] = [model]
            nodes[test] = {
                "name": f"not_null_{name}_id",
                "attached_node": model,
                "column_name": "id",
                "config": {"severity": "ERROR"},
                "test_metadata": {"name": "not_null"},
                "depends_on": {"nodes": [model]},
            }
        return {"nodes": nodes, "parent_map": parent_map, "sources": {}}


@pytest.fixture
def lines() -> Lines:
    """Writes the lines of a dbt run."""
    return Lines()


@pytest.fixture
def client() -> Iterator[SyncClient]:
    """Reads the ledger of an engine that the test has for itself."""
    engine = make_engine()
    with use_engine(engine):
        yield SyncClient(engine)
    engine.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., DbtProject]:
    """Return a function that makes a project whose dbt plays the lines given."""

    def make(*parts: str | list[str], **options: Any) -> DbtProject:
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        (folder / "dbt_project.yml").write_text("name: shop\n")
        played = [
            line
            for part in parts
            for line in ([part] if isinstance(part, str) else part)
        ]
        (tmp_path / "play.txt").write_text("\n".join(played))
        dbt = tmp_path / "dbt"
        dbt.write_text(PLAYER.format(python=sys.executable))
        dbt.chmod(0o755)
        return DbtProject(folder, executable=dbt, **options)

    return make


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return a function that tells how dbt was started: argv, env, pid and cwd."""
    return lambda: json.loads((tmp_path / "seen.json").read_text())
