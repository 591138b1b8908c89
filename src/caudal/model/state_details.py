"""What belongs to a state beside its kind, name and message."""

from __future__ import annotations

from typing import Any, Literal

from caudal.model.jsonable import jsonable

#: Fields that are not None where they do not apply.
_DEFAULTS = {"deferred": False, "pause_reschedule": False, "untrackable_result": False}


class StateDetails:
    """What belongs to a state beside its kind, name and message.

    A field that does not apply is None, or False where it answers a question.
    """

    __slots__ = (
        "cache_expiration",
        "cache_key",
        "child_flow_run_id",
        "deferred",
        "flow_run_id",
        "pause_key",
        "pause_reschedule",
        "pause_timeout",
        "refresh_cache",
        "retriable",
        "run_input_keyset",
        "scheduled_time",
        "task_parameters_id",
        "task_run_id",
        "transition_id",
        "untrackable_result",
    )

    def __init__(self, **fields: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, fields.pop(name, _DEFAULTS.get(name)))
        if fields:
            msg = f"StateDetails has no field {', '.join(map(repr, sorted(fields)))}; it has {', '.join(self.__slots__)}"
            raise TypeError(msg)

    def given(self) -> dict[str, Any]:
        """Return the fields that say something."""
        return {
            name: value
            for name, value in self.model_dump().items()
            if value is not None and value != _DEFAULTS.get(name)
        }

    def model_dump(
        self, *, mode: Literal["python", "json"] = "python", exclude_none: bool = False
    ) -> dict[str, Any]:
        """Return the fields by name.

        Args:
            mode: ``json`` turns ids and times into texts; ``python`` leaves values as they are.
            exclude_none: Leave out those that are None.
        """
        fields = {name: getattr(self, name) for name in self.__slots__}
        if exclude_none:
            fields = {name: value for name, value in fields.items() if value is not None}  # fmt: skip
        return jsonable(fields) if mode == "json" else fields

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        return isinstance(other, StateDetails) and self.given() == other.given()

    def __hash__(self) -> int:
        """Return a hash that equal details share."""
        return hash((self.flow_run_id, self.task_run_id))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"StateDetails({given})"
