"""The composition root: from settings to an engine. It alone chooses implementations."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.composition import close_engine
from caudal.engine.engine import Engine
from caudal.exceptions import CaudalError, ConfigurationError, LedgerError
from caudal.runners.local import LocalRunner
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.ledger.sqlite.database import Durability
    from caudal.settings import Settings
    from caudal.storage.port import BlobStore


def make_engine(settings: Settings | None = None) -> Engine:
    """Return a new engine.

    Args:
        settings: What to build from; by default the current settings.

    Raises:
        LedgerError: The ledger cannot be opened.
    """
    settings = settings or get_current_settings()
    local = LocalRunner(settings.tasks_runner_thread_pool_max_workers)
    return Engine(
        open_ledger(settings), open_store(settings), settings, local, open_storage
    )


def compose() -> Engine:
    """Return the process's engine, which is closed when the process ends."""
    atexit.unregister(close_engine)
    atexit.register(close_engine)
    return make_engine()


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger that the settings name.

    Raises:
        LedgerError: It cannot be opened.
    """
    if str(settings.ledger_path) == ":memory:":
        from caudal.ledger.memory import MemoryLedger  # noqa: PLC0415 - one of two

        return MemoryLedger()
    from caudal.ledger.sqlite import SqliteLedger  # noqa: PLC0415 - one of two

    return SqliteLedger(
        settings.ledger_path,
        busy_timeout_seconds=settings.ledger_busy_timeout_seconds,
        durability=cast("Durability", settings.durability),
    )


def open_store(settings: Settings) -> BlobStore:
    """Open the store for large results that the settings name."""
    if settings.results_storage_url is not None:
        from caudal.storage.objects import ObjectStore  # noqa: PLC0415 - one of two

        return ObjectStore(settings.results_storage_url)
    from caudal.storage.local import LocalStore  # noqa: PLC0415 - one of two

    return LocalStore(
        settings.results_local_storage_path, fsync=settings.durability == "sync"
    )


def open_storage(given: Any) -> BlobStore:
    """Open what a flow, task or cache policy was given as a place for its results.

    Raises:
        ConfigurationError: It is no such place, or needs what is not installed.
    """
    from caudal.filesystems import resolve_storage  # noqa: PLC0415 - only where one is given
    from caudal.storage.filesystem import FileSystemStore  # noqa: PLC0415

    try:
        return FileSystemStore(resolve_storage(given))
    except (ConfigurationError, LedgerError):
        raise
    except CaudalError as error:  # a block that is not there or cannot be read
        raise ConfigurationError(
            f"{given!r} cannot be used as a place for results: {error}"
        ) from error
