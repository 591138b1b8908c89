"""Assets as values: their keys, what people read about them, and the facts that tasks add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from caudal.engine.context import require_run
from caudal.exceptions import AssetNotMadeError, InvalidValueError
from caudal.model.assets import checked_key
from caudal.model.jsonable import jsonable

if TYPE_CHECKING:
    from caudal.engine.live_task import LiveTask

#: The most characters of a description.
MAX_DESCRIPTION = 2500


@dataclass(frozen=True, kw_only=True)
class AssetProperties:
    """What people read about an asset.

    Raises:
        InvalidValueError: The description is too long.
    """

    name: str | None = None
    #: Where it can be seen.
    url: str | None = None
    description: str | None = None
    owners: list[str] | None = None

    def __post_init__(self) -> None:
        if len(self.description or "") > MAX_DESCRIPTION:
            given = f"{len(self.description or '')} characters"
            rule = f"It takes up to {MAX_DESCRIPTION}."
            raise InvalidValueError("the description of an asset", given, rule)


@dataclass(frozen=True)
class Asset:
    """Data outside of caudal, known by its address.

    Raises:
        InvalidNameError: The key is no address.
    """

    #: Such as ``s3://bucket/folder/sales.csv``.
    key: str
    properties: AssetProperties | None = None

    def __post_init__(self) -> None:
        checked_key(self.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Asset(key={self.key!r})"

    def add_metadata(self, metadata: dict[str, Any]) -> None:
        """Add facts about this asset; see `add_asset_metadata`."""
        add_asset_metadata(self, metadata)


def add_asset_metadata(asset: str | Asset, metadata: dict[str, Any]) -> None:
    """Add facts about an asset that the task in charge makes: rows, bytes, a version.

    They are recorded with the asset when the task run ends; later facts of the same name replace earlier ones.

    Args:
        asset: The asset, or its key.
        metadata: What JSON does not know becomes text.

    Raises:
        MissingContextError: No task is in charge here.
        AssetNotMadeError: The task does not make this asset.
        TypeError: The facts are no dict.
    """
    run = require_run("add_asset_metadata()")
    key = asset if isinstance(asset, str) else asset.key
    assets = None if run.spec is None else getattr(run.spec, "assets", None)
    made = () if assets is None else tuple(assets.made)
    if key not in made:
        raise AssetNotMadeError(key, made)
    if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users make mistakes
        msg = f"metadata of an asset is a dict of facts by name, not {metadata!r}"
        raise TypeError(msg)
    facts = {str(name): jsonable(value) for name, value in metadata.items()}
    cast("LiveTask", run).describe_asset(key, facts)
