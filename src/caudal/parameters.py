"""What a function's parameters are, as a JSON schema."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pydantic import ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import PydanticJsonSchemaWarning

from caudal.engine.validation import hints_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ParameterSchema", "parameter_schema"]


@dataclass
class ParameterSchema:
    """A JSON schema of an object whose properties are the parameters, each with its ``position``."""

    title: str = "Parameters"
    type: str = "object"
    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    #: Names of those without a default.
    required: list[str] = field(default_factory=list[str])
    #: Schemas of models among the type hints.
    definitions: dict[str, Any] = field(default_factory=dict[str, Any])

    def model_dump(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def parameter_schema(fn: Callable[..., Any]) -> ParameterSchema:
    """Return the schema of a function's parameters; one without a type hint, or with a hint that JSON does not know, takes anything."""
    schema = ParameterSchema()
    hints = hints_of(fn)
    for position, parameter in enumerate(inspect.signature(fn).parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = parameter.name
        default = ... if parameter.default is parameter.empty else parameter.default
        about = _about(hints.get(name, Any), default)
        schema.definitions.update(about.get("$defs", {}))
        schema.properties[name] = {
            **about["properties"]["value"],
            "position": position,
            "title": name,
        }
        if default is ...:
            schema.required.append(name)
    return schema


def _about(hint: Any, default: Any) -> dict[str, Any]:
    """Return the schema of a model with one field."""
    config = ConfigDict(arbitrary_types_allowed=True)
    fields: dict[str, Any] = {"value": (hint, Field(default))}
    with warnings.catch_warnings():
        # A default that JSON does not know is left out.
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        try:
            model: Any = cast("Any", create_model)("Parameter", __config__=config, **fields)  # fmt: skip
            return model.model_json_schema(ref_template="#/definitions/{model}")
        except PydanticUserError:  # the schema of such a value cannot be told
            return _about(Any, default)
