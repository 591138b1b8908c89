"""Checks an input against the JSON schema of its type: in a process that does not have the type itself."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Union, cast
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)

_FORMATS: dict[str, Any] = {
    "date": date,
    "date-time": datetime,
    "duration": timedelta,
    "time": time,
    "uuid": UUID,
}
_PLAIN: dict[str, Any] = {
    "boolean": bool,
    "integer": int,
    "null": None,
    "number": float,
    "string": str,
}
#: Keywords of JSON schema, and the constraints of pydantic that mean the same.
_CONSTRAINTS = {
    "exclusiveMaximum": "lt",
    "exclusiveMinimum": "gt",
    "maxItems": "max_length",
    "maxLength": "max_length",
    "maximum": "le",
    "minItems": "min_length",
    "minLength": "min_length",
    "minimum": "ge",
    "multipleOf": "multiple_of",
    "pattern": "pattern",
}
#: How deep a type that contains itself is followed.
_DEEPEST = 8


def problems_of(schema: dict[str, Any], value: Any) -> str | None:
    """Return what of a JSON-ready value does not fit a schema, or None.

    Args:
        schema: As pydantic makes it of a model. Keywords that it does not use are not looked at.
        value: The value.
    """
    kind = _Reader(schema.get("$defs", {})).read(schema)
    try:
        TypeAdapter(kind).validate_json(json.dumps(value, default=str))
    except ValidationError as error:
        return describe(error)
    return None


def jsonable_input(given: Any) -> Any:
    """Return an input as the JSON that is kept of it; models give their fields."""
    if isinstance(given, BaseModel):
        return given.model_dump(mode="json")
    return given


def describe(error: ValidationError) -> str:
    """Return what pydantic found, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'the input'}: {found['msg']}"
        for found in error.errors(include_url=False)
    )


class _Reader:
    """Makes types of schemas.

    Args:
        definitions: What references lead to, by name.
    """

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions

    def read(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Return the type of a schema."""
        if depth > _DEEPEST:
            return Any
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            return self.read(self._definitions.get(name, {}), depth + 1)
        if "const" in schema:
            return Literal[schema["const"]]
        if "enum" in schema:
            return Literal[tuple(schema["enum"])]
        several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if several:
            kinds = tuple(self.read(each, depth + 1) for each in several)
            return cast("Any", Union)[kinds]
        return self._constrained(self._plain(schema, depth), schema)

    def _plain(self, schema: dict[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return list[self.read(schema.get("items") or {}, depth + 1)]
            case "string":
                return _FORMATS.get(schema.get("format", ""), str)
            case kind:
                return _PLAIN.get(cast("str", kind), Any)

    def _object(self, schema: dict[str, Any], depth: int) -> Any:
        properties: dict[str, Any] | None = schema.get("properties")
        others: dict[str, Any] | bool = schema.get("additionalProperties", True)
        if properties is None:
            each = {} if isinstance(others, bool) else others
            return dict[str, self.read(each, depth + 1)]
        required = schema.get("required", ())
        fields: dict[str, Any] = {}
        for place, (name, of) in enumerate(properties.items()):
            default = ... if name in required else None
            kind = self.read(of, depth + 1)
            fields[f"field_{place}"] = (kind, Field(default, alias=name))
        extra = "forbid" if others is False else "allow"
        config = ConfigDict(extra=extra)
        return create_model(schema.get("title", "Input"), __config__=config, **fields)

    def _constrained(self, kind: Any, schema: dict[str, Any]) -> Any:
        given = {
            constraint: schema[keyword]
            for keyword, constraint in _CONSTRAINTS.items()
            if keyword in schema
        }
        if not given or kind in _FORMATS.values() or kind is Any:
            return kind
        return Annotated[kind, Field(**given)]
