"""Options of flows and tasks as their attributes, with the meanings they have in Prefect 3."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from caudal import flow, task
from caudal.assets import Asset
from caudal.cache_policies import DEFAULT, INPUTS, NO_CACHE
from caudal.settings import (
    CAUDAL_FLOWS_DEFAULT_RETRIES,
    CAUDAL_TASKS_DEFAULT_RETRIES,
    CAUDAL_TASKS_DEFAULT_RETRY_DELAY_SECONDS,
    CAUDAL_TASKS_DISABLE_CACHING,
    temporary_settings,
)
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

pytestmark = pytest.mark.usefixtures("engine")


class Region(BaseModel):
    """A parameter that is a model."""

    name: str


def told(*_told: Any) -> None:
    """Stand for a hook."""


def key(*_given: Any) -> str:
    """Stand for a function of the user."""
    return "k"


FLOW = {
    "version": "3",
    "flow_run_name": "load-{day}",
    "retries": 2,
    "retry_delay_seconds": 0.5,
    "timeout_seconds": 5.0,
    "task_runner": ProcessPoolTaskRunner(max_workers=2),
    "persist_result": True,
    "result_storage": "results",
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "log_prints": True,
    "durable": True,
}
TASK = {
    "version": "3",
    "tags": {"a", "b"},
    "task_run_name": "load-{day}",
    "retries": 2,
    "retry_delay_seconds": [1, 2],
    "retry_jitter_factor": 0.1,
    "retry_condition_fn": key,
    "timeout_seconds": 5.0,
    "persist_result": True,
    "cache_policy": INPUTS,
    "cache_expiration": timedelta(days=1),
    "refresh_cache": True,
    "result_storage": "results",
    "result_storage_key": "k",
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "log_prints": True,
    "viz_return_value": 7,
    "asset_deps": [Asset("s3://lake/raw")],
}


@pytest.mark.parametrize("name", FLOW)
def test_a_flow_has_its_options(name: str) -> None:
    """Under the names that the decorator has for them."""
    options: dict[str, Any] = {name: FLOW[name]}
    made = flow(**options)(told)

    assert getattr(made, name) == FLOW[name]
    assert getattr(made.with_options(description="other"), name) == FLOW[name]


@pytest.mark.parametrize("name", TASK)
def test_a_task_has_its_options(name: str) -> None:
    """Under the names that the decorator has for them."""
    options: dict[str, Any] = {name: TASK[name]}
    made = task(**options)(told)

    assert getattr(made, name) == TASK[name]
    assert getattr(made.with_options(description="other"), name) == TASK[name]


def test_options_that_were_not_given_have_their_defaults() -> None:
    """None where the flow or the settings decide later."""
    plain, step = flow(told), task(told)

    assert plain.task_runner == ThreadPoolTaskRunner()
    assert (plain.retries, plain.retry_delay_seconds) == (0, 0)
    assert plain.should_validate_parameters
    assert plain.version is plain.timeout_seconds is plain.persist_result is None
    assert (step.retries, step.tags, step.asset_deps) == (0, set(), [])
    assert step.cache_policy == DEFAULT
    assert step.log_prints is step.refresh_cache is step.cache_key_fn is None
    assert step.task_key == "told"
    assert "def told" in (step.source_code or "")


def test_the_settings_count_where_nothing_was_given() -> None:
    """Retries and caching have settings."""
    step = task(told)
    with temporary_settings(
        {
            CAUDAL_FLOWS_DEFAULT_RETRIES: 1,
            CAUDAL_TASKS_DEFAULT_RETRIES: 2,
            CAUDAL_TASKS_DEFAULT_RETRY_DELAY_SECONDS: 3,
            CAUDAL_TASKS_DISABLE_CACHING: True,
        }
    ):
        assert flow(told).retries == 1
        assert (step.retries, step.retry_delay_seconds) == (2, 3)
        assert step.cache_policy is NO_CACHE


def test_what_follows_from_other_options_is_told() -> None:
    """A serializer asks for results to be stored; a function of retries says the delays."""
    assert task(result_serializer="json")(told).persist_result is True
    assert flow(result_storage="results")(told).persist_result is True
    assert task(persist_result=False)(told).cache_policy is NO_CACHE
    assert task(result_storage_key="k")(told).cache_policy is None
    backoff = task(retries=2, retry_delay_seconds=lambda n: [1.0] * n)(told)
    assert backoff.retry_delay_seconds == [1.0, 1.0]
    assert task(cache_key_fn=key)(told).cache_key_fn is key


def test_lists_of_hooks_can_be_added_to() -> None:
    """What is appended to them runs, and copies have lists of their own."""
    seen: list[str] = []

    @flow
    def load() -> int:
        return 1

    @load.on_completion
    def first(*_told: Any) -> None:
        seen.append("first")

    copy = load.with_options(name="copy")
    load.on_completion_hooks.append(lambda *_told: seen.append("second"))

    assert copy.on_completion_hooks == [first]
    assert load.on_failure_hooks == load.on_crashed_hooks == []
    load()
    assert seen == ["first", "second"]


def test_looking_at_hooks_does_not_make_a_task_transactional() -> None:
    """A task without such hooks keeps its result at once, looked at or not; one that got them has them run."""
    seen: list[str] = []

    @task
    def load() -> int:
        return 1

    assert load.on_commit_hooks == load.on_rollback_hooks == []
    assert load() == 1
    load.on_commit_hooks.append(lambda _transaction: seen.append("kept"))
    load()
    assert seen == ["kept"]


def test_an_option_is_not_set_on_what_was_made() -> None:
    """The message says how to have another one."""
    step: Any = task(told)

    with pytest.raises(AttributeError, match=r"'retries' of .*with_options"):
        step.retries = 3


def test_the_parameters_of_a_flow_are_a_schema() -> None:
    """With positions, defaults and the models among the hints; what JSON does not know takes anything."""

    @flow
    def load(
        day: str, region: Region, *, limits: list[int] | None = None, to: Any = told
    ) -> None: ...

    schema = load.parameters

    assert schema.required == ["day", "region"]
    assert schema.properties["day"] == {"position": 0, "title": "day", "type": "string"}
    assert schema.properties["region"]["$ref"] == "#/definitions/Region"
    assert schema.properties["limits"]["default"] is None
    assert schema.properties["to"] == {"position": 3, "title": "to"}
    assert schema.definitions["Region"]["required"] == ["name"]
    assert schema.model_dump()["type"] == "object"


def test_no_cache_policy_at_all_is_no_caching() -> None:
    """None is not the same as not given."""
    calls: list[int] = []

    @task(cache_policy=None, persist_result=True)
    def load(number: int) -> int:
        calls.append(number)
        return number

    @flow
    def twice() -> None:
        load(1)
        load(1)

    twice()
    assert calls == [1, 1]
    assert load.cache_policy is None
