"""Settings that cannot be used."""

from __future__ import annotations

from caudal.exceptions.root import ConfigurationError


def _nearest(name: str | None) -> str:
    return "" if name is None else f"; the nearest one is {name!r}"


class SettingError(ConfigurationError):
    """A setting has a value that it cannot take.

    Args:
        name: The setting.
        value: The value given.
        source: Where it was given.
        expected: What it takes.
    """

    name: str
    value: object
    source: str
    expected: str

    def __init__(self, name: str, value: object, source: str, expected: str) -> None:
        super().__init__(name, value, source, expected)
        self.name, self.value = name, value
        self.source, self.expected = source, expected

    def __str__(self) -> str:
        return f"setting {self.name!r} cannot be {self.value!r} (from {self.source}). It takes {self.expected}."


class UnknownSettingError(ConfigurationError):
    """There is no setting with the name that was given.

    Args:
        name: The name, as it was written.
        source: Where it was given.
        nearest: The known name that is like it, if one is.
    """

    name: str
    source: str
    nearest: str | None

    def __init__(self, name: str, source: str, nearest: str | None) -> None:
        super().__init__(name, source, nearest)
        self.name, self.source, self.nearest = name, source, nearest

    def __str__(self) -> str:
        return (
            f"there is no setting {self.name!r} (from {self.source}){_nearest(self.nearest)}. "
            "Correct or remove it; `caudal config view` lists every setting."
        )


class SettingsFileError(ConfigurationError):
    """A settings file cannot be read or written.

    Args:
        path: The file.
        reason: What is wrong with it.
    """

    path: str
    reason: str

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"settings file {self.path!r} cannot be used: {self.reason}. Correct it, or move it away."


class ProfileNotFoundError(ConfigurationError):
    """There is no profile with the name that was given.

    Args:
        name: The name.
        source: Where it was given.
        nearest: The known name that is like it, if one is.
    """

    name: str
    source: str
    nearest: str | None

    def __init__(self, name: str, source: str, nearest: str | None) -> None:
        super().__init__(name, source, nearest)
        self.name, self.source, self.nearest = name, source, nearest

    def __str__(self) -> str:
        return (
            f"there is no profile {self.name!r} (from {self.source}){_nearest(self.nearest)}. "
            "`caudal profile ls` lists them; `caudal profile create` makes one."
        )


class ProfileExistsError(ConfigurationError):
    """There is a profile with that name already.

    Args:
        name: The name.
    """

    name: str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"there is a profile {self.name!r} already. Take another name, or delete that one first."


class ProfileInUseError(ConfigurationError):
    """A profile that is in use cannot be deleted.

    Args:
        name: The name.
    """

    name: str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"profile {self.name!r} is in use. Choose another one first: caudal profile use NAME."
