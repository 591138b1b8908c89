"""What an explanation is made of: reasons, and the phrases that they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.model.runs import TaskRunRow

#: Reasons of one kind that are told one by one.
TOLD = 10
#: How far causes are followed.
DEPTH = 8

_SECONDS_UP_TO = 2 * 60
_MINUTES_UP_TO = 2 * 3600


@dataclass(slots=True)
class Reason:
    """One sentence of an explanation, and what is behind it."""

    text: str
    causes: list[Reason] = field(default_factory=list["Reason"])

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"text": self.text, "causes": [cause.as_dict() for cause in self.causes]}


def ended(state_name: str, details: dict[str, Any]) -> str:
    """Return how a run ended, as far as its state says."""
    message = details.get("message")
    return f"it is {state_name}" + (f": {message}" if message else "")


def seconds(duration: float) -> str:
    """Return a duration for people.

    Args:
        duration: In seconds.
    """
    if duration < _SECONDS_UP_TO:
        return f"{max(duration, 0):.1f}s"
    if duration < _MINUTES_UP_TO:
        return f"{duration / 60:.0f}m"
    return f"{duration / 3600:.0f}h"


def listed(rows: Sequence[TaskRunRow]) -> str:
    """Return the names of some task runs, and how many more there are."""
    names = ", ".join(row.name for row in rows[:TOLD])
    return names + (f" and {len(rows) - TOLD} more" if len(rows) > TOLD else "")
