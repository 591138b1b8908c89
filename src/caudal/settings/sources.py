"""Where settings are read from besides profiles: variables, and files of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from caudal.exceptions import SettingsFileError
from caudal.settings.setting import PREFIX, Given

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

#: The variable that names the profile to use.
PROFILE_VARIABLE = "CAUDAL_PROFILE"
#: Variables that caudal sets for its own processes.
_RESERVED_PREFIX = "CAUDAL__"


def from_variables(
    variables: Mapping[str, str], directory: Path, kind: str
) -> Generator[tuple[str, Given]]:
    """Yield what variables give, by name of the variable; those that are empty count as not set.

    Args:
        variables: The variables.
        directory: Where relative paths start.
        kind: What kind of variables they are.
    """
    for variable, text in variables.items():
        if (
            text
            and variable.startswith(PREFIX)
            and not variable.startswith(_RESERVED_PREFIX)
            and variable != PROFILE_VARIABLE
        ):
            yield variable, Given(text, f"{kind} {variable}", directory)


def read_dotenv(directory: Path) -> dict[str, str]:
    """Return caudal's variables from the file ``.env`` of a folder; other lines are not looked at.

    Raises:
        SettingsFileError: The file cannot be read.
    """
    file = directory / ".env"
    content = read_file(file)
    if content is None or PREFIX.encode() not in content:
        return {}
    try:
        lines = content.decode().splitlines()
    except ValueError as error:
        raise SettingsFileError(str(file), str(error)) from error
    variables: dict[str, str] = {}
    for line in lines:
        name, _, text = line.strip().removeprefix("export ").partition("=")
        if name.strip().startswith(PREFIX):
            variables[name.strip()] = _unquoted(text.strip())
    return variables


def _unquoted(text: str) -> str:
    """Return a value without quotes, or without the comment behind it."""
    if text[:1] in {"'", '"'} and text.find(text[0], 1) > 0:
        return text[1 : text.index(text[0], 1)]
    return "" if text.startswith("#") else text.partition(" #")[0].rstrip()


def from_files(directory: Path) -> Generator[tuple[str, Given]]:
    """Yield what the nearest settings file gives, from a folder upward.

    Raises:
        SettingsFileError: A settings file cannot be read.
    """
    for folder in (directory, *directory.parents):
        for file in (folder / "caudal.toml", folder / "pyproject.toml"):
            table = _table(file)
            if table is not None:
                yield from flattened(table, f"{file.name}: {file}", folder)
                return


def _table(file: Path) -> dict[str, object] | None:
    """Return the settings in a file, or None if it is not there or has none."""
    content = read_file(file)
    if content is None:
        return None
    in_project_file = file.name == "pyproject.toml"
    if in_project_file and b"caudal" not in content:
        return None  # and the parser is not imported
    table = parse_toml(file, content)
    for key in ("tool", "caudal") if in_project_file else ():
        inner = table.get(key)
        if inner is None:
            return None
        if not isinstance(inner, dict):
            raise SettingsFileError(str(file), f"{key!r} is not a table")
        table = cast("dict[str, object]", inner)
    return table


def read_file(file: Path) -> bytes | None:
    """Return what a file holds, or None if it is not there.

    Raises:
        SettingsFileError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise SettingsFileError(str(file), error.strerror or str(error)) from error


def parse_toml(file: Path, content: bytes) -> dict[str, object]:
    """Return what a file's content says.

    Raises:
        SettingsFileError: It is no TOML.
    """
    from tomllib import loads  # noqa: PLC0415 - only needed where there is a file

    try:
        return loads(content.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise SettingsFileError(str(file), str(error)) from error


def flattened(
    table: Mapping[str, object], source: str, base: Path, prefix: str = ""
) -> Generator[tuple[str, Given]]:
    """Yield what a table and the tables in it give, by name."""
    for key, value in table.items():
        if isinstance(value, dict):
            nested = cast("dict[str, object]", value)
            yield from flattened(nested, source, base, f"{prefix}{key}_")
        else:
            yield prefix + key, Given(value, source, base)
