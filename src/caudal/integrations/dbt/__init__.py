"""Runs dbt projects as a child process and records each of their nodes as a task run.

dbt is never imported: its command is started, and its JSON log lines are read while it runs. Install it with
``pip install "caudal[dbt]"``, in the same environment or anywhere on ``PATH``.
"""

from __future__ import annotations

from caudal.integrations.dbt.errors import (
    DbtCommandError,
    DbtError,
    DbtNodesFailedError,
    DbtNotInstalledError,
    DbtProjectError,
)
from caudal.integrations.dbt.project import DbtProject
from caudal.integrations.dbt.results import DbtResult, NodeResult

__all__ = [
    "DbtCommandError",
    "DbtError",
    "DbtNodesFailedError",
    "DbtNotInstalledError",
    "DbtProject",
    "DbtProjectError",
    "DbtResult",
    "NodeResult",
]
