"""Pickle: for everything that no plainer format takes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from caudal.storage.serializers.base import NamedSerializer, import_library

_PROTOCOL = 5
_TAKES_PROTOCOL = {"cloudpickle", "pickle", "dill"}


@dataclass(frozen=True)
class PickleSerializer(NamedSerializer):
    """Pickles, made by cloudpickle so that functions and classes of a script travel with their values.

    Args:
        picklelib: Import path of a library with ``dumps`` and ``loads``.
    """

    type = "pickle"
    picklelib: str = "cloudpickle"

    def __post_init__(self) -> None:
        if self.picklelib != "cloudpickle":
            import_library(self.picklelib, "dumps", "loads")

    def dumps(self, obj: Any) -> bytes:
        """Return the value as a pickle."""
        return _functions(self.picklelib)[0](obj)

    def loads(self, blob: bytes) -> Any:
        """Return the value that a pickle was made from; the pickle may run any code."""
        return _functions(self.picklelib)[1](blob)


@functools.cache
def _functions(picklelib: str) -> tuple[Any, Any]:
    library = import_library(picklelib, "dumps", "loads")
    if picklelib in _TAKES_PROTOCOL:
        return functools.partial(library.dumps, protocol=_PROTOCOL), library.loads
    return library.dumps, library.loads
