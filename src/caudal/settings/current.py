"""Which settings are in force: those of the process, or those of a block of code around this place."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from caudal.exceptions import ConfigurationError
from caudal.settings.declared import (
    SETTINGS,
    Settings,
    setting_key,
    working_directory,
)
from caudal.settings.profiles import Profiles, check_profile_entry
from caudal.settings.setting import Given, current
from caudal.settings.sources import (
    PROFILE_VARIABLE,
    from_files,
    from_variables,
    read_dotenv,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from pathlib import Path

    Entries = Iterable[tuple[str, Given]]


class Reading(NamedTuple):
    """What was read from the sources of settings."""

    #: What is given; a wrong value counts as not given.
    settings: Settings
    #: Name of the profile in use.
    profile: str
    #: What says so.
    chosen_by: str
    #: What is wrong, the strongest source last.
    errors: list[ConfigurationError]


def read_settings(
    environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> Reading:
    """Return the settings of a process as far as they can be used, and everything that is wrong with them.

    Args:
        environ: The environment variables.
        directory: Where the search for settings files starts; None is the working directory.
    """
    directory = (directory or working_directory()).absolute()
    errors: list[ConfigurationError] = []
    dotenv: dict[str, str] = {}
    with _noting(errors):
        dotenv = read_dotenv(directory)
    beside = _usable(from_files(directory), errors)
    beside |= _usable(from_variables(dotenv, directory, ".env"), errors)
    beside |= _usable(from_variables(environ, directory, "env"), errors)
    default = Given(Settings.home.default(), "default", directory)
    home = Settings.home.read(beside.get("home", default))
    profile = environ.get(PROFILE_VARIABLE) or dotenv.get(PROFILE_VARIABLE)
    source = PROFILE_VARIABLE
    given: dict[str, Given] = {}
    with _noting(errors):
        profiles = Profiles(home)
        if not profile:
            profile, source = profiles.active, f"'active' in {profiles.path}"
        given = _usable(profiles.entries(profile, source), errors, check_profile_entry)
    return Reading(Settings({**given, **beside}), profile or "", source, errors)


@contextmanager
def _noting(errors: list[ConfigurationError]) -> Generator[None]:
    """Add what is wrong with settings to a list instead of raising it."""
    try:
        yield
    except ConfigurationError as error:
        errors.append(error)


def _usable(
    entries: Entries,
    errors: list[ConfigurationError],
    check: Callable[[str, Given], None] | None = None,
) -> dict[str, Given]:
    """Return the entries of a source that are right, by key of the setting; note what is wrong with the others."""
    given: dict[str, Given] = {}
    with _noting(errors):  # a file that cannot be read
        for name, found in entries:
            with _noting(errors):
                key = setting_key(name, found.source.removesuffix(f" {name}"))
                if check is not None:
                    check(key, found)
                SETTINGS[key].read(found)
                given[key] = found
    return given


def load_settings(
    environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> Settings:
    """Return the settings of a process, read from its files and variables.

    Args:
        environ: The environment variables.
        directory: Where the search for settings files starts; None is the working directory.

    Raises:
        ProfileNotFoundError: There is no profile with the name of the one to use.
        SettingError: A setting does not take the value given for it.
        UnknownSettingError: There is no such setting.
        SettingsFileError: A settings file cannot be read.
    """
    reading = read_settings(environ, directory)
    for error in reading.errors:
        raise error
    return reading.settings


_loaded: list[Settings] = []
#: The settings of the innermost block around this place, None where there is none.
temporary: ContextVar[Settings | None] = ContextVar("caudal_settings", default=None)


def get_current_settings() -> Settings:
    """Return the settings in force here; files and variables are read once in a process."""
    settings = temporary.get()
    if settings is not None:
        return settings
    if not _loaded:
        _loaded.append(load_settings())
    return _loaded[0]


current.append(get_current_settings)


def exchange_settings(settings: Settings | None) -> Settings | None:
    """Give the process other settings, or None to have them read anew, and return those it had if they were read.

    Blocks of ``temporary_settings`` stay as they are.
    """
    before = _loaded[0] if _loaded else None
    _loaded[:] = [] if settings is None else [settings]
    return before


@contextmanager
def temporary_settings(
    updates: Mapping[Any, object] | None = None,
    set_defaults: Mapping[Any, object] | None = None,
    restore_defaults: Iterable[Any] | None = None,
) -> Generator[Settings]:
    """Give some settings other values within a ``with`` block, and for the runs that are made in it.

    Args:
        updates: Values by constant or name: ``{CAUDAL_LOGGING_LEVEL: "DEBUG"}``, ``{"logging_level": "DEBUG"}``.
        set_defaults: Values for settings that nothing has given.
        restore_defaults: Settings of which is forgotten what was given before.

    Raises:
        SettingError: A setting does not take the value given for it.
        UnknownSettingError: There is no such setting.
    """
    settings = get_current_settings().copy_with_update(
        updates, set_defaults, restore_defaults, source="temporary_settings"
    )
    with in_force(settings):
        yield settings


@contextmanager
def in_force(settings: Settings | None) -> Generator[None]:
    """Have settings in force within a ``with`` block; None is those of the process."""
    token = temporary.set(settings)
    try:
        yield
    finally:
        temporary.reset(token)
