"""Checks on tables: written as values, run as SQL in the warehouse, answered with one `CheckResult` each."""

from __future__ import annotations

from caudal.model.checks import CheckResult, CheckStatus, Severity
from caudal.quality.checks import (
    AcceptedRange,
    Check,
    CustomSql,
    NotNull,
    Relationship,
    RowCheck,
    RowCondition,
    Unique,
)
from caudal.quality.running import raise_on_errors, run_checks, skip_checks
from caudal.quality.sql import quote_columns, quote_identifier, quote_table
from caudal.quality.table_checks import (
    ColumnTypes,
    NotEmpty,
    RequiredColumns,
    RowCountBand,
)

__all__ = [
    "AcceptedRange",
    "Check",
    "CheckResult",
    "CheckStatus",
    "ColumnTypes",
    "CustomSql",
    "NotEmpty",
    "NotNull",
    "Relationship",
    "RequiredColumns",
    "RowCheck",
    "RowCondition",
    "RowCountBand",
    "Severity",
    "Unique",
    "quote_columns",
    "quote_identifier",
    "quote_table",
    "raise_on_errors",
    "run_checks",
    "skip_checks",
]
