"""Clients of the ledger, under the path that Prefect has for them."""

from caudal.client import get_client
from caudal.client.asynchronous import AsyncClient
from caudal.client.synchronous import SyncClient

__all__ = ["AsyncClient", "SyncClient", "get_client"]
