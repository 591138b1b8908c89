"""Prefect 3.8's public names of authoring, their parameters and defaults: each is here, or stands in a list of differences.

The tables are written down by hand, from its reference; nothing of it is installed here. ``docs/coming-from-prefect.md`` tells users the same.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from caudal import Flow, Task, task
from caudal.task_options import NotSet
from caudal.tasks import task_input_hash

#: Options of the decorators with their defaults.
FLOW_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(
        [
            "name",
            "version",
            "flow_run_name",
            "retries",
            "retry_delay_seconds",
            "task_runner",
            "description",
            "timeout_seconds",
            "persist_result",
            "result_storage",
            "result_serializer",
            "log_prints",
            "on_completion",
            "on_failure",
            "on_cancellation",
            "on_crashed",
            "on_running",
        ]
    ),
    "validate_parameters": True,
    "cache_result_in_memory": True,
}
TASK_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(
        [
            "name",
            "description",
            "tags",
            "version",
            "cache_key_fn",
            "cache_expiration",
            "task_run_name",
            "retries",
            "retry_delay_seconds",
            "retry_jitter_factor",
            "persist_result",
            "result_storage",
            "result_storage_key",
            "result_serializer",
            "timeout_seconds",
            "log_prints",
            "refresh_cache",
            "on_completion",
            "on_failure",
            "on_running",
            "retry_condition_fn",
            "viz_return_value",
            "asset_deps",
        ]
    ),
    "cache_policy": NotSet,
    "cache_result_in_memory": True,
}

#: Parameters by the function's place here, with defaults behind "="; "*" and "**" stand for themselves.
PARAMETERS = {
    "flows.Flow.__call__": "*args return_state=False wait_for=None **kwargs",
    "flows.Flow.validate_parameters": "parameters",
    "flows.Flow.serialize_parameters": "parameters",
    "flows.Flow.visualize": "*args **kwargs",
    "flows.Flow.avisualize": "*args **kwargs",
    "flows.Flow.generate_mermaid_graph": "*args **kwargs",
    "flows.Flow.agenerate_mermaid_graph": "*args **kwargs",
    "flows.Flow.on_completion": "fn",
    "flows.Flow.on_failure": "fn",
    "flows.Flow.on_cancellation": "fn",
    "flows.Flow.on_crashed": "fn",
    "flows.Flow.on_running": "fn",
    "tasks.Task.__call__": "*args return_state=False wait_for=None **kwargs",
    "tasks.Task.submit": "*args return_state=False wait_for=None **kwargs",
    "tasks.Task.map": "*args return_state=False wait_for=None deferred=False **kwargs",
    "tasks.Task.delay": "*args **kwargs",
    "tasks.Task.apply_async": "args=None kwargs=None wait_for=None dependencies=None",
    "tasks.Task.serve": "",
    "tasks.Task.aserve": "",
    "tasks.Task.on_completion": "fn",
    "tasks.Task.on_failure": "fn",
    "tasks.Task.on_running": "fn",
    "tasks.Task.on_commit": "fn",
    "tasks.Task.on_rollback": "fn",
    "tasks.exponential_backoff": "backoff_factor",
    "tasks.task_input_hash": "context arguments",
    "task_worker.serve": "*tasks limit=10 status_server_port=None timeout=None",
    "task_worker.aserve": "*tasks limit=10 status_server_port=None timeout=None",
    "task_worker.TaskWorker": "*tasks limit=10",
    "task_worker.TaskWorker.start": "timeout=None",
    "task_worker.TaskWorker.astart": "timeout=None",
    "futures.Future.wait": "timeout=None",
    "futures.Future.result": "timeout=None raise_on_failure=True",
    "futures.Future.add_done_callback": "fn",
    "futures.DistributedFuture": "task_run_id",
    "futures.DistributedFuture.wait_async": "timeout=None",
    "futures.DistributedFuture.result_async": "timeout=None raise_on_failure=True",
    "futures.FlowRunFuture": "flow_run_id",
    "futures.FlowRunFuture.aresult": "timeout=None raise_on_failure=True",
    "futures.FutureList.wait": "timeout=None",
    "futures.FutureList.result": "timeout=None raise_on_failure=True",
    "futures.wait": "futures timeout=None",
    "futures.as_completed": "futures timeout=None",
    "futures.resolve_futures_to_states": "expr",
    "futures.resolve_futures_to_results": "expr",
    "states.State.result": "raise_on_failure=True retry_result_failure=True",
    "states.State.aresult": "raise_on_failure=True retry_result_failure=True",
    "states.State.fresh_copy": "",
    "states.Scheduled": "scheduled_time=None **",
    "states.Completed": "**",
    "states.Running": "**",
    "states.Failed": "**",
    "states.Crashed": "**",
    "states.Cancelling": "**",
    "states.Cancelled": "**",
    "states.Pending": "**",
    "states.Paused": "timeout_seconds=None pause_expiration_time=None reschedule=False pause_key=None **",
    "states.Suspended": "timeout_seconds=None pause_expiration_time=None pause_key=None **",
    "states.AwaitingRetry": "scheduled_time=None **",
    "states.AwaitingConcurrencySlot": "scheduled_time=None **",
    "states.Submitting": "**",
    "states.InfrastructurePending": "**",
    "states.Retrying": "**",
    "states.Late": "scheduled_time=None **",
    "states.get_state_exception": "state",
    "states.aget_state_exception": "state",
    "states.raise_state_exception": "state",
    "states.araise_state_exception": "state",
    "states.is_state_iterable": "obj",
    "states.return_value_to_state": "retval",
    "states.exception_to_failed_state": "exc=None **",
    "states.exception_to_crashed_state": "exc",
    "states.format_exception": "exc tb=None",
    "states.StateGroup": "states",
    "task_runners.ThreadPoolTaskRunner": "max_workers=None",
    "task_runners.ConcurrentTaskRunner": "max_workers=None",
    "task_runners.ProcessPoolTaskRunner": "max_workers=None",
    "context.get_run_context": "",
    "context.tags": "*new_tags",
    "context.serialize_context": "",
    "context.hydrated_context": "serialized_context=None",
    "context.with_context": "fn",
    "logging.get_logger": "name=None",
    "logging.get_run_logger": "context=None **kwargs",
    "logging.flow_run_logger": "flow_run=None flow=None flow_run_id=None **kwargs",
    "logging.task_run_logger": "task_run task=None flow_run=None flow=None **kwargs",
    "logging.disable_logger": "name",
    "logging.disable_run_logger": "",
    "logging.LogEavesdropper": "eavesdrop_on level=0",
}

#: Attributes that are there, by the object's place.
MEMBERS = {
    "runtime.flow_run": "id tags run_count name flow_name flow_version scheduled_start_time parameters parent_flow_run_id "
    "parent_deployment_id root_flow_run_id api_url ui_url job_variables",
    "runtime.task_run": "id tags run_count name task_name parameters api_url ui_url",
    "runtime.deployment": "id name parameters version flow_run_id",
    "states.State": "is_scheduled is_pending is_running is_completed is_failed is_crashed is_cancelled is_cancelling is_final is_paused",
    "states.StateDetails": "flow_run_id task_run_id child_flow_run_id scheduled_time cache_key cache_expiration deferred "
    "untrackable_result pause_timeout pause_reschedule pause_key run_input_keyset refresh_cache retriable transition_id task_parameters_id",
    "flows.Flow": "with_options isasync isgenerator ismethod isclassmethod isstaticmethod",
    "tasks.Task": "with_options isasync isgenerator ismethod isclassmethod isstaticmethod",
    "futures.Future": "task_run_id state",
    "context": "FlowRunContext TaskRunContext TagsContext",
    "task_runners.TaskRunner": "duplicate __enter__ __exit__",
    "cache_policies": "DEFAULT INPUTS TASK_SOURCE FLOW_PARAMETERS RUN_ID NONE NO_CACHE CachePolicy CacheKeyFnPolicy CompoundCachePolicy "
    "TaskSource FlowParameters RunId Inputs",
    "serializers": "PickleSerializer JSONSerializer CompressedSerializer",
}


def find(place: str) -> Any:
    """Return what stands at a place below ``caudal``."""
    module, *names = place.split(".")
    found: Any = import_module(f"caudal.{module}")
    for name in names:
        found = getattr(found, name)
    return found


def written(fn: Any) -> list[str]:
    """Return a function's parameters as the table writes them."""
    texts: list[str] = []
    for parameter in inspect.signature(fn).parameters.values():
        match parameter.kind:
            case parameter.VAR_POSITIONAL:
                texts.append(f"*{parameter.name}")
            case parameter.VAR_KEYWORD:
                texts.append("**")
            case _ if parameter.default is parameter.empty:
                texts.append(parameter.name)
            case _:
                texts.append(f"{parameter.name}={parameter.default!r}")
    return [text for text in texts if text != "self"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Flow, FLOW_OPTIONS), (Task, TASK_OPTIONS)],
    ids=["flow", "task"],
)
def test_decorators_take_the_options(kind: Any, options: dict[str, Any]) -> None:
    """Each option is there with its default."""
    assert options.items() <= kind.defaults.items()


@pytest.mark.parametrize("place", PARAMETERS)
def test_functions_take_the_parameters(place: str) -> None:
    """Names, order and defaults are the same; what is more here stands behind them."""
    expected = [
        "**" if text.startswith("**") else text for text in PARAMETERS[place].split()
    ]
    ours = written(find(place))
    assert [text for text in ours if text in expected] == expected, ours


@pytest.mark.parametrize("place", MEMBERS)
def test_objects_have_the_members(place: str) -> None:
    """Each name is there."""
    subject = find(place)
    missing = [name for name in MEMBERS[place].split() if not hasattr(subject, name)]
    assert missing == []


def test_task_input_hash_tells_calls_apart() -> None:
    """It is a function for ``cache_key_fn``: the same call has one key, another call another."""
    calls: list[int] = []

    @task(cache_key_fn=task_input_hash)
    def square(number: int) -> int:
        calls.append(number)
        return number * number

    assert [square(2), square(2), square(3)] == [4, 4, 9]
    assert calls == [2, 3]
