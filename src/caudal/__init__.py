"""caudal runs data pipelines written as plain Python, and records every step durably."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine import composition

if TYPE_CHECKING:
    from caudal.client import get_client
    from caudal.context import tags
    from caudal.engine.engine import Engine
    from caudal.flow_runs import (
        apause_flow_run,
        aresume_flow_run,
        asuspend_flow_run,
        pause_flow_run,
        resume_flow_run,
        suspend_flow_run,
    )
    from caudal.flows import Flow, flow
    from caudal.logging import get_run_logger
    from caudal.model.annotations import allow_failure, quote, unmapped
    from caudal.states import State
    from caudal.tasks import Task, task
    from caudal.transactions import Transaction

__version__ = "0.1.0"

__all__ = [
    "Flow",
    "State",
    "Task",
    "Transaction",
    "__version__",
    "allow_failure",
    "apause_flow_run",
    "aresume_flow_run",
    "asuspend_flow_run",
    "flow",
    "get_client",
    "get_run_logger",
    "pause_flow_run",
    "quote",
    "resume_flow_run",
    "suspend_flow_run",
    "tags",
    "task",
    "unmapped",
]

_HOMES = {
    "Flow": "caudal.flows",
    "State": "caudal.states",
    "Task": "caudal.tasks",
    "Transaction": "caudal.transactions",
    "allow_failure": "caudal.model.annotations",
    "apause_flow_run": "caudal.flow_runs",
    "aresume_flow_run": "caudal.flow_runs",
    "asuspend_flow_run": "caudal.flow_runs",
    "flow": "caudal.flows",
    "get_client": "caudal.client",
    "get_run_logger": "caudal.logging",
    "pause_flow_run": "caudal.flow_runs",
    "quote": "caudal.model.annotations",
    "resume_flow_run": "caudal.flow_runs",
    "suspend_flow_run": "caudal.flow_runs",
    "tags": "caudal.context",
    "task": "caudal.tasks",
    "unmapped": "caudal.model.annotations",
}


#: Modules that are there as attributes without an import of their own.
_MODULES = frozenset(
    [
        "artifacts",
        "assets",
        "blocks",
        "cache_policies",
        "client",
        "context",
        "exceptions",
        "filesystems",
        "flow_runs",
        "flows",
        "futures",
        "input",
        "logging",
        "results",
        "runtime",
        "schedules",
        "serializers",
        "settings",
        "states",
        "task_runners",
        "tasks",
        "transactions",
        "variables",
    ]
)


def __getattr__(name: str) -> Any:
    import importlib  # noqa: PLC0415 - names are looked up where they are used

    if name in _MODULES:
        return importlib.import_module(f"caudal.{name}")
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'caudal' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _compose() -> Engine:
    from caudal.app import compose  # noqa: PLC0415 - the composition root is only needed once something runs

    return compose()


composition.register(_compose)
