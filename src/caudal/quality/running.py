"""Running checks, and stopping a pipeline when one that blocks has failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from caudal.exceptions import CheckFailedError
from caudal.model.checks import CheckResult, CheckStatus, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from caudal.quality.checks import Check, Finding
    from caudal.quality.sql import Connection

#: What a sample shows instead of a value that must not be seen.
MASK = "***"


def run_checks(
    connection: Connection,
    checks: Iterable[Check],
    *,
    masked_columns: Collection[str] = (),
) -> list[CheckResult]:
    """Run checks in a warehouse and return one result for each, in order.

    A check that cannot run does not stop the others: its result has the status ``error`` and says why.

    Args:
        connection: A DuckDB connection, or a cursor of a DB-API driver that takes ``?`` parameters.
        checks: What to check.
        masked_columns: Columns whose values a sample must not show.
    """
    return [_masked(_run_check(connection, check), masked_columns) for check in checks]


def skip_checks(checks: Iterable[Check], reason: str) -> list[CheckResult]:
    """Return a result with the status ``skipped`` for each check.

    Args:
        checks: The checks that are not tried.
        reason: Why not, as a sentence.
    """
    return [_result(check, CheckStatus.SKIPPED, reason) for check in checks]


def raise_on_errors(results: Iterable[CheckResult]) -> None:
    """Stop here when a check of severity ``error`` failed or could not run.

    Raises:
        CheckFailedError: At least one result is blocking; it names all of them.
    """
    blocking = [result for result in results if result.is_blocking]
    if blocking:
        raise CheckFailedError(
            tuple((result.asset, result.check, result.message) for result in blocking)
        )


def _run_check(connection: Connection, check: Check) -> CheckResult:
    try:
        finding = check.examine(connection)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is: it could not run
        reason = " ".join(str(error).split()) or type(error).__name__
        return _result(check, CheckStatus.ERROR, f"the check could not run: {reason}")
    if finding.passed:
        status = CheckStatus.PASS
    else:
        status = (
            CheckStatus.WARN if check.severity is Severity.WARN else CheckStatus.FAIL
        )
    message = finding.observed
    if not finding.passed:
        message += f"; expected {finding.expected}"
    return _result(check, status, message, finding)


def _masked(result: CheckResult, columns: Collection[str]) -> CheckResult:
    if not columns or not result.sample:
        return result
    sample = tuple(
        {name: MASK if name in columns else value for name, value in row.items()}
        for row in result.sample
    )
    return replace(result, sample=sample)


def _result(
    check: Check, status: CheckStatus, message: str, finding: Finding | None = None
) -> CheckResult:
    return CheckResult(
        asset=check.asset,
        check=check.label,
        severity=check.severity,
        status=status,
        kind=check.kind,
        column=check.columns[0] if len(check.columns) == 1 else None,
        observed=finding.observed if finding else None,
        expected=finding.expected if finding else None,
        failed_rows=finding.failed_rows if finding else None,
        total_rows=finding.total_rows if finding else None,
        sample=finding.sample if finding else (),
        message=message,
    )
