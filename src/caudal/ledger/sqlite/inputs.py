"""Keeps what flow runs are given while they run, in an SQLite ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.exceptions import ObjectNotFound
from caudal.ledger.encoding import decode, encode
from caudal.ledger.sqlite.rows import event_values
from caudal.model.ids import format_id
from caudal.model.inputs import RunInputRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caudal.ledger.sqlite.database import Database
    from caudal.model.inputs import RunInputChange


class SqliteInputs:
    """``Inputs`` of an SQLite ledger; see there for what its methods do.

    Args:
        database: The file.
        queries: Its statements by name.
    """

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database, self._queries = database, queries

    def put(
        self, flow_run_id: bytes, change: RunInputChange, at: float
    ) -> RunInputRow | None:
        """Give a flow run an input, or take one away."""
        with self._database.transaction() as cursor:
            run = cursor.execute(self._queries["flow_run"], (flow_run_id,)).fetchone()
            if run is None:
                raise ObjectNotFound("flow run", format_id(flow_run_id))
            found = flow_run_id, change.key
            deleted = cursor.execute(self._queries["delete_input"], found).rowcount
            if change.value is None and not deleted:
                return None
            event = (at, "run_input", flow_run_id, None, encode(change))
            cursor.execute(self._queries["add_events"], event_values(event))
            if change.value is None:
                return None
            seq = cursor.lastrowid or 0
            row = RunInputRow(seq, *found, change.value, change.sender, at)
            values = row._replace(value=encode(row.value).decode())  # pyright: ignore[reportArgumentType]
            cursor.execute(self._queries["put_input"], values)
            return row

    def get(self, flow_run_id: bytes, key: str) -> RunInputRow | None:
        """Return an input, or None."""
        found = self._database.read(self._queries["input"], [flow_run_id, key])
        return _row(found[0]) if found else None

    def find(
        self, flow_run_id: bytes, prefix: str = "", *, since: int = 0, limit: int = 1000
    ) -> Sequence[RunInputRow]:
        """Return a flow run's inputs whose key starts with the prefix, in order."""
        values = [flow_run_id, since, prefix, prefix, limit]
        return [
            _row(found)
            for found in self._database.read(self._queries["inputs"], values)
        ]


def _row(values: Sequence[Any]) -> RunInputRow:
    seq, flow_run_id, key, value, sender, at = values
    return RunInputRow(seq, flow_run_id, key, decode(value), sender, at)
