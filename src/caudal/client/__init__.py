"""Clients of the ledger: they read what is recorded, and ask things of flow runs."""

from __future__ import annotations

from typing import Literal, overload

from caudal.client.asynchronous import AsyncClient
from caudal.client.synchronous import SyncClient
from caudal.engine.composition import current_engine
from caudal.model.paging import MAX_LIMIT

__all__ = ["MAX_LIMIT", "AsyncClient", "SyncClient", "get_client"]


@overload
def get_client(*, sync_client: Literal[True] = True) -> SyncClient: ...
@overload
def get_client(*, sync_client: Literal[False]) -> AsyncClient: ...
def get_client(*, sync_client: bool = True) -> SyncClient | AsyncClient:
    """Return a client of the current ledger.

    ``with get_client() as client`` gives one whose methods block, ``async with get_client() as client`` one whose methods are awaited.

    Args:
        sync_client: False gives the latter at once.
    """
    client = SyncClient(current_engine())
    return client if sync_client else client.as_async()
