"""Ids of runs: sixteen bytes that sort by time, cheap enough for a million tasks.

A flow run's id is a version 7 UUID that counts a quarter of a microsecond (RFC 9562, section 6.2, method 3:
https://www.rfc-editor.org/rfc/rfc9562#section-6.2). A task run's id is one too: it carries the flow run's time, the number of the
attempt at the flow run, random bits that the process drew, and a counter in its last four bytes (method 1), so that making
one costs an addition and ids of one run lie beside each other in the ledger's index, oldest first.
"""

from __future__ import annotations

from itertools import count
from uuid import UUID

from caudal.exceptions import ObjectNotFound

ID_BYTES = 16


def new_id(now: float, random: bytes) -> bytes:
    """Return a version 7 UUID as bytes.

    Args:
        now: Seconds since the epoch.
        random: Eight random bytes.
    """
    milliseconds, rest = divmod(now * 1000, 1)
    fraction = int(rest * 4096)
    return (
        int(milliseconds).to_bytes(6, "big")
        + (0x7000 | fraction).to_bytes(2, "big")
        + bytes((0x80 | random[0] & 0x3F,))
        + random[1:8]
    )


class TaskRunIds:
    """Gives out the ids of one flow run's task runs, in order.

    Args:
        flow_run_id: The flow run.
        attempt: Number of the attempt at it; those after the 63rd count as the 63rd.
        random: Three random bytes, new for each process that works on the flow run.
    """

    __slots__ = ("_counter", "_prefix")

    def __init__(self, flow_run_id: bytes, attempt: int, random: bytes) -> None:
        self._prefix = (
            flow_run_id[:8] + bytes((0x80 | min(attempt, 0x3F),)) + random[:3]
        )
        self._counter = count(1)

    def new(self) -> bytes:
        """Return the next id; safe to call from several threads."""
        return self._prefix + next(self._counter).to_bytes(4, "big")


def task_run_id_range(flow_run_id: bytes) -> tuple[bytes, bytes]:
    """Return the first and the last id that a flow run's task runs can have."""
    return flow_run_id[:8] + bytes(8), flow_run_id[:8] + b"\xff" * 8


def format_id(value: bytes) -> str:
    """Return an id as people and programs write it."""
    return str(UUID(bytes=value))


def parse_id(text: str | UUID, kind: str = "run") -> bytes:
    """Return the bytes of a written id.

    Raises:
        ObjectNotFound: The text is no id.
    """
    if isinstance(text, UUID):
        return text.bytes
    try:
        return UUID(text).bytes
    except (ValueError, AttributeError):  # the latter for what is no text
        raise ObjectNotFound(kind, str(text)) from None


def optional_id(text: str | UUID | None, kind: str = "run") -> bytes | None:
    """Return the bytes of a written id, or None for none; see `parse_id`."""
    return None if text is None else parse_id(text, kind)
