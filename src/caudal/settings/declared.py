"""Every setting, declared once: what it takes, what it does and its default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from caudal.exceptions import SettingError, UnknownSettingError
from caudal.settings import parsing
from caudal.settings.setting import PREFIX, Given, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Settings:
    """The value of every setting; made by ``load_settings`` and never changed.

    Args:
        given: What was given, by name of the setting; the rest has its default.

    Raises:
        SettingError: A setting does not take the value given for it.
        UnknownSettingError: There is no such setting.
    """

    home: Setting[Path] = Setting(
        parsing.path,
        "Folder for everything caudal keeps on this machine.",
        default="~/.caudal",
    )

    ledger_path: Setting[str] = Setting(
        parsing.ledger_path,
        "File of the ledger; ':memory:' keeps it in memory for the life of the process.",
        default="caudal.db",
    )
    ledger_busy_timeout_seconds: Setting[float] = Setting(
        parsing.seconds,
        "How long to wait for a ledger that another process has locked.",
        default=30.0,
    )
    ledger_flush_interval_seconds: Setting[float] = Setting(
        parsing.seconds,
        "The longest time that an event waits to be written.",
        default=0.05,
    )
    encryption_key: Setting[parsing.Hidden | None] = Setting(
        parsing.secret,
        "Key for secrets in blocks, 32 bytes in URL-safe base 64; without it the file encryption.key in 'home' is made and used.",
        default=None,
    )
    durability: Setting[str] = Setting(
        parsing.choice("async", "commit", "sync"),
        "What the record of a flow call that has returned survives: 'async' nothing for a moment, since the call does not wait for it, "
        "'commit' the death of the process, 'sync' a power failure.",
        default="commit",
    )
    lease_seconds: Setting[float] = Setting(
        parsing.positive_seconds,
        "How long a process may stay silent before others take its flow runs for crashed.",
        default=10.0,
    )
    recovery_limit: Setting[int] = Setting(
        parsing.count,
        "How often a durable flow run whose process was lost is taken up again by itself.",
        default=3,
    )
    recovery_in_background: Setting[bool] = Setting(
        parsing.switch,
        "Have a process that runs durable flows go on with lost runs of the same files, too, each in a process of its own.",
        default=True,
    )
    resume_mismatch: Setting[str] = Setting(
        parsing.choice("rerun", "error"),
        "What a resumed flow run does where its calls differ from those on record: 'rerun' warns and calls the function, "
        "'error' stops.",
        default="rerun",
    )

    results_persist_by_default: Setting[bool] = Setting(
        parsing.switch,
        "Store the results of flows and tasks that do not say.",
        default=False,
    )
    results_default_serializer: Setting[str] = Setting(
        parsing.text,
        "Serializer of stored results; 'auto' chooses one by type.",
        default="auto",
    )
    results_local_storage_path: Setting[Path] = Setting(
        parsing.path,
        "Folder for stored results that are too large for the ledger.",
        default="storage",
    )
    results_storage_url: Setting[str | None] = Setting(
        parsing.bucket,
        "Bucket for stored results that are too large for the ledger, in place of 'results_local_storage_path'.",
        default=None,
    )
    results_inline_limit_bytes: Setting[int] = Setting(
        parsing.count,
        "Largest encoded result that is kept in the ledger itself.",
        default=8192,
    )

    tasks_inputs_limit_bytes: Setting[int] = Setting(
        parsing.count,
        "Largest pickled arguments of a task run that failed, or of a durable flow, that are kept for `caudal task-run replay`; 0 keeps none.",
        default=1_048_576,
    )

    logging_level: Setting[str] = Setting(
        parsing.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        "Least severe log records that are shown and recorded.",
        default="INFO",
    )
    logging_log_prints: Setting[bool] = Setting(
        parsing.switch,
        "Log what flows and tasks print, where they do not say.",
        default=False,
    )
    logging_colors: Setting[bool] = Setting(
        parsing.switch, "Color log lines on a terminal.", default=True
    )
    logging_format: Setting[str] = Setting(
        parsing.choice("console", "json"),
        "Shape of log lines on the terminal.",
        default="console",
    )

    tasks_default_retries: Setting[int] = Setting(
        parsing.count, "Retries of tasks that do not say how many.", default=0
    )
    tasks_default_retry_delay_seconds: Setting[float | list[float]] = Setting(
        parsing.delays, "Delay before each retry of tasks that do not say.", default=0.0
    )
    tasks_refresh_cache: Setting[bool] = Setting(
        parsing.switch,
        "Ignore and replace stored results of tasks that do not say.",
        default=False,
    )
    tasks_disable_caching: Setting[bool] = Setting(
        parsing.switch,
        "Neither read nor write the cache, whatever a task says.",
        default=False,
    )
    tasks_runner_thread_pool_max_workers: Setting[int | None] = Setting(
        parsing.workers,
        "Threads of a thread task runner that does not say how many.",
        default=None,
    )
    tasks_runner_process_pool_max_workers: Setting[int | None] = Setting(
        parsing.workers,
        "Processes of a process task runner that does not say how many.",
        default=None,
    )

    flows_default_retries: Setting[int] = Setting(
        parsing.count, "Retries of flows that do not say how many.", default=0
    )
    flows_default_retry_delay_seconds: Setting[float] = Setting(
        parsing.seconds,
        "Delay before each retry of flows that do not say.",
        default=0.0,
    )

    def __init__(self, given: Mapping[str, Given] | None = None) -> None:
        self._given: Mapping[str, Given]
        values = vars(self)
        values["_given"] = dict(given or {})
        for name, found in self._given.items():
            if name not in SETTINGS:
                raise unknown_setting(name, found.source)
        for name, setting in SETTINGS.items():
            base = values.get("home", Path("/"))
            values[name] = setting.read(
                self._given.get(name) or Given(setting.default(), "default", base)
            )

    def source(self, name: str) -> str:
        """Return where a setting's value comes from: ``default``, ``caudal.toml: PATH``, ``env CAUDAL_HOME``.

        Raises:
            UnknownSettingError: There is no such setting.
        """
        if name not in SETTINGS:
            raise unknown_setting(name, "code")
        return self._given[name].source if name in self._given else "default"

    def copy_with_update(
        self,
        updates: Mapping[Any, object] | None = None,
        set_defaults: Mapping[Any, object] | None = None,
        restore_defaults: Iterable[Any] | None = None,
        *,
        source: str = "code",
    ) -> Settings:
        """Return these settings with some of them given anew.

        Args:
            updates: Values by constant or name, as typed values or as text.
            set_defaults: Values for settings that were not given.
            restore_defaults: Settings of which is forgotten what was given before.
            source: Where the values come from.

        Raises:
            SettingError: A setting does not take the value given for it.
            UnknownSettingError: There is no such setting.
        """
        base = working_directory()

        def anew(values: Mapping[Any, object] | None) -> dict[str, Given]:
            return {
                setting_key(name, source): Given(value, source, base)
                for name, value in (values or {}).items()
            }

        kept = dict(self._given)
        for name in restore_defaults or ():
            kept.pop(setting_key(name, source), None)
        return Settings({**anew(set_defaults), **kept, **anew(updates)})

    def require_engine_of(self, other: Settings) -> None:
        """Do nothing when an engine made from other settings is the one that these ask for.

        Raises:
            SettingError: They ask for another one.
        """
        for key in ENGINE_SETTINGS:
            made, value = getattr(other, key), getattr(self, key)
            if made != value:
                expected = f"only {made!r} here by now: the engine is made. Use a process of its own, or in tests caudal_test_harness"
                raise SettingError(key, value, self.source(key), expected)

    def with_engine_of(self, other: Settings) -> Settings:
        """Return these settings with what an engine is made from as other settings have it."""
        given = {key: found for key, found in self._given.items() if key not in ENGINE_SETTINGS}  # fmt: skip
        for key in ENGINE_SETTINGS:
            given[key] = Given(getattr(other, key), other.source(key), Path("/"))
        return Settings(given)

    def __getattr__(self, name: str) -> SettingsGroup:
        """Return the settings whose names begin alike, so that ``settings.results.persist_by_default`` is one."""
        if not any(each.startswith(f"{name}_") for each in SETTINGS):
            msg = f"there is no setting {name!r}, and none that begins so"
            raise AttributeError(msg)
        return SettingsGroup(self, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"settings cannot be changed; use temporary_settings({{{name!r}: {value!r}}}) around the code"
        raise AttributeError(msg)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._given)
        return f"Settings({', '.join(shown)})"


class SettingsGroup:
    """Settings whose names begin alike, under the rest of their names.

    Args:
        settings: All settings.
        start: What the names begin with.
    """

    __slots__ = ("_settings", "_start")

    def __init__(self, settings: Settings, start: str) -> None:
        self._settings, self._start = settings, start

    def __getattr__(self, name: str) -> Any:
        """Return a setting's value, or a smaller group."""
        return getattr(self._settings, f"{self._start}_{name}")


#: Every setting by its name.
SETTINGS: Mapping[str, Setting[Any]] = {
    name: cast("Setting[Any]", setting)
    for name, setting in vars(Settings).items()
    if isinstance(setting, Setting)
}


#: What an engine is made from; these settings cannot change while there is one.
ENGINE_SETTINGS = (
    "home",
    "ledger_path",
    "ledger_busy_timeout_seconds",
    "ledger_flush_interval_seconds",
    "durability",
    "lease_seconds",
    "results_local_storage_path",
    "results_storage_url",
)


def setting_key(name: object, source: str) -> str:
    """Return the key of the setting that is meant by a constant, ``CAUDAL_HOME``, ``home`` or ``results.persist_by_default``.

    Raises:
        UnknownSettingError: There is no such setting.
    """
    written = name.name if isinstance(name, Setting) else str(name)
    key = plain_key(written)
    if key not in SETTINGS:
        raise unknown_setting(written, source)
    return key


def plain_key(name: str) -> str:
    """Return a name as the key that it would be, whether or not there is such a setting."""
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX).lower()
    return name.replace(".", "_")


def unknown_setting(name: str, source: str) -> UnknownSettingError:
    """Return the error for a name that is no setting, with the known name that is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed to explain

    found = get_close_matches(plain_key(name), SETTINGS, n=1)
    nearest = found[0] if found else None
    if nearest is not None and name.startswith(PREFIX):
        nearest = SETTINGS[nearest].name
    return UnknownSettingError(name, source, nearest)


def working_directory() -> Path:
    """Return the working directory, or the root folder where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")
