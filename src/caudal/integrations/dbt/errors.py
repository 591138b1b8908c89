"""What can go wrong with a dbt project, each with what to do about it."""

from __future__ import annotations

from caudal.exceptions import CaudalError


class DbtError(CaudalError):
    """A dbt project could not be run, or some of its nodes failed."""


class DbtNotInstalledError(DbtError):
    """The dbt command is not there.

    Args:
        looked: Where it was looked for.
    """

    def __init__(self, looked: tuple[str, ...]) -> None:
        super().__init__(looked)
        self.looked = looked

    def __str__(self) -> str:
        return (
            f'there is no dbt command at {" or ".join(map(repr, self.looked))}. Install it with `pip install "caudal[dbt]"`, '
            "or name another one with DbtProject(..., executable='/path/to/dbt')."
        )


class DbtProjectError(DbtError):
    """A folder that was given holds no dbt project or no profiles.

    Args:
        path: The folder.
        missing: The file that should be in it.
        argument: The argument of ``DbtProject`` that named it.
    """

    path: str
    missing: str
    argument: str

    def __init__(self, path: str, missing: str, argument: str) -> None:
        super().__init__(path, missing, argument)
        self.path, self.missing, self.argument = path, missing, argument

    def __str__(self) -> str:
        return f"there is no {self.missing!r} in {self.path!r}. Give the folder that holds it as {self.argument}."


class DbtCommandError(DbtError):
    """dbt itself could not do its work: a bad project, profile or option, or it was killed.

    Args:
        command: The command, as it would be typed.
        ending: How dbt ended: its exit status or the signal.
        lines: The last errors it told, or the last lines when it told none.
        log_path: dbt's log file.
    """

    command: str
    ending: str
    lines: tuple[str, ...]
    log_path: str

    def __init__(
        self, command: str, ending: str, lines: tuple[str, ...], log_path: str
    ) -> None:
        super().__init__(command, ending, lines, log_path)
        self.command, self.ending = command, ending
        self.lines, self.log_path = lines, log_path

    def __str__(self) -> str:
        lines = [line for text in self.lines for line in text.splitlines()]
        said = "".join(f"\n  {line}" for line in lines)
        advice = (
            "Correct this and run again."
            if lines
            else "If it was killed, the machine may be short of memory: try fewer threads."
        )
        return (
            f"dbt could not do its work: {self.ending}.{said}\n"
            f"{advice} The command was `{self.command}`; its log is {self.log_path!r}."
        )


class DbtNodesFailedError(DbtError):
    """Nodes of a dbt project failed: models that could not be built, tests that did not pass.

    Args:
        failed: Names of the nodes that failed.
        skipped: Names of the nodes that were skipped because of them.
        first_error: What dbt said about the first of them.
        retry_command: Runs what failed and what was skipped again.
        log_path: dbt's log file.
    """

    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    retry_command: str
    log_path: str

    def __init__(
        self,
        failed: tuple[str, ...],
        skipped: tuple[str, ...],
        first_error: str,
        retry_command: str,
        log_path: str,
    ) -> None:
        super().__init__(failed, skipped, first_error, retry_command, log_path)
        self.failed, self.skipped = failed, skipped
        self.first_error = first_error
        self.retry_command, self.log_path = retry_command, log_path

    def __str__(self) -> str:
        failed, skipped = len(self.failed), len(self.skipped)
        count = f"{failed} dbt node{'s' * (failed != 1)} failed"
        if skipped:
            count += f" and {skipped} {'was' if skipped == 1 else 'were'} skipped"
        names = ", ".join(map(repr, self.failed))
        error = "".join(f"\n  {line}" for line in self.first_error.splitlines())
        return (
            f"{count}: {names}. {'It' if failed == 1 else 'The first'} said:{error}\n"
            f"Correct the SQL or the data; `{self.retry_command}` runs what failed and what was skipped again. dbt's log is {self.log_path!r}."
        )
