"""How secrets look where they are kept and where they are shown."""

from __future__ import annotations

from typing import Any, cast

#: Shown in place of a secret.
MASK = "********"
#: Key of the object that stands for an encrypted value in JSON.
SECRET = "$secret"  # noqa: S105 - the name of a key
#: Key of the object that stands for another block in JSON.
REFERENCE = "$ref"


def without_secrets(data: Any) -> Any:
    """Return JSON with a mask in place of each encrypted value."""
    if isinstance(data, list):
        return [without_secrets(item) for item in cast("list[Any]", data)]
    if isinstance(data, dict):
        items = cast("dict[str, Any]", data)
        if items.keys() == {SECRET}:
            return MASK
        return {key: without_secrets(item) for key, item in items.items()}
    return data
