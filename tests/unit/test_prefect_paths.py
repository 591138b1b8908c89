"""The paths under which Prefect's users import things are there: below ``prefect`` with ``--as-prefect``, the common ones below ``caudal`` too."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

AS_PREFECT = """
    from caudal import compat
    compat.install()

    import prefect
    import prefect.assets.materialize
    from prefect.client.schemas.filters import *
    from prefect.futures import *
    from prefect.runtime.flow_run import *
    from prefect.states import *
    import prefect.client.schemas.filters
    import prefect.runtime.flow_run
    import prefect.runtime.task_run
    from prefect.assets import materialize
    from prefect.assets.core import Asset, add_asset_metadata
    from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
    from prefect.client.schemas import FlowRun, State, StateType, TaskRun
    from prefect.client.schemas.objects import TERMINAL_STATES, Flow, Log
    from prefect.context import TaskRunContext
    from prefect.flow_runs import wait_for_flow_run
    from prefect.input.run_input import RunInput, send_input
    from prefect.logging.loggers import flow_run_logger, get_run_logger
    from prefect.main import flow
    from prefect.runtime.flow_run import id
    from prefect.settings.context import get_current_settings, temporary_settings
    from prefect.utilities.annotations import NotSet, allow_failure, quote, unmapped

    assert prefect.assets.materialize is materialize
    assert PrefectFuture is Future
    assert FlowRunFilter and Completed
    assert flow_version is None
    assert flow is prefect.flow
    assert prefect.runtime.flow_run.id is id is None
"""

FROM_CAUDAL = """
    import caudal.runtime.flow_run
    from caudal import runtime
    from caudal.client.orchestration import AsyncClient, SyncClient, get_client
    from caudal.client.schemas import BlockDocument, FlowRun, OrchestrationResult, StateDetails
    from caudal.runtime.deployment import parameters
    from caudal.runtime.task_run import id
    from caudal.utilities.annotations import NotSet, allow_failure, opaque, quote, unmapped

    assert (quote([1]).unquote(), opaque(1).unwrap()) == ([1], 1)
    assert caudal.runtime.flow_run is runtime.flow_run
    assert (parameters, id) == ({}, None)
    assert get_client is caudal.get_client
    assert unmapped is caudal.unmapped
"""


def run(program: str) -> None:
    """Run a program in a process of its own."""
    subprocess.run([sys.executable, "-c", dedent(program)], check=True)


def test_prefect_s_paths_are_there_as_prefect() -> None:
    """Each name comes from where Prefect has it; a module does not hide the function of its name."""
    run(AS_PREFECT)


def test_common_paths_are_there_below_caudal() -> None:
    """Whoever changes the prefix alone finds them."""
    run(FROM_CAUDAL)
