"""How results are turned into bytes and back: the formats to choose from, and the base class for your own.

Give one, or its name, as ``result_serializer``: ``"json"``, ``"pickle"``, ``"arrow"``, ``"npy"``, ``"compressed/pickle"``, ``"compressed/json"``. Without one, each
value gets the plainest format that is exact for it.
"""

from caudal.storage.serializers import (
    ArraySerializer,
    ArrowSerializer,
    AutoSerializer,
    CompressedJSONSerializer,
    CompressedPickleSerializer,
    CompressedSerializer,
    JSONSerializer,
    PickleSerializer,
    Serializer,
    json_object_decoder,
    json_object_encoder,
    resolve_serializer,
)

__all__ = [
    "ArraySerializer",
    "ArrowSerializer",
    "AutoSerializer",
    "CompressedJSONSerializer",
    "CompressedPickleSerializer",
    "CompressedSerializer",
    "JSONSerializer",
    "PickleSerializer",
    "Serializer",
    "json_object_decoder",
    "json_object_encoder",
    "resolve_serializer",
]
