"""Blocks and their secrets."""

from __future__ import annotations

from caudal.exceptions.records import ObjectNotFound
from caudal.exceptions.root import CaudalError, ConfigurationError


class BlockNotFound(ObjectNotFound, ValueError):
    """There is no block of that type and name."""


class UnknownBlockType(CaudalError):
    """The class of a type of block is not imported.

    Args:
        slug: The type.
        path: Where its class was when the block was saved; empty when that is not known.
    """

    slug: str
    path: str

    def __init__(self, slug: str, path: str) -> None:
        super().__init__(slug, path)
        self.slug, self.path = slug, path

    def __str__(self) -> str:
        where = f" It was {self.path!r} when the block was saved." if self.path else ""
        return f"no class for blocks of the type {self.slug!r} is imported.{where} Import its module first."


class BlockNotLoadableError(CaudalError, ValueError):
    """What is kept of a block does not fit its class.

    Args:
        block: The block, as type and name.
        problems: One sentence for each value that does not fit; without the value, which may be secret.
    """

    block: str
    problems: tuple[str, ...]

    def __init__(self, block: str, problems: tuple[str, ...]) -> None:
        super().__init__(block, problems)
        self.block, self.problems = block, problems

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return (
            f"block {self.block!r} does not fit its class. Save it again with overwrite=True, or load it with validate=False "
            f"and set what is wrong.{lines}"
        )


class EncryptionKeyError(ConfigurationError):
    """The key for secrets cannot be used.

    Args:
        source: The file, or the setting.
        reason: What is wrong with it.
    """

    source: str
    reason: str

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source, self.reason = source, reason

    def __str__(self) -> str:
        return (
            f"the key for secrets cannot be used, {self.source}: {self.reason}. Restore the file, or give the key with "
            "CAUDAL_ENCRYPTION_KEY; without it, save the secrets again."
        )


class SecretNotReadableError(CaudalError):
    """A secret was encrypted with another key.

    Args:
        block: The block, as type and name.
    """

    block: str

    def __init__(self, block: str) -> None:
        super().__init__(block)
        self.block = block

    def __str__(self) -> str:
        return (
            f"the secrets of block {self.block!r} were encrypted with another key. Restore the file encryption.key in caudal's home, or "
            "CAUDAL_ENCRYPTION_KEY; or save the block again."
        )
