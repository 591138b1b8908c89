"""Clients of the ledger: they read what is recorded, and ask things of flow runs."""

from __future__ import annotations

from typing import Any, Literal, overload

from caudal.client.asynchronous import AsyncClient
from caudal.client.synchronous import SyncClient
from caudal.engine.composition import current_engine
from caudal.exceptions import ConfigurationError
from caudal.model.paging import MAX_LIMIT
from caudal.twins import can_await

__all__ = ["MAX_LIMIT", "AsyncClient", "SyncClient", "get_client"]


@overload
def get_client(
    httpx_settings: None = None, sync_client: Literal[True] | None = None
) -> SyncClient: ...
@overload
def get_client(
    httpx_settings: None = None, *, sync_client: Literal[False]
) -> AsyncClient: ...
def get_client(
    httpx_settings: Any = None,
    sync_client: bool | None = None,  # noqa: FBT001 - Prefect's signature
) -> SyncClient | AsyncClient:
    """Return a client of the current ledger: one whose methods block, or, where the caller can await, one whose methods are awaited.

    ``with get_client() as client`` gives the former anywhere, ``async with get_client() as client`` the latter.

    Args:
        httpx_settings: Accepted when it is None: there is no HTTP.
        sync_client: True gives the former at once, False the latter.

    Raises:
        ConfigurationError: There are settings for HTTP.
    """
    if httpx_settings is not None:
        msg = f"get_client() reads the ledger itself and has no use for httpx_settings={httpx_settings!r}. Leave them out."
        raise ConfigurationError(msg)
    client = SyncClient(current_engine())
    blocks = not can_await() if sync_client is None else sync_client
    return client if blocks else client.as_async()
