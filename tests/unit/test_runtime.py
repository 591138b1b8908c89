"""What runs can ask about themselves."""

from __future__ import annotations

from typing import Any

import pytest

from caudal import flow, runtime, tags, task
from caudal.exceptions import SettingError
from caudal.task_runners import ProcessPoolTaskRunner


@task(tags=["loud"])
def look(number: int) -> dict[str, Any]:
    """Return what the run sees of itself."""
    assert number
    return {
        "flow": runtime.flow_run.name,
        "flow_name": runtime.flow_run.flow_name,
        "name": runtime.task_run.name,
        "task": runtime.task_run.task_name,
        "tags": runtime.task_run.tags,
        "parameters": runtime.task_run.parameters,
        "run_count": runtime.task_run.run_count,
    }


def test_a_task_sees_itself_and_its_flow() -> None:
    """Names, tags and arguments are those of the run that asks."""

    @flow(version="7")
    def outer(size: int) -> dict[str, Any]:
        assert size == 3
        assert runtime.flow_run.parameters == {"size": 3}
        assert runtime.flow_run.flow_version == "7"
        assert runtime.task_run.id is None
        return look(4) | {"own": runtime.flow_run.name, "id": runtime.flow_run.id}

    with tags("nightly"):
        seen = outer(3)
    assert seen["flow"] == seen["own"]
    assert seen["flow_name"] == "outer"
    assert (seen["name"], seen["task"]) == ("look-0", "look")
    assert seen["tags"] == ["loud", "nightly"]
    assert seen["parameters"] == {"number": 4}
    assert seen["run_count"] == 1


def test_a_task_in_a_worker_process_sees_the_same() -> None:
    """The context reaches worker processes."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def outer() -> dict[str, Any]:
        return look.submit(5).result()

    seen = outer()
    assert seen["flow_name"] == "outer"
    assert seen["name"] == "look-0"
    assert seen["parameters"] == {"number": 5}


def test_a_child_flow_knows_its_parent() -> None:
    """The parent's id is that of the calling flow run."""

    @flow
    def inner() -> str | None:
        return runtime.flow_run.parent_flow_run_id

    @flow
    def outer() -> bool:
        return inner() == runtime.flow_run.id

    assert outer() is True


def test_outside_of_runs_there_is_nothing() -> None:
    """Every name answers without a run."""
    assert runtime.flow_run.id is None
    assert runtime.flow_run.name is None
    assert runtime.flow_run.flow_name is None
    assert runtime.flow_run.flow_version is None
    assert runtime.flow_run.parameters == {}
    assert runtime.flow_run.tags == []
    assert runtime.flow_run.run_count == 0
    assert runtime.flow_run.parent_flow_run_id is None
    assert runtime.task_run.name is None
    assert runtime.task_run.task_name is None
    assert runtime.task_run.tags == []
    assert runtime.task_run.run_count == 0
    assert runtime.task_run.parameters == {}


def test_what_belongs_to_deployments_is_empty() -> None:
    """A flow that is called directly is no deployment's."""

    @flow
    def outer() -> None:
        assert runtime.deployment.flow_run_id == runtime.flow_run.id
        assert runtime.flow_run.root_flow_run_id == runtime.flow_run.id
        assert runtime.flow_run.scheduled_start_time is not None
        assert runtime.flow_run.job_variables is None
        assert runtime.flow_run.api_url is runtime.flow_run.ui_url is None

    outer()
    assert runtime.deployment.id is runtime.deployment.name is None
    assert runtime.deployment.version is runtime.flow_run.parent_deployment_id is None
    assert runtime.deployment.parameters == {}
    assert runtime.task_run.api_url is runtime.task_run.ui_url is None


def test_code_can_be_tried_outside_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables answer for texts, numbers and what is None; others are refused."""
    monkeypatch.setenv("CAUDAL__RUNTIME__FLOW_RUN__NAME", "nightly")
    monkeypatch.setenv("CAUDAL__RUNTIME__TASK_RUN__RUN_COUNT", "3")
    monkeypatch.setenv("CAUDAL__RUNTIME__FLOW_RUN__RUN_COUNT", "many")
    monkeypatch.setenv("CAUDAL__RUNTIME__FLOW_RUN__PARAMETERS", "{}")
    assert runtime.flow_run.name == "nightly"
    assert runtime.task_run.run_count == 3
    with pytest.raises(SettingError, match="It takes a int"):
        _ = runtime.flow_run.run_count
    with pytest.raises(SettingError, match="a variable cannot say"):
        _ = runtime.flow_run.parameters
