"""Wrong values of the decorators' options are refused where they are given, in words of the user's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from caudal import flow, task
from caudal.task_options import NotSet
from caudal.task_runners import ThreadPoolTaskRunner

BOTH = [
    ("name", 3, "a text"),
    ("description", 3, "a text"),
    ("version", 3, "a text"),
    ("retries", "two", "a whole number"),
    ("retries", 1.5, "a whole number"),
    ("retry_delay_seconds", ["soon"], "a number of seconds, a list of them"),
    ("timeout_seconds", "soon", "a number of seconds"),
    ("timeout_seconds", timedelta(seconds=1), "a number of seconds"),
    ("persist_result", "no", "True or False"),
    ("log_prints", "no", "True or False"),
    ("cache_result_in_memory", "no", "True or False"),
    ("result_storage", 3, "a folder, a URL, or a file system"),
    ("result_storage", ThreadPoolTaskRunner, "a folder, a URL, or a file system"),
    ("result_serializer", 3, "the name of a serializer"),
    ("on_completion", print, "a list of functions"),
    ("on_failure", "abc", "a list of functions"),
]
FLOW = [
    ("flow_run_name", 3, "a template of parameter names, or a function"),
    ("task_runner", "x", "a task runner"),
    ("task_runner", int, "a task runner"),
    ("validate_parameters", "no", "True or False"),
    ("durable", "no", "True or False"),
]
TASK = [
    ("task_run_name", 3, "a template of parameter names, or a function"),
    ("tags", "abc", "a list of texts"),
    ("tags", [1], "a list of texts"),
    ("cache_policy", "x", "a cache policy"),
    ("cache_key_fn", 3, "a function"),
    ("cache_expiration", 5, "a timedelta"),
    ("refresh_cache", "no", "True or False"),
    ("retry_condition_fn", 3, "a function"),
    ("retry_jitter_factor", "much", "a number"),
    ("result_storage_key", 3, "a text"),
    ("asset_deps", "s3://lake/raw", "a list of assets or their keys"),
]


def step() -> int:
    """Stand for a function."""
    return 1


@pytest.mark.parametrize(
    ("decorator", "name", "value", "takes"),
    [(flow, *each) for each in BOTH + FLOW] + [(task, *each) for each in BOTH + TASK],
)
def test_a_wrong_value_is_refused_at_the_decorator(
    decorator: Any, name: str, value: Any, takes: str
) -> None:
    """The message names option and value, and says what it takes."""
    with pytest.raises(TypeError) as refused:
        decorator(**{name: value})(step)

    text = str(refused.value)
    assert name in text
    assert repr(value) in text
    assert takes in text


@pytest.mark.parametrize("decorator", [flow, task])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", -1),
        ("retry_delay_seconds", -1),
        ("timeout_seconds", -1),
        ("timeout_seconds", float("nan")),
    ],
)
def test_a_number_out_of_range_is_refused_at_the_decorator(
    decorator: Any, name: str, value: float
) -> None:
    """It is a ValueError."""
    with pytest.raises(ValueError, match=str(value)):
        decorator(**{"retries": 1, name: value})(step)
    with pytest.raises(ValueError, match=str(value)):
        decorator(**{name: value})(step)


def test_with_options_refuses_the_same() -> None:
    """A copy is checked like the first."""
    with pytest.raises(TypeError, match="timeout_seconds='soon'"):
        task(step).with_options(timeout_seconds="soon")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("decorator", [flow, task])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", 1.0),
        ("retries", True),
        ("retries", "1"),
        ("retry_delay_seconds", "0"),
        ("retry_delay_seconds", (0,)),
        ("timeout_seconds", 0),
        ("timeout_seconds", "5"),
        ("persist_result", 0),
        ("result_storage", Path("results")),
        ("on_completion", {print.__call__}),
        ("on_completion", ()),
    ],
)
def test_what_prefect_takes_is_taken(
    decorator: Any,
    name: str,
    value: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers as texts, no time-out written as 0, any iterable of hooks; the run goes as it says."""
    monkeypatch.chdir(tmp_path)
    calls: list[int] = []

    def shaky() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("first")
        return 1

    made = decorator(**{"retries": 1, name: value})(shaky)

    assert made() == 1
    assert made.with_options(name="other", log_prints=NotSet)() == 1


def test_a_runner_takes_whole_numbers() -> None:
    """Half a thread is none."""
    half: Any = 1.5
    with pytest.raises(TypeError, match=r"max_workers .* not 1.5"):
        ThreadPoolTaskRunner(max_workers=half)
