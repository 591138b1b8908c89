"""Remembers which batches are written, so that one that is given again is not written again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.ledger.encoding import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Cursor

    from caudal.ledger.port import Stamp


class Stamps:
    """The last batch of each writer.

    Args:
        queries: Statements by name.
    """

    def __init__(self, queries: Mapping[str, str]) -> None:
        self._queries = queries

    def find(self, cursor: Cursor, stamp: Stamp) -> dict[bytes, str] | None:
        """Return what was refused of a batch that is written, or None when it is new; from then on it counts as written."""
        cursor.execute(self._queries["put_writer"], stamp)
        if cursor.rowcount:
            return None
        values = cursor.execute(self._queries["writer"], (stamp.writer,)).fetchone()
        refused: dict[str, str] = {} if values[0] is None else decode(values[0])
        return {bytes.fromhex(run_id): reason for run_id, reason in refused.items()}

    def note(self, cursor: Cursor, stamp: Stamp, refused: dict[bytes, str]) -> None:
        """Keep what was refused of a batch."""
        text = encode({run_id.hex(): reason for run_id, reason in refused.items()})
        cursor.execute(self._queries["put_refused"], (text.decode(), stamp.writer))
