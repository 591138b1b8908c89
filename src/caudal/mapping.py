"""The arguments of a mapped task: which are iterated over, and which every call shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from caudal.engine.inputs import resolve
from caudal.exceptions import MappingLengthMismatch, MappingMissingIterable
from caudal.futures import Future
from caudal.model.annotations import (
    Annotation,
    allow_failure,
    opaque,
    quote,
    unmapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from caudal.model.signatures import Binder


def mapped_calls(
    binder: Binder, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Yield the arguments of each call.

    Everything wrong with them is raised before the first call is yielded.

    Args:
        binder: Knows the task's parameters.
        args: Iterables of one length, and values that every call shares: what is no iterable, texts, and what is wrapped in ``unmapped``.
        kwargs: The same by name.

    Raises:
        ParameterBindError: The function cannot be called so.
        MappingMissingIterable: Nothing can be iterated over.
        MappingLengthMismatch: The iterables have different lengths.
        UpstreamTaskError: The run of a future that is to be iterated over did not complete.
    """
    binder.fits(args, kwargs)
    known = list(binder.positional)
    names = [
        *known[: len(args)],
        *(f"argument {place}" for place in range(len(known), len(args))),
        *kwargs,
    ]
    columns: list[Callable[[int], Any]] = []
    lengths: dict[str, int] = {}
    for name, value in zip(names, (*args, *kwargs.values()), strict=True):
        items = _items(value)
        if items is None:
            columns.append(_same(value))
        else:
            lengths[name] = len(items)
            columns.append(items.__getitem__)
    if not lengths:
        raise MappingMissingIterable(binder.name, tuple(names))
    if len(set(lengths.values())) > 1:
        raise MappingLengthMismatch(binder.name, lengths)
    return _calls(columns, len(args), tuple(kwargs), next(iter(lengths.values())))


def _calls(
    columns: list[Callable[[int], Any]], places: int, names: tuple[str, ...], count: int
) -> Generator[tuple[tuple[Any, ...], dict[str, Any]]]:
    by_place = columns[:places]
    by_name = list(zip(names, columns[places:], strict=True))
    for index in range(count):
        yield (
            tuple([column(index) for column in by_place]),
            {name: column(index) for name, column in by_name},
        )


def _same(value: Any) -> Callable[[int], Any]:
    shared: Any = value
    if isinstance(value, unmapped):
        shared = cast("Annotation[Any]", value).value
    return lambda _: shared


def _has_failed(value: Any) -> bool:
    if not isinstance(value, Future):
        return False
    future = cast("Future[Any]", value)
    future.wait()
    return not future.state.is_completed()


def _items(value: Any) -> Sequence[Any] | None:
    """Return the items of an argument that is iterated over, or None for one that every call shares."""
    if isinstance(value, (unmapped, str, bytes)):
        return None
    if isinstance(value, (allow_failure, opaque, quote)):
        wrapped = cast("Annotation[Any]", value)
        if isinstance(value, allow_failure) and _has_failed(wrapped.value):
            return None
        inner = _items(wrapped.value)
        return None if inner is None else [type(wrapped)(item) for item in inner]
    if isinstance(value, Future):
        future = cast("Future[Any]", value)
        future.wait()
        return _items(resolve(future))
    if isinstance(value, (list, tuple, range)):
        return cast("Sequence[Any]", value)
    return list(value) if hasattr(value, "__iter__") else None
