"""What flow runs are given while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caudal.model.inputs import RunInputChange, RunInputRow


class Inputs(Protocol):
    """The inputs that flow runs are given while they run."""

    def put(
        self, flow_run_id: bytes, change: RunInputChange, at: float
    ) -> RunInputRow | None:
        """Give a flow run an input, or take one away, in one atomic step with its event, and return what it has then.

        An input replaces one of the same key. To take away what is not there does nothing and leaves no event.

        Raises:
            ObjectNotFound: There is no such run.
        """
        ...

    def get(self, flow_run_id: bytes, key: str) -> RunInputRow | None:
        """Return an input, or None."""
        ...

    def find(
        self, flow_run_id: bytes, prefix: str = "", *, since: int = 0, limit: int = 1000
    ) -> Sequence[RunInputRow]:
        """Return a flow run's inputs whose key starts with the prefix, with a seq above ``since``, in the order in which they were given."""
        ...
