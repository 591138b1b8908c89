"""Assets: data outside of caudal that tasks make, and what it was made of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TypeVar, Unpack

from caudal.asset_values import Asset, AssetProperties, add_asset_metadata
from caudal.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from caudal.task_options import TaskOptions

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


class MaterializingTask(Task[P, R_co]):
    """A task that makes assets; made by `materialize`."""

    defaults: ClassVar[dict[str, Any]] = {
        **Task.defaults,
        "assets": (),
        "materialized_by": None,
    }

    def with_options(self, **options: Any) -> Self:
        """Return the same with some options changed, ``by`` among them; see `materialize`."""
        by = options.pop("by", None)
        return self.changed({**options, "materialized_by": by})

    @property
    def assets(self) -> list[Asset]:
        """What its runs make."""
        given: list[str | Asset] = list(self.options["assets"])
        return [Asset(each) if isinstance(each, str) else each for each in given]

    @property
    def materialized_by(self) -> str | None:
        """The tool that makes them."""
        return self.options["materialized_by"]


def materialize(
    *assets: str | Asset, by: str | None = None, **task_kwargs: Unpack[TaskOptions]
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
