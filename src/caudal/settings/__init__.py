"""What can be configured, and where each value comes from.

``Settings`` declares every setting once: its name, default, meaning and what it takes. Later sources win:

1. the default;
2. ``caudal.toml``, or else the table ``[tool.caudal]`` of ``pyproject.toml``, in the nearest folder that has
   either, from the working directory upward. Keys may be nested: ``results.inline_limit_bytes`` is
   ``results_inline_limit_bytes``;
3. the environment: ``CAUDAL_RESULTS_INLINE_LIMIT_BYTES``. An empty variable counts as not set, and names
   that begin with ``CAUDAL__`` belong to caudal itself;
4. ``temporary_settings`` around a block of code.

A relative path is relative to the file that names it, elsewhere to the working directory.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from caudal.settings.declared import SETTINGS, Setting, Settings, working_directory
from caudal.settings.parsing import IN_MEMORY
from caudal.settings.sources import from_environ, from_files

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

__all__ = [
    "IN_MEMORY",
    "SETTINGS",
    "Setting",
    "Settings",
    "get_current_settings",
    "load_settings",
    "temporary_settings",
]


def load_settings(
    environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> Settings:
    """Return the settings of a process, read from its files and environment.

    Args:
        environ: The environment variables.
        directory: Where the search for a settings file starts; None is the working directory.

    Raises:
        SettingError: A setting does not take the value given for it.
        UnknownSettingError: There is no such setting.
        SettingsFileError: A settings file cannot be read.
    """
    directory = (directory or working_directory()).absolute()
    return Settings({**from_files(directory), **from_environ(environ, directory)})


_loaded: list[Settings] = []
_temporary: ContextVar[Settings | None] = ContextVar("caudal_settings", default=None)


def get_current_settings() -> Settings:
    """Return the settings in force here; files and environment are read once in a process."""
    settings = _temporary.get()
    if settings is not None:
        return settings
    if not _loaded:
        _loaded.append(load_settings())
    return _loaded[0]


@contextmanager
def temporary_settings(updates: Mapping[str, object]) -> Generator[Settings]:
    """Give some settings other values within a ``with`` block.

    Args:
        updates: Values by name of the setting.
    """
    settings = get_current_settings().updated(updates, "temporary_settings")
    token = _temporary.set(settings)
    try:
        yield settings
    finally:
        _temporary.reset(token)
