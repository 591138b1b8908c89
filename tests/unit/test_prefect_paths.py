"""The paths under which Prefect's users import things are there: below ``prefect`` with ``--as-prefect``, the common ones below ``caudal`` too."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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


FEATURES = """
    from caudal import compat
    compat.install()

    import prefect, prefect.states
    assert not hasattr(prefect, "sail")
    assert getattr(prefect.states, "Sailing", None) is None
    for line in ("from prefect import sail", "import prefect_sails", "from prefect_sails.sea import Boat"):
        try:
            exec(line)
        except ImportError as error:
            assert "caudal has nothing that stands for" in str(error)
        else:
            raise AssertionError(line)
    import prefect_own
    assert prefect_own.NUMBER == 5
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


def test_code_can_ask_whether_a_name_is_there(tmp_path: Path) -> None:
    """As with any module; an own module whose name begins like Prefect's packages is found."""
    (tmp_path / "prefect_own.py").write_text("NUMBER = 5\n")
    program = tmp_path / "program.py"
    program.write_text(dedent(FEATURES))
    subprocess.run([sys.executable, str(program)], check=True)
