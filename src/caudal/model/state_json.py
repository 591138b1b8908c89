"""States as JSON and back: what a program needs to hand a state to another program.

Kind, name, message, times and details come back as they were. Of the data, what JSON holds exactly does; an exception comes back as
a ``RemoteError`` with its type and text, and anything else as a result that was not kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, cast
from uuid import UUID

from caudal.exceptions import RemoteError
from caudal.model.jsonable import is_exact
from caudal.model.state_details import StateDetails

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = ("timestamp", "scheduled_time", "pause_timeout", "cache_expiration")
#: What data is, in JSON.
_VALUE, _ERROR, _GONE = "caudal.value", "caudal.exception", "caudal.not_kept"
_IDS = ("flow_run_id", "task_run_id", "child_flow_run_id", "task_parameters_id")


class JsonState:
    """The part of a state that turns it into JSON and back, under the names of a pydantic model."""

    __slots__ = ()

    def model_dump(
        self, *, mode: Literal["python", "json"] = "python"
    ) -> dict[str, Any]:
        """Return the state's fields.

        Args:
            mode: ``json`` turns what JSON does not know into what `model_validate` reads; ``python`` leaves values as they are.
        """
        state = cast("Any", self)
        fields: dict[str, Any] = {
            "id": state.id,
            "type": state.type,
            "name": state.name,
            "message": state.message,
            "timestamp": state.timestamp,
            "state_details": state.state_details.given(),
            "data": state.data,
        }
        if mode == "python":
            return fields
        fields["type"] = str(state.type)
        fields["data"] = _dumped(state.data, is_completed=state.is_completed())
        return _with_texts(fields)

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return the state as JSON.

        Args:
            indent: Spaces for each level; None is one line.
        """
        import json  # noqa: PLC0415 - few programs hand states on

        return json.dumps(self.model_dump(mode="json"), indent=indent)

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any]) -> Self:
        """Return the state whose fields, as `model_dump` gives them, are given.

        Raises:
            ValueError: A field is wrong.
        """
        fields = dict(obj)
        details = _with_values(dict(fields.pop("state_details", None) or {}))
        data = fields.pop("data", None)
        return cast("Any", cls)(
            **_with_values(fields),
            data=_loaded(data),
            state_details=StateDetails(**details),
        )

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Return a copy of the state.

        Args:
            update: Fields of the copy that are others.
            deep: Whether the data is copied, too.
        """
        from copy import copy, deepcopy  # noqa: PLC0415 - few programs copy states

        fields = JsonState.model_dump(self)
        fields["data"] = deepcopy(fields["data"]) if deep else fields["data"]
        fields["state_details"] = copy(cast("Any", self).state_details)
        return cast("Any", type(self))(**{**fields, **(update or {})})

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """Return the state that `model_dump_json` wrote.

        Raises:
            ValueError: The text is not JSON, or a field is wrong.
        """
        import json  # noqa: PLC0415

        return cls.model_validate(json.loads(json_data))


class Missing:
    """Marks a completed run whose result was not kept."""

    def __repr__(self) -> str:
        return "<result not kept>"

    def __reduce__(self) -> str:
        return "MISSING"


#: The data of a completed state whose result was not kept.
MISSING = Missing()


def _dumped(data: Any, *, is_completed: bool) -> Any:
    if isinstance(data, BaseException):
        return {_ERROR: [type(data).__name__, str(data)]}
    if data is None:
        return None
    if is_exact(data):
        return {_VALUE: data}
    return {_GONE: True} if is_completed else None


def _loaded(data: Any) -> Any:
    """Return what dumped data stands for; data that was not dumped as JSON is what it is."""
    if not isinstance(data, dict):
        return data
    given = cast("dict[Any, Any]", data)
    if _ERROR in given:
        kind, text = given[_ERROR]
        return RemoteError(kind, text, "")
    return MISSING if _GONE in given else given.get(_VALUE, given)


def _with_texts(fields: dict[str, Any]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name, value in fields.items():
        match value:
            case datetime():
                texts[name] = value.isoformat()
            case UUID():
                texts[name] = str(value)
            case dict() if name == "state_details":
                texts[name] = _with_texts(cast("dict[str, Any]", value))
            case _:
                texts[name] = value
    return texts


def _with_values(fields: dict[str, Any]) -> dict[str, Any]:
    for name in _TIMES:
        if isinstance(fields.get(name), str):
            fields[name] = datetime.fromisoformat(fields[name])
    for name in _IDS:
        if isinstance(fields.get(name), str):
            fields[name] = UUID(fields[name])
    return fields
