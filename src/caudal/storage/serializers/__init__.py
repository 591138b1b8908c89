"""Serializers: JSON where it is exact, Arrow for frames, ``.npy`` for arrays, pickle for the rest."""

from caudal.storage.serializers.array_format import ArraySerializer
from caudal.storage.serializers.arrow_format import ArrowSerializer
from caudal.storage.serializers.base import Serializer, dump, load, type_name
from caudal.storage.serializers.choice import (
    AutoSerializer,
    CompressedJSONSerializer,
    CompressedPickleSerializer,
    CompressedSerializer,
    resolve_serializer,
    serializer_for,
)
from caudal.storage.serializers.json_format import (
    JSONSerializer,
    is_exact_json,
    json_object_decoder,
    json_object_encoder,
)
from caudal.storage.serializers.pickle_format import PickleSerializer

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
    "dump",
    "is_exact_json",
    "json_object_decoder",
    "json_object_encoder",
    "load",
    "resolve_serializer",
    "serializer_for",
    "type_name",
]
