"""Assets."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError


class AssetNotMadeError(CaudalError, ValueError):
    """Metadata was given for an asset that the task does not make.

    Args:
        key: The asset.
        made: Keys of those that the task makes.
    """

    key: str
    made: tuple[str, ...]

    def __init__(self, key: str, made: tuple[str, ...]) -> None:
        super().__init__(key, made)
        self.key, self.made = key, made

    def __str__(self) -> str:
        makes = ", ".join(map(repr, self.made)) or "no assets"
        return f"metadata of asset {self.key!r} cannot be recorded here: the code that is running makes {makes}. Name the asset in @materialize(...)."
