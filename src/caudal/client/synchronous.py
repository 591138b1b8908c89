"""The client whose methods block."""

from __future__ import annotations

from typing import Self

from caudal.client.asynchronous import AsyncClient
from caudal.client.operations import Operations


class SyncClient(Operations):
    """Reads the ledger and asks things of flow runs; in ``async with`` it gives the client whose methods are awaited."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> AsyncClient:
        return self.as_async()

    async def __aexit__(self, *_: object) -> None:
        pass

    def as_async(self) -> AsyncClient:
        """Return the client whose methods are awaited."""
        return AsyncClient(self)
