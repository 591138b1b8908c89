"""What belongs to a state beside its kind, name and message."""

from __future__ import annotations

from typing import Any


class StateDetails:
    """What belongs to a state beside its kind, name and message.

    Every field is None unless it applies.
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
            setattr(self, name, fields.pop(name, None))
        if fields:
            msg = f"StateDetails has no field {', '.join(map(repr, sorted(fields)))}; it has {', '.join(self.__slots__)}"
            raise TypeError(msg)

    def given(self) -> dict[str, Any]:
        """Return the fields that are not None."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in fields.items() if value is not None}

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        return isinstance(other, StateDetails) and self.given() == other.given()

    def __hash__(self) -> int:
        """Return a hash that equal details share."""
        return hash((self.flow_run_id, self.task_run_id))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"StateDetails({given})"
