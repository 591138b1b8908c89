"""A flow whose step, once it may go on, tries all that code of a run can leave behind; what came of each is noted."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oracle import note

from caudal import flow, task
from caudal.artifacts import create_markdown_artifact
from caudal.concurrency.sync import concurrency, rate_limit
from caudal.transactions import transaction
from caudal.variables import Variable

if TYPE_CHECKING:
    from collections.abc import Callable

ME = os.environ.get("ME", "new")


def hook(_: Any, run: Any, state: Any) -> None:
    """Note that a hook of a run was called."""
    note(f"{ME} hook {run.name} {state.name}")


def attempt(what: str, function: Callable[[], object]) -> None:
    """Note whether something can be done."""
    try:
        function()
    except Exception as error:  # noqa: BLE001 - it is what is asked
        note(f"{ME} {what} {type(error).__name__}")
    else:
        note(f"{ME} {what} done")


def enter() -> None:
    """Hold a slot for a moment."""
    with concurrency("gpu"):
        pass


def settle() -> None:
    """Commit a transaction."""
    with transaction() as around:
        around.stage("value", [], [lambda _: note(f"{ME} commit hook")])


@task(on_completion=[hook], on_failure=[hook])
def step() -> None:
    """Wait, and try everything."""
    note(f"{ME} start")
    while not Path(os.environ["GATE"]).exists() and ME == "old":
        time.sleep(0.01)
    attempt("artifact", lambda: create_markdown_artifact(ME, key="key"))
    attempt("variable", lambda: Variable.set("name", ME, overwrite=True))
    attempt("slot", enter)
    attempt("rate", lambda: rate_limit("rate"))
    attempt("transaction", settle)
    note(f"{ME} end")


@flow(
    durable=True,
    flow_run_name="zombie",
    on_completion=[hook],
    on_failure=[hook],
    on_crashed=[hook],
    on_cancellation=[hook],
)
def zombie() -> None:
    """Have the step done by a thread of the pool."""
    step.submit().result()


if __name__ == "__main__":
    zombie()
