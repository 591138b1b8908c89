"""Names of runs: drawn for flow runs, or made from the user's template; and what people call code."""

from __future__ import annotations

import inspect
import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from caudal.engine.parts import Run
    from caudal.model.specs import Spec

_MANNERS = """
    amber brisk calm clear cold deep eager early even fair fleet gentle glad golden grand green hidden keen kind
    late light little lively lofty lucid mellow merry mild misty narrow nimble noble old open pale patient plain
    proud quick quiet rapid ready rich ripe roving shady sharp silver slow small smooth soft solid sound sparkling
    spry steady still stony strong sunny sure swift tidy tranquil true upper vast warm wide wild winding young
""".split()  # noqa: SIM905 - words are read more easily than a list of them
_WATERS = """
    bay bayou beck bend bight bourn branch brook burn canal cascade channel cove creek current delta drift eddy
    estuary falls fen fjord flow ford fountain gulf gully harbor inlet islet lagoon lake leat loch marsh mere
    millrace moor narrows oxbow pond pool puddle race rapids reach reef rill ripple river rivulet runnel sea shoal
    source spring stream strait swale tarn tide torrent tributary wadi water wave weir well
""".split()  # noqa: SIM905


def random_name(random: Random) -> str:
    """Return a name for a flow run: a manner and a water."""
    return f"{random.choice(_MANNERS)}-{random.choice(_WATERS)}"


def run_name(spec: Spec, parameters: dict[str, Any]) -> str:
    """Return the name of a run from the decorator's template or function.

    Args:
        spec: The flow or task, with a ``run_name``.
        parameters: The call's arguments by name.

    Raises:
        ValueError: The template names a parameter that the function does not have, or the function returned no text.
    """
    template = spec.run_name
    if isinstance(template, str):
        try:
            return template.format(
                **parameters, flow_name=spec.name, task_name=spec.name
            )
        except (KeyError, IndexError) as error:
            known = ", ".join(parameters) or "none"
            msg = f"the run name {template!r} of {spec.name!r} uses {error}, which is no parameter; there is {known}"
            raise ValueError(msg) from None
    assert template is not None, "only specs with a run name are asked"
    takes = inspect.signature(template).parameters
    name: Any = template(parameters=parameters) if "parameters" in takes else template()
    if not isinstance(name, str):
        msg = f"the function for run names of {spec.name!r} returned {name!r}, which is no text"
        raise ValueError(msg)  # noqa: TRY004 - Prefect raises a value's error here
    return name


def label_of(run: Run | None) -> str:
    """Return what people call the code in charge: its run, or its process outside of runs."""
    if run is None:
        return f"process {os.getpid()} on {socket.gethostname()}"
    if run is run.scope:
        return f"flow run {run.name!r}"
    flow = f" of flow run {run.scope.name!r}" if run.scope.id is not None else ""
    return f"task run {run.name!r}{flow}"
