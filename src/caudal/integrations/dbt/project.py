"""A dbt project that is built, run or tested as part of a flow."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from caudal.clock import monotonic
from caudal.engine.returns import describe
from caudal.exceptions import DeadlineReached
from caudal.integrations.dbt.errors import (
    DbtCommandError,
    DbtNodesFailedError,
    DbtNotInstalledError,
    DbtProjectError,
)
from caudal.integrations.dbt.events import parse_line
from caudal.integrations.dbt.manifest import Manifest, parse_manifest
from caudal.integrations.dbt.process import ChildProcess
from caudal.integrations.dbt.recording import Recorder
from caudal.integrations.dbt.results import DbtResult
from caudal.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_logger = get_logger("dbt")

#: What dbt is told by its environment: nothing leaves the machine, and every line says what it means.
_ENVIRONMENT = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DBT_USE_COLORS": "false",
    "DBT_QUIET": "false",
    "DBT_WRITE_JSON": "true",
    "NO_COLOR": "1",
}
#: ``NodeStart`` and ``NodeFinished`` are events of the level debug.
_LOG_OPTIONS = ("--log-format", "json", "--log-level", "debug")


class DbtProject:
    """A dbt project, run as a child process whose nodes become task runs of the flow or task that calls.

    Close connections to a DuckDB warehouse before: DuckDB lets one process at a time write to a file.

    Args:
        project_dir: Folder of ``dbt_project.yml``.
        profiles_dir: Folder of ``profiles.yml``; by default where dbt looks: the project, then ``~/.dbt``.
        target: The profile's target; by default the one it names.
        executable: The dbt command; by default the one beside this Python, else the one on ``PATH``.
        env: Variables for dbt, beside those of this process.
        target_path: Folder for everything dbt writes: compiled SQL, manifest, log. By default ``target`` in the project.
            Builds of one project at the same time need one each.
        count_rows: Returns the number of rows of a table, given its quoted name. Called after dbt has ended, for each
            table and view that was built and of which the database did not say how many rows were written.
    """

    project_dir: Path
    profiles_dir: Path | None
    env: dict[str, str]
    target_path: Path

    def __init__(
        self,
        project_dir: str | Path,
        *,
        profiles_dir: str | Path | None = None,
        target: str | None = None,
        executable: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        target_path: str | Path | None = None,
        count_rows: Callable[[str], int] | None = None,
    ) -> None:
        self.project_dir = Path(project_dir).absolute()
        self.profiles_dir = Path(profiles_dir).absolute() if profiles_dir else None
        self.target = target
        self.executable = executable
        self.env = dict(env or {})
        self.target_path = Path(target_path or self.project_dir / "target").absolute()
        self.count_rows = count_rows

    @property
    def log_path(self) -> Path:
        """Where dbt writes its log."""
        return self.target_path / "dbt.log"

    def build(
        self,
        select: str | Sequence[str] | None = None,
        *,
        exclude: str | Sequence[str] | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002 - dbt's name
        full_refresh: bool = False,
        threads: int | None = None,
        fail_fast: bool = False,
        raise_on_failure: bool = True,
    ) -> DbtResult:
        """Build models, seeds and snapshots and run their tests, in order, and return what became of each.

        Args:
            select: The nodes, as dbt selects them: ``"staging+"``, ``["tag:nightly", "orders"]``; by default all.
            exclude: Nodes to leave out, likewise.
            vars: The project's variables.
            full_refresh: Build incremental models from nothing.
            threads: Nodes that run at the same time; by default the profile's number.
            fail_fast: Stop at the first failure.
            raise_on_failure: Raise when a node failed; else return the result.

        Raises:
            DbtNodesFailedError: Nodes failed; everything is recorded.
            DbtCommandError: dbt could not do its work, or was killed.
            DbtNotInstalledError: There is no dbt command.
            DbtProjectError: There is no project, or no profiles.
        """
        flags = _flags(select, exclude, vars, threads, fail_fast=fail_fast)
        flags += ["--full-refresh"] * full_refresh
        return self.command("build", *flags, raise_on_failure=raise_on_failure)

    def run(
        self,
        select: str | Sequence[str] | None = None,
        *,
        exclude: str | Sequence[str] | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002 - dbt's name
        full_refresh: bool = False,
        threads: int | None = None,
        fail_fast: bool = False,
        raise_on_failure: bool = True,
    ) -> DbtResult:
        """Build models without testing them; see `build`."""
        flags = _flags(select, exclude, vars, threads, fail_fast=fail_fast)
        flags += ["--full-refresh"] * full_refresh
        return self.command("run", *flags, raise_on_failure=raise_on_failure)

    def test(
        self,
        select: str | Sequence[str] | None = None,
        *,
        exclude: str | Sequence[str] | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002 - dbt's name
        threads: int | None = None,
        fail_fast: bool = False,
        raise_on_failure: bool = True,
    ) -> DbtResult:
        """Run tests without building anything; see `build`."""
        flags = _flags(select, exclude, vars, threads, fail_fast=fail_fast)
        return self.command("test", *flags, raise_on_failure=raise_on_failure)

    def command(self, *args: str, raise_on_failure: bool = True) -> DbtResult:
        """Run any dbt command, such as ``command("snapshot", "--select", "orders")``; see `build`.

        Args:
            args: The command and its options, without those that ``DbtProject`` was given.
            raise_on_failure: Raise when a node failed; else return the result.
        """
        self._check_folders()
        typed = ["dbt", *args, *self._location()]
        command = [find_executable(self.executable), *typed[1:], *_LOG_OPTIONS]
        recorder = Recorder(self._read_manifest, self._find_compiled)
        started = monotonic()
        exit_code = self._watch(command, recorder)
        if self.count_rows is not None:
            recorder.count_rows(self.count_rows)
        result = DbtResult(
            command=shlex.join(typed),
            exit_code=exit_code,
            duration_seconds=monotonic() - started,
            log_path=str(self.log_path),
            nodes=recorder.results,
            checks=tuple(recorder.checks),
        )
        self._raise_failures(result, recorder, raise_on_failure=raise_on_failure)
        return result

    def _watch(self, command: list[str], recorder: Recorder) -> int:
        """Run a command, record what it says while it says it, and return its exit status."""
        env = {**os.environ, **_ENVIRONMENT, **self.env, **self._paths()}
        with ChildProcess(command, cwd=self.project_dir, env=env) as child:
            try:
                for line in child.lines():
                    recorder.take(parse_line(line))
                exit_code = child.wait()
            except BaseException as error:
                message = f"dbt was stopped: {_reason(error)}."
                # Before the child is given time to end: the flow run may be closed by then.
                recorder.close("CANCELLED", "Cancelled", "cancelled", message)
                raise
        message = f"dbt ended before the node did ({_ending(exit_code)}); whether the node's work was done is unknown."
        recorder.close("CRASHED", "Crashed", "unknown", message)
        return exit_code

    def _raise_failures(
        self, result: DbtResult, recorder: Recorder, *, raise_on_failure: bool
    ) -> None:
        """Raise what a result calls for."""
        failed = result.failed
        lost = any(node.status == "unknown" for node in failed)
        if lost or (result.exit_code != 0 and not failed):
            code = result.exit_code
            said = recorder.last_errors or (recorder.last_lines if code > 0 else ())
            raise DbtCommandError(result.command, _ending(code), said, result.log_path)
        if failed and raise_on_failure:
            retry = ["dbt", "retry", "--project-dir", str(self.project_dir)]
            retry += [*self._location(), "--target-path", str(self.target_path)]
            raise DbtNodesFailedError(
                tuple(node.name for node in failed),
                tuple(node.name for node in result.skipped),
                failed[0].message or failed[0].status,
                shlex.join(retry),
                result.log_path,
            )

    def _check_folders(self) -> None:
        """Say at once what dbt would say after its start."""
        if not (self.project_dir / "dbt_project.yml").is_file():
            raise DbtProjectError(
                str(self.project_dir), "dbt_project.yml", "project_dir"
            )
        if self.profiles_dir and not (self.profiles_dir / "profiles.yml").is_file():
            raise DbtProjectError(
                str(self.profiles_dir), "profiles.yml", "profiles_dir"
            )

    def _location(self) -> list[str]:
        """Return the options that say where the data is."""
        options: list[str] = []
        if self.profiles_dir is not None:
            options += ["--profiles-dir", str(self.profiles_dir)]
        if self.target is not None:
            options += ["--target", self.target]
        return options

    def _paths(self) -> dict[str, str]:
        """Return the variables that say where dbt writes; not every command takes the options."""
        folder = str(self.target_path)
        return {"DBT_TARGET_PATH": folder, "DBT_LOG_PATH": folder}

    def _read_manifest(self) -> Manifest:
        """Read the project's manifest; without it nodes are recorded, but not how they hang together."""
        path = self.target_path / "manifest.json"
        try:
            return parse_manifest(path.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            _logger.warning(
                "no upstream runs are recorded: dbt's manifest %s cannot be read: %s",
                path,
                error,
            )
            return Manifest()

    def _find_compiled(self, names: tuple[str, ...]) -> str | None:
        paths = (self.target_path / name for name in names)
        return next((str(path) for path in paths if path.is_file()), None)


def find_executable(given: str | Path | None = None) -> str:
    """Return the absolute path of the dbt command.

    Args:
        given: The command to use; by default the one beside this Python, else the one on ``PATH``.

    Raises:
        DbtNotInstalledError: It is not there.
    """
    beside = Path(sys.executable).with_name("dbt")
    tried = [str(given)] if given is not None else [str(beside), "dbt"]
    for name in tried:
        found = shutil.which(name)
        if found is not None:
            return str(Path(found).absolute())
    looked = [name if os.sep in name else f"{name} on PATH" for name in tried]
    raise DbtNotInstalledError(tuple(looked))


def _flags(
    select: str | Sequence[str] | None,
    exclude: str | Sequence[str] | None,
    variables: Mapping[str, Any] | None,
    threads: int | None,
    *,
    fail_fast: bool,
) -> list[str]:
    """Return dbt's options for what most commands take."""
    flags: list[str] = []
    for option, given in (("--select", select), ("--exclude", exclude)):
        names = [given] if isinstance(given, str) else list(given or ())
        flags += [option, *names] if names else []
    if variables:
        flags += ["--vars", json.dumps(variables)]
    if threads is not None:
        flags += ["--threads", str(threads)]
    if fail_fast:
        flags.append("--fail-fast")
    return flags


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "the run was interrupted"
    if isinstance(error, DeadlineReached):
        return "the run took longer than its timeout allows"
    return describe(error)


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit status {exit_code}"
    names = (known.name for known in signal.Signals if known == -exit_code)
    return f"killed by {next(names, f'signal {-exit_code}')}"
