"""Helps to test flows: a record of their runs that is gone after the test."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from caudal.client import get_client
from caudal.engine.composition import fresh_engine
from caudal.settings import (
    CAUDAL_HOME,
    CAUDAL_LEDGER_PATH,
    CAUDAL_RESULTS_LOCAL_STORAGE_PATH,
    CAUDAL_RESULTS_STORAGE_URL,
    IN_MEMORY,
    temporary_settings,
)
from caudal.settings.current import exchange_settings

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from caudal.client import SyncClient

__all__ = ["assert_does_not_warn", "caudal_test_harness", "exceptions_equal"]

for _name in ("caudal.app", "caudal.running", "caudal.ledger.memory"):
    import_module(_name)  # with this module, so that no test waits for it


@contextmanager
def caudal_test_harness(server_startup_timeout: Any = None) -> Generator[SyncClient]:
    """Have all runs of this process recorded in a ledger in memory within a ``with`` block, and give a client that reads it.

    It starts empty and is gone afterwards, like everything else that is kept: results, variables, what else lies in the
    home folder; a place that a flow or task names itself (``result_storage``) is used. Other settings stay as they are. It holds for every thread and event loop, and blocks may be nested.

    Args:
        server_startup_timeout: Accepted for compatibility; there is no server to wait for.
    """
    del server_startup_timeout
    with (
        TemporaryDirectory(prefix="caudal-test-", ignore_cleanup_errors=True) as home,
        temporary_settings(
            {CAUDAL_HOME: home, CAUDAL_LEDGER_PATH: IN_MEMORY},
            restore_defaults=[
                CAUDAL_RESULTS_LOCAL_STORAGE_PATH,
                CAUDAL_RESULTS_STORAGE_URL,
            ],
        ) as settings,
    ):
        before = exchange_settings(settings)
        try:
            with fresh_engine():
                yield get_client(sync_client=True)
        finally:
            exchange_settings(before)


def exceptions_equal(one: BaseException, other: BaseException) -> bool:
    """Say whether two exceptions are of the same type with the same arguments, as one is that came from another process."""
    return type(one) is type(other) and one.args == other.args


@contextmanager
def assert_does_not_warn(
    ignore_warnings: Sequence[type[Warning]] = (),
) -> Generator[None]:
    """Fail when a warning is issued within a ``with`` block.

    Args:
        ignore_warnings: Kinds of warnings that may be issued.

    Raises:
        AssertionError: There was another one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ignore_warnings:
            warnings.simplefilter("ignore", kind)
        try:
            yield
        except Warning as warning:
            msg = f"there was a warning: {warning!r}"
            raise AssertionError(msg) from warning
