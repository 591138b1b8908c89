"""Profiles: named sets of settings in one file, of which one is in use.

The file ``profiles.toml`` in the home folder:

    active = "dev"

    [profiles.dev]
    CAUDAL_LOGGING_LEVEL = "DEBUG"

The profile ``default`` is always there, empty where the file does not have it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from caudal.exceptions import (
    ProfileExistsError,
    ProfileInUseError,
    ProfileNotFoundError,
    SettingError,
    SettingsFileError,
)
from caudal.settings.declared import SETTINGS, plain_key
from caudal.settings.setting import Given
from caudal.settings.sources import flattened, parse_toml, read_file

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: The profile that is always there.
DEFAULT_PROFILE = "default"


class Profiles:
    """The profiles of a file, as they are when it is read; ``edited_profiles`` changes the file.

    Args:
        home: The folder that the file is in; neither need be there.

    Raises:
        SettingsFileError: The file cannot be read.
    """

    def __init__(self, home: Path) -> None:
        self.path: Path = home / "profiles.toml"
        content = read_file(self.path)
        table = {} if content is None else parse_toml(self.path, content)
        active = table.pop("active", DEFAULT_PROFILE)
        profiles = table.pop("profiles", {})
        if not isinstance(active, str):
            raise SettingsFileError(
                str(self.path), "'active' is not the name of a profile"
            )
        if not isinstance(profiles, dict) or any(
            not isinstance(profile, dict)
            for profile in cast("dict[str, object]", profiles).values()
        ):
            raise SettingsFileError(
                str(self.path), "'profiles' is not a table of tables"
            )
        if table:
            raise SettingsFileError(str(self.path), f"{next(iter(table))!r} is neither 'active' nor 'profiles'")  # fmt: skip
        #: Name of the profile to use where nothing else says.
        self.active: str = active
        self._tables: dict[str, dict[str, object]] = {DEFAULT_PROFILE: {}}
        for name, given in cast("dict[str, dict[str, object]]", profiles).items():
            self._tables[name] = {written_name(key): found.value for key, found in flattened(given, "", home)}  # fmt: skip

    @property
    def names(self) -> list[str]:
        """The names of all profiles."""
        return list(self._tables)

    def values(self, name: str, source: str = "the command line") -> dict[str, object]:
        """Return what a profile gives, by environment variable; names that are no settings as they are written.

        Args:
            name: The profile.
            source: Where the name was given.

        Raises:
            ProfileNotFoundError: There is none with this name.
        """
        if name not in self._tables:
            from difflib import get_close_matches  # noqa: PLC0415 - only to explain

            nearest = [*get_close_matches(name, self._tables, n=1), None][0]
            raise ProfileNotFoundError(name, source, nearest)
        return self._tables[name]

    def entries(self, name: str, source: str) -> Generator[tuple[str, Given]]:
        """Yield what a profile gives, as sources of settings do.

        Raises:
            ProfileNotFoundError: There is none with this name.
        """
        yield from flattened(
            self.values(name, source), f"profile {name!r}: {self.path}", self.path.parent
        )  # fmt: skip

    def create(self, name: str, copied: str | None = None) -> None:
        """Add a profile, empty or a copy of another one.

        Raises:
            ProfileExistsError: There is one with this name.
            ProfileNotFoundError: There is none to copy.
        """
        if name in self._tables:
            raise ProfileExistsError(name)
        self._tables[name] = {} if copied is None else dict(self.values(copied))

    def use(self, name: str) -> None:
        """Make a profile the one to use.

        Raises:
            ProfileNotFoundError: There is none with this name.
        """
        self.values(name)
        self.active = name

    def rename(self, name: str, new_name: str) -> None:
        """Give a profile another name; it stays the one to use if it is.

        Raises:
            ProfileExistsError: There is one with the new name.
            ProfileNotFoundError: There is none with the old one.
        """
        values = self.values(name)
        if new_name in self._tables:
            raise ProfileExistsError(new_name)
        self._tables[new_name] = values
        del self._tables[name]
        if self.active == name:
            self.active = new_name

    def delete(self, name: str, in_use: str) -> None:
        """Remove a profile.

        Raises:
            ProfileInUseError: It is in use here, or the one to use.
            ProfileNotFoundError: There is none with this name.
        """
        self.values(name)
        if name in {in_use, self.active}:
            raise ProfileInUseError(name)
        del self._tables[name]

    def text(self) -> str:
        """Return what the file has to hold."""
        lines = [f"active = {_literal(self.active)}"]
        for name, values in self._tables.items():
            lines += ["", f"[profiles.{_key(name)}]"]
            lines += [f"{_key(key)} = {_literal(value)}" for key, value in values.items()]  # fmt: skip
        return "\n".join(lines) + "\n"


def check_profile_entry(key: str, found: Given) -> None:
    """Do nothing for a setting that a profile can give.

    Raises:
        SettingError: No profile can give it.
    """
    if key == "home":
        expected = "no value there, because profiles are kept in it; set the environment variable CAUDAL_HOME"
        raise SettingError(key, found.value, found.source, expected)
    if key == "encryption_key":
        expected = "no value there, because profiles are shown; set the environment variable CAUDAL_ENCRYPTION_KEY"
        raise SettingError(key, "********", found.source, expected)


@contextmanager
def edited_profiles(home: Path) -> Generator[Profiles]:
    """Give the profiles to change; the file is replaced when the block ends well, while no other process can.

    Raises:
        SettingsFileError: The file cannot be read or written.
    """
    import fcntl  # noqa: PLC0415 - only needed to write

    try:
        home.mkdir(parents=True, exist_ok=True)
        folder = os.open(home, os.O_RDONLY)
    except OSError as error:
        raise SettingsFileError(str(home), error.strerror or str(error)) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        profiles = Profiles(home)
        yield profiles
        _replace(profiles.path.resolve(), profiles.text())
    finally:
        os.close(folder)


def _replace(file: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old or the new content, whole."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.touch(0o600)
        fresh.write_text(text)
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SettingsFileError(str(file), error.strerror or str(error)) from error


def written_name(name: str) -> str:
    """Return how a profile's file calls a setting; a name that is none stays as it is."""
    setting = SETTINGS.get(plain_key(name))
    return name if setting is None else setting.name


def _key(name: str) -> str:
    """Return a name as a key of TOML."""
    is_bare = name.isascii() and name.replace("-", "_").isidentifier()
    return name if is_bare else _literal(name)


def _literal(value: object) -> str:
    """Return a value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(_literal, cast('list[object]', value)))}]"
        case _:
            import json  # noqa: PLC0415

            text = json.dumps(str(value), ensure_ascii=False)
            return text.replace("\x7f", "\\u007f")
