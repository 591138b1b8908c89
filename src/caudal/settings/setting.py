"""What a setting is: how it is declared, and how its value is read."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    Self,
    TypeVar,
    overload,
)

from caudal.exceptions import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

#: Finds the settings in force; the module ``caudal.settings.current`` puts its function here.
current: list[Callable[[], Any]] = []

#: What the environment variables of settings begin with.
PREFIX = "CAUDAL_"


class Given(NamedTuple):
    """A value for a setting, as it was written, and where."""

    value: object
    source: str
    #: The folder that relative paths start from.
    base: Path


class Setting(Generic[T]):
    """One setting: ``CAUDAL_HOME`` or ``Settings.home`` describes it, ``settings.home`` is its value.

    As a condition and as text it stands for the value in force.

    Args:
        parse: What it takes; see ``caudal.settings.parsing``.
        description: What it does, in one sentence.
        default: What applies when nothing is given, written as in a file; paths are relative to ``home``.
    """

    key: str

    def __init__(
        self,
        parse: Callable[[object, Path], T],
        description: str,
        *,
        default: object,
    ) -> None:
        #: Its name among the settings, such as ``home``.
        self.key = ""
        self.parse = parse
        self.description = description
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.key, self._owner = name, owner

    @property
    def name(self) -> str:
        """The environment variable that sets it, which is also the name of its constant."""
        return PREFIX + self.key.upper()

    def default(self) -> object:
        """Return what applies when nothing is given, as it would be written in a file."""
        return self._default

    def value(self) -> T:
        """Return the value in force here; see ``get_current_settings``."""
        return self.value_from(current[0]())

    def value_from(self, settings: object) -> T:
        """Return the value that it has in settings."""
        value: T = getattr(settings, self.key)
        return value

    def __bool__(self) -> bool:
        return bool(self.value())

    def __str__(self) -> str:
        return str(self.value())

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._owner, self.key)  # one and the same in every process

    @overload
    def __get__(self, settings: None, owner: type) -> Self: ...

    @overload
    def __get__(self, settings: object, owner: type) -> T: ...

    def __get__(self, settings: object, owner: type) -> Self | T:
        # A Settings object keeps its values in its __dict__, which comes before this method.
        return self

    def read(self, given: Given) -> T:
        """Return the value for what was given.

        Raises:
            SettingError: The setting does not take that.
        """
        try:
            return self.parse(given.value, given.base)
        except ValueError as error:
            raise SettingError(
                self.key, given.value, given.source, str(error)
            ) from None
