"""What a dbt data test found, as a check result on the table it tests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caudal.integrations.dbt.results import SKIPPED
from caudal.model.checks import CheckResult, CheckStatus, Severity

if TYPE_CHECKING:
    from caudal.integrations.dbt.events import NodeEnded
    from caudal.integrations.dbt.manifest import Manifest, ManifestNode

_STATUS = {
    "pass": CheckStatus.PASS,
    "warn": CheckStatus.WARN,
    "fail": CheckStatus.FAIL,
    SKIPPED: CheckStatus.SKIPPED,
}


def check_result(
    ended: NodeEnded, manifest: Manifest, message: str | None
) -> CheckResult:
    """Return the outcome of a data test.

    ``failed_rows`` is the number of rows that the test's query returned: rows for ``not_null``, values for ``unique`` and ``accepted_values``.

    Args:
        ended: The end of the test.
        manifest: Says which table it tests, and how severe a failure is.
        message: A sentence for people.
    """
    info = ended.node
    test = manifest.find(info.unique_id)
    tested = manifest.tested(info.unique_id)
    table = manifest.find(tested)
    status = _STATUS.get(ended.status, CheckStatus.ERROR)
    was_run = status not in {CheckStatus.ERROR, CheckStatus.SKIPPED}
    return CheckResult(
        asset=table.asset if table else tested or info.unique_id,
        check=info.name.partition(".")[2],
        severity=_severity(test, status),
        status=status,
        kind=test.test_metadata.name if test and test.test_metadata else "singular",
        column=test.column_name if test else None,
        observed=_rows(ended.failures) if was_run else None,
        failed_rows=ended.failures if was_run else None,
        message=message or "",
        engine="dbt",
    )


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _severity(test: ManifestNode | None, status: CheckStatus) -> Severity:
    given = test.config.severity if test else None
    if given is None:
        return Severity.WARN if status is CheckStatus.WARN else Severity.ERROR
    return Severity.WARN if given.lower() == "warn" else Severity.ERROR
