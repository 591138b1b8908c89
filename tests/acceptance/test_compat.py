"""Pipelines that import Prefect run unchanged, in processes of their own."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

PIPELINE = """
    import prefect
    import prefect.runtime.flow_run
    from prefect import allow_failure, flow, get_run_logger, task, unmapped
    from prefect.cache_policies import INPUTS, NO_CACHE
    from prefect.futures import PrefectFuture, wait
    from prefect.runtime import task_run
    from prefect.states import Completed
    from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
    from prefect.utilities.annotations import quote

    @task(retries=1, cache_policy=NO_CACHE)
    def double(number: int, more: int) -> int:
        import prefect.states
        get_run_logger().info("doubling %s", number)
        return 2 * number + more

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1), log_prints=True)
    def doubled(count: int = 3):
        futures = double.map(range(count), unmapped(1))
        assert all(isinstance(future, PrefectFuture) for future in futures)
        wait(futures)
        print("name:", prefect.runtime.flow_run.name)
        return futures.result()

    if __name__ == "__main__":
        print(doubled())
"""


@pytest.fixture
def pipeline(lab: Lab) -> str:
    """Give a pipeline that imports Prefect."""
    (lab.folder / "pipeline.py").write_text(dedent(PIPELINE))
    return "pipeline.py"


def test_a_script_runs_unchanged(lab: Lab, pipeline: str) -> None:
    """Its worker processes import the same names."""
    done = lab.run("caudal.compat", pipeline)
    assert (done.status, done.out) == (0, "[1, 3, 5]\n")
    assert lab.flow_run().flow_name == "doubled"


def test_a_flow_of_a_file_runs_unchanged(lab: Lab, pipeline: str) -> None:
    """Settings of Prefect's name count, those without effect are named."""
    done = lab.run(
        "caudal", "run", "--as-prefect", f"{pipeline}:doubled", "-p", "count=2",
        PREFECT_LOGGING_LEVEL="ERROR", PREFECT_API_URL="http://nowhere", PREFECT_TASKS_RUNNERS="x",
    )  # fmt: skip
    assert done.status == 0
    assert "doubling" not in done.err
    assert "caudal: no effect: PREFECT_TASKS_RUNNERS\n" in done.err


def test_a_run_is_resumed_from_its_record(lab: Lab, pipeline: str) -> None:
    """What ``import prefect`` meant is on record."""
    file = lab.folder / pipeline
    good = file.read_text()
    broken = good.replace("return 2 * number + more", "return 2 / number + more  # 0")
    file.write_text(broken)  # of another length: Python compares that, and seconds
    assert lab.run("caudal", "run", "--as-prefect", f"{pipeline}:doubled").status == 1
    file.write_text(good)
    done = lab.run("caudal", "flow-run", "resume", lab.flow_run().name)
    assert (done.status, lab.flow_run().state_type) == (0, "COMPLETED"), done.err


@pytest.mark.parametrize(
    ("line", "symbol"),
    [
        ("from prefect import sail", "prefect.sail"),
        ("import prefect.sails", "prefect.sails"),
        ("import prefect; prefect.sail()", "prefect.sail"),
        ("from prefect.states import Sailing", "prefect.states.Sailing"),
        ("import prefect_sails", "prefect_sails"),
    ],
)
def test_a_name_that_is_not_there_is_named(lab: Lab, line: str, symbol: str) -> None:
    """With the line of the pipeline, and nothing of caudal's own code."""
    (lab.folder / "pipeline.py").write_text(f"{line}\n")
    for command in (
        ("caudal.compat", "pipeline.py"),
        ("caudal", "run", "--as-prefect", "pipeline.py"),
    ):
        done = lab.run(*command)
        assert done.status in {1, 2}
        assert f"caudal has nothing that stands for {symbol!r}" in done.err
        assert 'pipeline.py", line 1' in done.err
        assert "compat.py" not in done.err


def test_wrong_use_is_explained(lab: Lab) -> None:
    """A missing file, and no file at all."""
    assert lab.run("caudal.compat").status == 2
    done = lab.run("caudal.compat", "nothing.py")
    assert (done.status, done.err) == (2, "Error: there is no file 'nothing.py'\n")
