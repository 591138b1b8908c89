"""Finds runs by what a person types, and names runs so that a person can type it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caudal.engine.composition import current_engine
from caudal.exceptions import AmbiguousNameError, ObjectNotFound
from caudal.ledger.port import RunFilter
from caudal.model.states import NAMES, StateType
from caudal.model.views import task_run_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from caudal.model.views import FlowRun, TaskRun

#: Lengths of an id's start that end before a dash; the first holds all of the time in it.
_SHORT_LENGTHS = (13, 18, 23)


def handle_of(run: FlowRun) -> str:
    """Return a flow run's name if no other run has it, else its id."""
    bearers = current_engine().ledger.find_flow_runs(run.name, limit=2)
    return run.name if len(bearers) == 1 else str(run.id)


def short_ids(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return for each id its shortest start, of some lengths, that tells it from the others."""
    for length in _SHORT_LENGTHS:
        shortened = {value: str(value)[:length] for value in ids}
        if len(set(shortened.values())) == len(shortened):
            return shortened
    return {value: str(value) for value in ids}


def find_task_run(given: str, flow_run: str | None) -> TaskRun:
    """Return a task run by its id, the start of it, or its name.

    Args:
        given: What was typed.
        flow_run: The flow run it belongs to, likewise; None when it does not matter.

    Raises:
        ObjectNotFound: There is none.
        AmbiguousNameError: There are several.
    """
    from caudal.client import get_client

    client = get_client()
    if flow_run is None:
        return client.read_task_run(given)
    owner = client.find_flow_run(flow_run)
    rows = current_engine().ledger.task_runs(
        RunFilter(flow_run_id=owner.id, name=given), limit=2
    )
    if len(rows) == 1:
        return task_run_view(rows[0])
    if rows:
        raise AmbiguousNameError(
            "task run", given, tuple(str(task_run_view(row).id) for row in rows)
        )
    found = [
        run
        for run in map(task_run_view, current_engine().ledger.find_task_runs(given))
        if _owner(run) == owner.id
    ]
    if len(found) != 1:
        raise ObjectNotFound("task run", given, owner.name)
    return found[0]


def _owner(run: TaskRun) -> bytes | None:
    return run.flow_run_id.bytes if run.flow_run_id else None


def read_states(given: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return kinds and names of states, one of them empty, that together mean what was typed.

    Args:
        given: Kinds of states or names of states, in upper or lower case.

    Raises:
        click.UsageError: There is no such state.
    """
    kinds: list[StateType] = []
    names: list[str] = []
    known = {name.casefold(): name for group in NAMES.values() for name in group}
    for word in given:
        folded = word.casefold()
        if folded.upper() in StateType.__members__:
            kinds.append(StateType(folded.upper()))
        elif folded in known:
            names.append(known[folded])
        else:
            raise click.UsageError(_unknown_state(word, known))
    if not names:
        return tuple(kind.value for kind in kinds), ()
    return (), (*names, *(name for kind in kinds for name in NAMES[kind]))


def _unknown_state(word: str, known: dict[str, str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(word.casefold(), known, n=1)
    hint = f" Did you mean {known[nearest[0]]!r}?" if nearest else ""
    return f"There is no state {word!r}.{hint} The kinds are {', '.join(kind.lower() for kind in StateType)}."
