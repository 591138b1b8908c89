"""Where settings are read from: files and environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from caudal.exceptions import SettingsFileError
from caudal.settings.declared import PREFIX, SETTINGS, Given, unknown_setting

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

#: Variables that caudal sets for its own processes.
_RESERVED_PREFIX = "CAUDAL__"


def from_environ(environ: Mapping[str, str], directory: Path) -> dict[str, Given]:
    """Return the settings that environment variables give.

    Raises:
        UnknownSettingError: A variable has the name of no setting.
    """
    known = {setting.env_name: name for name, setting in SETTINGS.items()}
    given: dict[str, Given] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(_RESERVED_PREFIX):
            continue
        if variable not in known:
            raise unknown_setting(variable, "the environment")
        if text:
            given[known[variable]] = Given(text, f"env {variable}", directory)
    return given


def from_files(directory: Path) -> dict[str, Given]:
    """Return the settings that the nearest settings file gives, from a folder upward.

    Raises:
        SettingsFileError: A settings file cannot be read.
    """
    for folder in (directory, *directory.parents):
        for file in (folder / "caudal.toml", folder / "pyproject.toml"):
            table = _table(file)
            if table is not None:
                return dict(_flattened(table, "", f"{file.name}: {file}", folder))
    return {}


def _table(file: Path) -> dict[str, object] | None:
    """Return the settings in a file, or None if it is not there or has none."""
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise SettingsFileError(str(file), error.strerror or str(error)) from error
    in_project_file = file.name == "pyproject.toml"
    if in_project_file and b"caudal" not in content:
        return None  # and the parser is not imported
    from tomllib import loads  # noqa: PLC0415 - only needed where there is a file

    try:
        table: object = loads(content.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise SettingsFileError(str(file), str(error)) from error
    for key in ("tool", "caudal") if in_project_file else ():
        table = cast("dict[str, object]", table).get(key)
        if table is None:
            return None
        if not isinstance(table, dict):
            raise SettingsFileError(str(file), f"{key!r} is not a table")
    return cast("dict[str, object]", table)


def _flattened(
    table: Mapping[str, object], prefix: str, source: str, base: Path
) -> Generator[tuple[str, Given]]:
    for key, value in table.items():
        if isinstance(value, dict):
            nested = cast("dict[str, object]", value)
            yield from _flattened(nested, f"{prefix}{key}_", source, base)
        else:
            yield prefix + key, Given(value, source, base)
