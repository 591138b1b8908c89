"""Inputs that flow runs are given while they run, as the ledger keeps them."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct


class RunInputChange(Struct, omit_defaults=True):
    """What an event says of an input: that it was given, or, without a value, that it was taken away."""

    key: str
    value: dict[str, Any] | None = None
    sender: str | None = None


class RunInputRow(NamedTuple):
    """An input that a flow run was given."""

    #: Position of its event in the ledger.
    seq: int
    flow_run_id: bytes
    #: Its name; a flow run has one input of each.
    key: str
    #: JSON-ready.
    value: dict[str, Any]
    #: Who gave it, None when that is not known.
    sender: str | None
    #: When, in seconds since the epoch, UTC.
    at: float


def put_input(
    inputs: dict[tuple[bytes, str], RunInputRow],
    flow_run_id: bytes,
    change: RunInputChange,
    seq: int,
    at: float,
) -> None:
    """Change inputs, by flow run and key, as an event says."""
    key = flow_run_id, change.key
    inputs.pop(key, None)
    if change.value is not None:
        inputs[key] = RunInputRow(seq, *key, change.value, change.sender, at)
