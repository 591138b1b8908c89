"""NumPy arrays as ``.npy``, NumPy's own format: shape, order and type of every plain array are exact in it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from caudal.storage.serializers.base import NamedSerializer

_PLAIN_KINDS = frozenset("biufcmMSUV")


@dataclass(frozen=True)
class ArraySerializer(NamedSerializer):
    """The ``.npy`` format, without its pickles: arrays of Python objects are refused."""

    type = "npy"

    def dumps(self, obj: Any) -> bytes:
        """Return an array as ``.npy``."""
        numpy: Any = import_module("numpy")
        if type(obj) is not numpy.ndarray:
            raise TypeError("it is no plain numpy array")
        dtype = obj.dtype
        if dtype.hasobject or dtype.metadata or dtype.kind not in _PLAIN_KINDS:
            raise TypeError(f"an array of dtype {dtype} is not exact in .npy")
        file = io.BytesIO()
        numpy.lib.format.write_array(file, obj, allow_pickle=False)
        return file.getvalue()

    def loads(self, blob: bytes) -> Any:
        """Return the array; it is writable and owns its memory."""
        numpy: Any = import_module("numpy")
        return numpy.lib.format.read_array(io.BytesIO(blob), allow_pickle=False)
