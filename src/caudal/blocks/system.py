"""Blocks that come with caudal."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

from pydantic import Field, JsonValue, field_validator
from pydantic import Secret as PydanticSecret

from caudal.blocks.core import Block
from caudal.blocks.encoding import is_secret

__all__ = ["Secret"]

T = TypeVar("T")


class Secret(Block, Generic[T]):
    """A secret value: text, or anything that JSON holds. It is encrypted in the ledger and masked wherever it is shown."""

    value: PydanticSecret[JsonValue] = Field(description="The secret.")

    @field_validator("value", mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        return value.get_secret_value() if is_secret(value) else value

    def get(self) -> T | str:
        """Return the secret; a text that is JSON is read as JSON, as in Prefect."""
        value: Any = self.value.get_secret_value()
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value
