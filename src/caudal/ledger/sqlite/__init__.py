"""The ledger in one SQLite file, shared by any number of processes."""

from caudal.ledger.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
