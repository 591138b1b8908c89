"""Goes on with lost durable flow runs from the command line."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from caudal.cli.status import FAILED
from caudal.client import get_client
from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.engine.engine import file_of
from caudal.engine.recoverer import Recoverer
from caudal.ledger.port import Batch, FlowWrite
from caudal.model.runs import FlowRunChange

if TYPE_CHECKING:
    from caudal.model.runs import FlowRunRow

_LOOK_SECONDS = 0.2


def recover_runs(*, watch: bool) -> int:
    """Go on with every lost durable flow run that can be loaded here, and return the exit status.

    Args:
        watch: Look for such runs until interrupted.
    """
    engine = current_engine()
    recoverer = Recoverer(engine.settings, _can_load, max_children=os.cpu_count() or 1)
    missing: set[bytes] = set()
    pause = engine.settings.lease_seconds / 3 if watch else _LOOK_SECONDS
    while True:
        swept = [row.id for row in engine.sweep()]
        lost = [row for row in engine.ledger.unfinished() if row.state_type == "CRASHED"]  # fmt: skip
        for row in lost:
            if not _can_load(row) and row.id not in missing:
                missing.add(row.id)
                where = file_of(row) or "the file of its flow"
                click.echo(f"{row.name}: left alone, {where} is not on this machine.", err=True)  # fmt: skip
        for row in recoverer.look(lost, swept, timestamp()):
            click.echo(f"{row.name}: flow {row.flow_name} goes on, attempt {row.attempt + 1}.")  # fmt: skip
        _report(recoverer)
        waits = any(_can_load(row) and not recoverer.was_tried(row) for row in lost)
        if not watch and not waits and not recoverer.is_busy:
            break
        time.sleep(pause)
    return _report(recoverer)


def give_up_run(given: str) -> None:
    """Have a lost durable flow run left as it is.

    Args:
        given: Its id, the start of it, or its name.

    Raises:
        click.UsageError: It is not one that would be gone on with.
    """
    engine = current_engine()
    engine.sweep()
    row = get_client().find_flow_run(given)
    if row.durable_key is None or row.state_type != "CRASHED":
        msg = f"Flow run {row.name!r} is {row.state_name}, and nothing would go on with it by itself."
        raise click.UsageError(msg)
    batch = Batch()
    change = FlowRunChange(durable_key=None, details={"given_up": True})
    batch.writes.append(FlowWrite(row.id, change))
    engine.ledger.commit(batch)
    click.echo(f"{row.name}: given up. `caudal flow-run resume {row.name} --force` goes on with it all the same.")  # fmt: skip


def _can_load(row: FlowRunRow) -> bool:
    return Path(file_of(row) or "/").is_file()


def _report(recoverer: Recoverer) -> int:
    """Say how processes ended that have, and return the exit status so far."""
    ledger = current_engine().ledger
    for flow_run_id in recoverer.take_ended():
        row = ledger.flow_run(flow_run_id)
        if row is not None:
            click.echo(f"{row.name}: {row.state_name}.")
    return FAILED if recoverer.has_failed else 0
