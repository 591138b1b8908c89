"""Assets: data outside of caudal that tasks make, and what it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, cast

from caudal.engine.context import require_run
from caudal.exceptions import AssetNotMadeError, InvalidValueError
from caudal.model.assets import checked_key
from caudal.model.jsonable import jsonable
from caudal.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.engine.live_task import LiveTask

__all__ = [
    "Asset",
    "AssetProperties",
    "MaterializingTask",
    "add_asset_metadata",
    "materialize",
]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

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


class MaterializingTask(Task[P, R_co]):
    """A task that makes assets; made by `materialize`."""

    defaults: ClassVar[dict[str, Any]] = {
        **Task.defaults,
        "assets": (),
        "materialized_by": None,
    }

    @property
    def assets(self) -> list[Asset]:
        """What its runs make."""
        given: list[str | Asset] = list(self.options["assets"])
        return [Asset(each) if isinstance(each, str) else each for each in given]

    @property
    def materialized_by(self) -> str | None:
        """The tool that makes them."""
        return self.options["materialized_by"]


def add_asset_metadata(asset: str | Asset, metadata: dict[str, Any]) -> None:
    """Add facts about an asset that the task in charge makes: rows, bytes, a version.

    They are recorded with the asset when the task run ends; later facts of the same name replace earlier ones.

    Args:
        asset: The asset, or its key.
        metadata: What JSON does not know becomes text.

    Raises:
        MissingContextError: No task is in charge here.
        AssetNotMadeError: The task does not make this asset.
    """
    run = require_run("add_asset_metadata()")
    key = asset if isinstance(asset, str) else asset.key
    assets = None if run.spec is None else getattr(run.spec, "assets", None)
    made = () if assets is None else tuple(assets.made)
    if key not in made:
        raise AssetNotMadeError(key, made)
    facts = {str(name): jsonable(value) for name, value in metadata.items()}
    cast("LiveTask", run).describe_asset(key, facts)


def materialize(
    *assets: str | Asset, by: str | None = None, **task_kwargs: Any
) -> Callable[[Callable[P, R]], MaterializingTask[P, R]]:
    """Make a function a task that makes assets: each run that calls it is recorded with them and with what they were made of.

    Args:
        assets: The assets, or their keys.
        by: The tool that makes them, such as ``dbt``.
        task_kwargs: Options of ``@task``.

    Raises:
        TypeError: No asset is given.
        InvalidNameError: A key is no address.
    """
    if not assets or callable(assets[0]):
        msg = "@materialize needs the assets that the task makes: @materialize('s3://bucket/sales.csv')"
        raise TypeError(msg)
    options = {**task_kwargs, "assets": assets, "materialized_by": by}
    return partial(MaterializingTask[P, R], **options)
