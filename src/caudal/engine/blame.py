"""Remembers which runs ended with an exception, so that of a run that fails with it, or because of it, the cause is known.

The note travels on the exception itself: from thread to thread, into `except` clauses, and pickled from process to process.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.returns import describe
from caudal.engine.tracebacks import error_details
from caudal.model.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caudal.engine.parts import Run

#: The attribute with the notes: the ids of each run and of the runs around it, the innermost first.
_NOTES = "__caudal_runs__"
#: Runs of one exception, and causes of one failure, that are remembered.
_NOTED, _CAUSES = 50, 1000
#: Exceptions behind one that are looked at.
_BEHIND = 20


def blame(run: Run, error: BaseException) -> None:
    """Note on an exception that a run ended with it."""
    own = tuple(_around(run))
    notes = [note for note in _notes(error) if note[:1] != own[:1]]
    with suppress(Exception):  # whatever the user's class does about attributes
        setattr(error, _NOTES, [*notes[-_NOTED:], own])


def failure_facts(run: Run, data: Any) -> dict[str, Any]:
    """Return what is recorded of a failure: the exception, what is behind it, and the runs that led to it.

    The exception bears the note afterwards that this run ended with it.

    Args:
        run: The run that fails.
        data: The data of its last state: an exception, or states of other runs.
    """
    if not isinstance(data, BaseException):
        return {"error": None, "because": _failed(data)[:_CAUSES]}
    error: dict[str, Any] = {**error_details(data)}
    behind, ids = _behind(run, data)
    blame(run, data)
    return {"error": error | {"from": behind} if behind else error, "because": ids}


def _notes(error: BaseException) -> list[tuple[bytes, ...]]:
    return getattr(error, _NOTES, [])


def _around(run: Any) -> Iterator[bytes]:
    """Yield the ids of a run and of those whose code led to it."""
    while run is not None:
        if run.id is not None:
            yield run.id
        parent = run.parent
        run = run.scope if parent is None and run.scope is not run else parent


def _failed(data: Any) -> list[str]:
    """Return the runs of the states among some that did not complete."""
    several = isinstance(data, (list, tuple, set, frozenset))
    ids: list[str] = []
    for state in cast("list[Any]", data if several else [data]):
        if isinstance(state, State) and state.belongs_to_run and not state.is_completed():  # fmt: skip
            details = cast("State[Any]", state).state_details
            run_id = details.task_run_id or details.flow_run_id
            ids += [] if run_id is None else [run_id.hex]
    return ids


def _behind(run: Run, error: BaseException) -> tuple[list[str], list[str]]:
    """Return the exceptions behind one, as text, up to those that other runs ended with, and these runs."""
    around = list(_around(run))
    texts: list[str] = []
    ids: dict[str, None] = {}
    seen: set[int] = set()
    look_at = [error]
    while look_at and len(seen) < _BEHIND:
        part = look_at.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        cause = _cause(around, part)
        if cause is not None:
            ids[cause.hex()] = None
            continue
        if part is not error and not getattr(part, "is_only_shown", False):
            texts.append(describe(part))
        inner: tuple[BaseException, ...] = ()
        if isinstance(part, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", part).exceptions
        context = None if part.__suppress_context__ else part.__context__
        further = (*inner, part.__cause__ or context)
        look_at += [each for each in reversed(further) if each is not None]
    return texts, list(ids)


def _cause(around: list[bytes], error: BaseException) -> bytes | None:
    """Return the run whose exception reached the code of another one: the last that this code called, else the first of all.

    Args:
        around: The run that fails, and those around it.
        error: The exception.
    """
    notes = [note for note in _notes(error) if note and note[0] != around[0]]
    for note in reversed(notes):
        if around[0] in note:
            return note[0]
    for note in notes:
        if not set(around).isdisjoint(note):
            return note[0]
    return None
