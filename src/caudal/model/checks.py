"""What a data check found: one shape for every tool that can check a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Failing rows that a result shows at most.
SAMPLE_LIMIT = 20


class Severity(StrEnum):
    """What a failing check does to the pipeline."""

    #: Nothing downstream may start.
    ERROR = "error"
    #: The pipeline goes on and the failure is shown.
    WARN = "warn"


class CheckStatus(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - not a password
    #: The data is wrong and the severity is ``error``.
    FAIL = "fail"
    #: The data is wrong and the severity is ``warn``.
    WARN = "warn"
    #: The check could not run, so nothing is known about the data.
    ERROR = "error"
    #: The check was not tried, because one it builds on failed.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check on one table."""

    #: The table, as ``schema.table``.
    asset: str
    #: Name of the check, unique within the table.
    check: str
    severity: Severity
    status: CheckStatus
    #: What sort of check it is: ``not_null``, ``unique``, ...
    kind: str
    #: The column it looks at; None for a check on the whole table.
    column: str | None = None
    #: What was found, as text.
    observed: str | None = None
    #: What should have been found, as text.
    expected: str | None = None
    #: Rows that break the rule; None when rows are not what is counted.
    failed_rows: int | None = None
    #: Rows that were looked at; None when unknown.
    total_rows: int | None = None
    #: Some of the rows that break the rule, at most `SAMPLE_LIMIT`; values are text, numbers, booleans or None.
    sample: tuple[Mapping[str, Any], ...] = ()
    #: One sentence for people.
    message: str = ""
    #: The tool that evaluated the check.
    engine: str = "sql"
    #: The flow run it belongs to; set when the result is recorded.
    run: str | None = None
    #: The task run it belongs to; set when the result is recorded.
    task: str | None = None
    #: Which try of the task run; set when the result is recorded.
    attempt: int | None = None
    #: The part of the table it looked at; None for all of it.
    partition: str | None = None
    #: Seconds since the epoch, UTC; set when the result is recorded.
    at: float | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the data keeps the rule."""
        return self.status is CheckStatus.PASS

    @property
    def is_blocking(self) -> bool:
        """Whether nothing downstream may start."""
        return self.severity is Severity.ERROR and self.status in _NOT_PASSED

    def as_dict(self) -> dict[str, Any]:
        """Return every field, and ``passed``, as values that JSON can carry."""
        return {**asdict(self), "passed": self.passed}


_NOT_PASSED = frozenset({CheckStatus.FAIL, CheckStatus.ERROR})
