"""Marks that a caller puts around an argument to say how a task is to treat it."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

T = TypeVar("T")


class Annotation(Generic[T]):
    """A marked value.

    Args:
        value: The value.
    """

    __slots__ = ("value",)

    value: T

    def __init__(self, value: T) -> None:
        self.value = value

    def unwrap(self) -> T:
        """Return the value without its mark."""
        return self.value

    def __eq__(self, other: object) -> bool:
        """Compare mark and value."""
        return type(self) is type(other) and self.value == getattr(other, "value", None)

    __hash__: ClassVar[None]  # pyright: ignore[reportIncompatibleMethodOverride] - as mutable as its value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class unmapped(Annotation[T]):  # noqa: N801 - reads as a function where it is used
    """A value that every call of a ``map`` gets whole.

    Args:
        value: The value.
    """

    __slots__ = ()

    def __getitem__(self, _: object) -> T:
        """Return the value, whatever the index."""
        return self.value


class allow_failure(Annotation[T]):  # noqa: N801
    """An input whose failure does not keep the task from running: the task gets the exception instead.

    Args:
        value: A future, a state, or a container of them.
    """

    __slots__ = ()


class quote(Annotation[T]):  # noqa: N801
    """A value that is passed on as it is, without a look for futures in it.

    Args:
        value: The value.
    """

    __slots__ = ()

    def unquote(self) -> T:
        """Return the value without its mark."""
        return self.value


class opaque(Annotation[T]):  # noqa: N801
    """A value that is not looked into: a future or a state is replaced by its result, and one further inside stays as it is.

    Args:
        value: The value.
    """

    __slots__ = ()
