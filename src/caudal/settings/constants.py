"""A constant for each setting, with which code asks for its value: ``CAUDAL_LOGGING_LEVEL.value()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.settings.declared import Settings
from caudal.settings.setting import Setting

if TYPE_CHECKING:
    from pathlib import Path

    from caudal.settings.parsing import Hidden

__all__ = [
    "CAUDAL_DURABILITY",
    "CAUDAL_ENCRYPTION_KEY",
    "CAUDAL_FLOWS_DEFAULT_RETRIES",
    "CAUDAL_FLOWS_DEFAULT_RETRY_DELAY_SECONDS",
    "CAUDAL_HOME",
    "CAUDAL_LEASE_SECONDS",
    "CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS",
    "CAUDAL_LEDGER_FLUSH_INTERVAL_SECONDS",
    "CAUDAL_LEDGER_PATH",
    "CAUDAL_LOGGING_COLORS",
    "CAUDAL_LOGGING_FORMAT",
    "CAUDAL_LOGGING_LEVEL",
    "CAUDAL_LOGGING_LOG_PRINTS",
    "CAUDAL_RECOVERY_IN_BACKGROUND",
    "CAUDAL_RECOVERY_LIMIT",
    "CAUDAL_RESULTS_DEFAULT_SERIALIZER",
    "CAUDAL_RESULTS_INLINE_LIMIT_BYTES",
    "CAUDAL_RESULTS_LOCAL_STORAGE_PATH",
    "CAUDAL_RESULTS_PERSIST_BY_DEFAULT",
    "CAUDAL_RESULTS_STORAGE_URL",
    "CAUDAL_RESUME_MISMATCH",
    "CAUDAL_TASKS_DEFAULT_RETRIES",
    "CAUDAL_TASKS_DEFAULT_RETRY_DELAY_SECONDS",
    "CAUDAL_TASKS_DISABLE_CACHING",
    "CAUDAL_TASKS_INPUTS_LIMIT_BYTES",
    "CAUDAL_TASKS_REFRESH_CACHE",
    "CAUDAL_TASKS_RUNNER_PROCESS_POOL_MAX_WORKERS",
    "CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS",
]

CAUDAL_HOME: Setting[Path] = Settings.home
CAUDAL_LEDGER_PATH: Setting[str] = Settings.ledger_path
CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS: Setting[float] = (
    Settings.ledger_busy_timeout_seconds
)
CAUDAL_LEDGER_FLUSH_INTERVAL_SECONDS: Setting[float] = (
    Settings.ledger_flush_interval_seconds
)
CAUDAL_ENCRYPTION_KEY: Setting[Hidden | None] = Settings.encryption_key
CAUDAL_DURABILITY: Setting[str] = Settings.durability
CAUDAL_LEASE_SECONDS: Setting[float] = Settings.lease_seconds
CAUDAL_RECOVERY_LIMIT: Setting[int] = Settings.recovery_limit
CAUDAL_RECOVERY_IN_BACKGROUND: Setting[bool] = Settings.recovery_in_background
CAUDAL_RESUME_MISMATCH: Setting[str] = Settings.resume_mismatch
CAUDAL_RESULTS_PERSIST_BY_DEFAULT: Setting[bool] = Settings.results_persist_by_default
CAUDAL_RESULTS_DEFAULT_SERIALIZER: Setting[str] = Settings.results_default_serializer
CAUDAL_RESULTS_LOCAL_STORAGE_PATH: Setting[Path] = Settings.results_local_storage_path
CAUDAL_RESULTS_STORAGE_URL: Setting[str | None] = Settings.results_storage_url
CAUDAL_RESULTS_INLINE_LIMIT_BYTES: Setting[int] = Settings.results_inline_limit_bytes
CAUDAL_LOGGING_LEVEL: Setting[str] = Settings.logging_level
CAUDAL_LOGGING_LOG_PRINTS: Setting[bool] = Settings.logging_log_prints
CAUDAL_LOGGING_COLORS: Setting[bool] = Settings.logging_colors
CAUDAL_LOGGING_FORMAT: Setting[str] = Settings.logging_format
CAUDAL_TASKS_DEFAULT_RETRIES: Setting[int] = Settings.tasks_default_retries
CAUDAL_TASKS_DEFAULT_RETRY_DELAY_SECONDS: Setting[float | list[float]] = (
    Settings.tasks_default_retry_delay_seconds
)
CAUDAL_TASKS_REFRESH_CACHE: Setting[bool] = Settings.tasks_refresh_cache
CAUDAL_TASKS_DISABLE_CACHING: Setting[bool] = Settings.tasks_disable_caching
CAUDAL_TASKS_INPUTS_LIMIT_BYTES: Setting[int] = Settings.tasks_inputs_limit_bytes
CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS: Setting[int | None] = (
    Settings.tasks_runner_thread_pool_max_workers
)
CAUDAL_TASKS_RUNNER_PROCESS_POOL_MAX_WORKERS: Setting[int | None] = (
    Settings.tasks_runner_process_pool_max_workers
)
CAUDAL_FLOWS_DEFAULT_RETRIES: Setting[int] = Settings.flows_default_retries
CAUDAL_FLOWS_DEFAULT_RETRY_DELAY_SECONDS: Setting[float] = (
    Settings.flows_default_retry_delay_seconds
)
