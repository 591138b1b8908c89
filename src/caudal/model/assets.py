"""Assets as the engine knows them: keys of data outside of caudal, and what a task does with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from caudal.exceptions import InvalidNameError
from caudal.model.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The most characters of a key.
MAX_KEY = 512
_KEY = re.compile(r"[a-z0-9]+://[^\s\0#?&%\"'<>\[\]{}|\\^`]+")


class TaskAssets(NamedTuple):
    """What the runs of a task do with assets."""

    #: Keys of those they make, with their properties.
    made: dict[str, dict[str, Any] | None]
    #: Keys of those they need, beside what their inputs tell.
    needed: frozenset[str]
    #: The tool that makes them.
    by: str | None


def checked_key(key: Any) -> str:
    """Return the key of an asset.

    Raises:
        InvalidNameError: It cannot be one.
    """
    if isinstance(key, str) and len(key) <= MAX_KEY and _KEY.fullmatch(key):
        return key
    rule = (
        f"Give an address with a protocol in lower-case letters, such as 's3://bucket/folder/sales.csv', of up to {MAX_KEY} characters, "
        "without white space and without any of # ? & % \" ' < > [ ] { } | \\ ^ `."
    )
    raise InvalidNameError("an asset", str(key)[: 2 * MAX_KEY], rule)


def task_assets(
    made: Iterable[Any], needed: Iterable[Any], by: str | None
) -> TaskAssets | None:
    """Return what a task does with assets; None when it has nothing to do with any.

    Args:
        made: Assets, or their keys.
        needed: Assets, or their keys.
        by: The tool that makes them.

    Raises:
        InvalidNameError: A key cannot be one.
    """
    properties = {_key(asset): _properties(asset) for asset in made}
    needs = frozenset(map(_key, needed))
    return TaskAssets(properties, needs, by) if properties or needs else None


def _key(asset: Any) -> str:
    return checked_key(
        asset if isinstance(asset, str) else getattr(asset, "key", asset)
    )


def _properties(asset: Any) -> dict[str, Any] | None:
    given: Mapping[str, Any] | None = getattr(asset, "properties", None)
    if given is None:
        return None
    return {
        name: jsonable(value)
        for name, value in vars(given).items()
        if value is not None
    }
