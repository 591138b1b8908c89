"""Which assets the task runs of a flow make, and out of which others.

A run that makes assets passes these on to the runs that take its result; any other run passes on what it was given. So what an asset was
made of is known however many steps lie between. A flow without assets has no ``Lineage``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from caudal.clock import timestamp
from caudal.engine.document_item import DocumentItem
from caudal.model.documents import DocumentChange, DocumentWrite
from caudal.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTHING: frozenset[str] = frozenset()


class _Run(Protocol):
    """A task run, as far as its assets go."""

    id: bytes
    scope: Any
    spec: Any


class Lineage:
    """Assets by the task runs of one flow run."""

    __slots__ = ("_metadata", "_passed", "_upstream")

    def __init__(self) -> None:
        #: What a run passes on, and what it was given.
        self._passed: dict[bytes, frozenset[str]] = {}
        self._upstream: dict[bytes, frozenset[str]] = {}
        self._metadata: dict[bytes, dict[str, dict[str, Any]]] = {}

    def connect(self, run: _Run, others: Iterable[bytes]) -> None:
        """Note what a run is given by the runs that its inputs come from, and what it makes."""
        given = _NOTHING.union(*(self._passed.get(other, _NOTHING) for other in others))
        assets = run.spec.assets
        if assets is not None:
            given |= assets.needed
            if assets.made:
                self._upstream[run.id] = given
                given = frozenset(assets.made)
        if given and run.scope.id is not None:  # outside of flows it would be for ever
            self._passed[run.id] = given

    def describe(self, run_id: bytes, key: str, metadata: dict[str, Any]) -> None:
        """Add facts about an asset that a run makes."""
        of_run = self._metadata.setdefault(run_id, {})
        of_run[key] = {**of_run.get(key, {}), **metadata}

    def record(self, run: _Run, outcome: str) -> None:
        """Record how the assets that a run makes came out."""
        assets, metadata = run.spec.assets, self._metadata.pop(run.id, {})
        if assets is None:
            return
        upstream = sorted(self._upstream.pop(run.id, _NOTHING))
        scope, now = run.scope, timestamp()
        for key, properties in assets.made.items():
            data = {
                "properties": properties,
                "upstream": upstream,
                "by": assets.by,
                "metadata": metadata.get(key, {}),
            }
            change = DocumentChange(
                new_id(now, os.urandom(8)).hex(), "create", outcome, key, data=data
            )
            write = DocumentWrite(now, "asset", change, scope.id, run.id)
            scope.journal.put(DocumentItem(write, scope.fence))
