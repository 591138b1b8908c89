"""What can go wrong with the retail data, each with what to do about it."""

from __future__ import annotations

from caudal.exceptions import CaudalError


class SourceError(CaudalError):
    """A source file cannot be used.

    Args:
        path: The file or folder.
        problem: What is wrong with it.
        advice: What to do, as a sentence.
    """

    def __init__(self, path: str, problem: str, advice: str) -> None:
        super().__init__(path, problem, advice)
        self.path, self.problem, self.advice = path, problem, advice

    def __str__(self) -> str:
        return f"{self.path!r} {self.problem}. {self.advice}"


class WarehouseError(CaudalError):
    """The warehouse file cannot be opened, read or written.

    Args:
        path: The file.
        reason: What DuckDB said.
        advice: What to do, as a sentence.
    """

    def __init__(self, path: str, reason: str, advice: str) -> None:
        super().__init__(path, reason, advice)
        self.path, self.reason, self.advice = path, reason, advice

    def __str__(self) -> str:
        return (
            f"the warehouse {self.path!r} cannot be used: {self.reason}. {self.advice}"
        )


class ExportError(CaudalError):
    """A table could not be written to a file.

    Args:
        table: The table.
        path: The file it was to be written to.
        reason: What happened.
    """

    def __init__(self, table: str, path: str, reason: str) -> None:
        super().__init__(table, path, reason)
        self.table, self.path, self.reason = table, path, reason

    def __str__(self) -> str:
        return (
            f"{self.table!r} could not be written to {self.path!r}: {self.reason}. What was there before is untouched. "
            "Check that the disk has room and the folder can be written to, then run again."
        )


class AccountingError(CaudalError):
    """Rows were lost or doubled on the way from the source to the validated table.

    Args:
        table: The table.
        read: Rows read from the source.
        loaded: Rows that passed validation.
        quarantined: Rows that did not.
    """

    def __init__(self, table: str, read: int, loaded: int, quarantined: int) -> None:
        super().__init__(table, read, loaded, quarantined)
        self.table = table
        self.read, self.loaded, self.quarantined = read, loaded, quarantined

    def __str__(self) -> str:
        return (
            f"{self.table!r} does not add up: {self.read:,} rows read, but {self.loaded:,} loaded + {self.quarantined:,} "
            "quarantined. Delete the warehouse file and run again; if it happens twice, two runs share the file."
        )
