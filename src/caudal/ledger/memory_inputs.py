"""Keeps what flow runs are given while they run, in a ledger in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.exceptions import ObjectNotFound
from caudal.ledger.encoding import decode_input, encode
from caudal.model.ids import format_id
from caudal.model.inputs import RunInputRow, put_input
from caudal.model.runs import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from caudal.model.inputs import RunInputChange
    from caudal.model.runs import FlowRunRow


class MemoryInputs:
    """``Inputs`` of a ledger in memory; see there for what its methods do.

    Args:
        is_open: Holds the ledger's lock within a ``with`` block.
        flow_runs: The ledger's flow runs.
        events: Its events.
    """

    def __init__(
        self,
        is_open: Callable[[], AbstractContextManager[object]],
        flow_runs: Mapping[bytes, FlowRunRow],
        events: list[Event],
    ) -> None:
        self._open, self._flow_runs, self._events = is_open, flow_runs, events
        self._inputs: dict[tuple[bytes, str], RunInputRow] = {}

    def put(
        self, flow_run_id: bytes, change: RunInputChange, at: float
    ) -> RunInputRow | None:
        """Give a flow run an input, or take one away."""
        with self._open():
            if flow_run_id not in self._flow_runs:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
            key = flow_run_id, change.key
            if change.value is None and key not in self._inputs:
                return None
            seq, payload = len(self._events) + 1, encode(change)
            self._events.append(Event(seq, at, "run_input", flow_run_id, None, payload))
            put_input(self._inputs, flow_run_id, decode_input(payload), seq, at)
            return self._inputs.get(key)

    def get(self, flow_run_id: bytes, key: str) -> RunInputRow | None:
        """Return an input, or None."""
        with self._open():
            return self._inputs.get((flow_run_id, key))

    def find(
        self, flow_run_id: bytes, prefix: str = "", *, since: int = 0, limit: int = 1000
    ) -> Sequence[RunInputRow]:
        """Return a flow run's inputs whose key starts with the prefix, in order."""
        with self._open():
            return [
                row
                for row in self._inputs.values()
                if row.flow_run_id == flow_run_id
                and row.seq > since
                and row.key.startswith(prefix)
            ][:limit]
