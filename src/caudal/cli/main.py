"""The ``caudal`` command: finds the subcommand, runs it, and turns errors into messages and exit statuses."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from itertools import takewhile
from typing import Any, NoReturn

import click
from click.exceptions import NoSuchCommand

from caudal import __version__
from caudal.cli.output import Group, print_error
from caudal.cli.status import FAILED, INTERRUPTED, WRONG_USAGE
from caudal.engine.composition import close_engine
from caudal.exceptions import (
    AmbiguousNameError,
    CaudalError,
    ConfigurationError,
    FlowPauseTimeout,
    FlowRunNotCancellableError,
    FlowRunNotPausableError,
    FlowRunNotResumableError,
    InvalidNameError,
    InvalidValueError,
    ObjectAlreadyExists,
    ObjectNotFound,
    ParameterError,
    ProfileNotFoundError,
    RunInputError,
    ScriptError,
    TaskRunNotReplayableError,
)

_COMMANDS = {
    "run": "caudal.cli.run:run",
    "flow-run": "caudal.cli.flow_run:flow_run",
    "task-run": "caudal.cli.task_run:task_run",
    "concurrency-limit": "caudal.cli.concurrency_limit:concurrency_limit",
    "global-concurrency-limit": "caudal.cli.concurrency_limit:global_concurrency_limit",
    "artifact": "caudal.cli.artifact:artifact",
    "variable": "caudal.cli.variable:variable",
    "block": "caudal.cli.block:block",
    "asset": "caudal.cli.asset:asset",
    "config": "caudal.cli.config:config",
    "profile": "caudal.cli.profile:profile",
    "version": "caudal.cli.version:version",
}

#: The standard streams in the order of their descriptors, and how they are opened.
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))

#: What commands refuse before they do anything.
_USAGE_ERRORS = (
    AmbiguousNameError,
    ConfigurationError,
    FlowPauseTimeout,
    FlowRunNotCancellableError,
    FlowRunNotPausableError,
    FlowRunNotResumableError,
    InvalidNameError,
    InvalidValueError,
    ObjectAlreadyExists,
    ObjectNotFound,
    ParameterError,
    RunInputError,
    ScriptError,
    TaskRunNotReplayableError,
)


class _LazyGroup(Group):
    """Imports a subcommand's module when the subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            raise NoSuchCommand(cmd_name, possibilities=_COMMANDS, ctx=ctx)
        module, name = _COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="caudal", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show Python's traceback of an error.")
@click.option(
    "--profile",
    metavar="NAME",
    help="Use the settings of this profile.",
)
def caudal(profile: str | None, **_: Any) -> None:
    """Run data pipelines written as plain Python, and look at what was recorded."""
    if profile:
        from caudal.settings.current import exchange_settings, read_settings
        from caudal.settings.sources import PROFILE_VARIABLE

        # Processes that the command starts follow.
        os.environ[PROFILE_VARIABLE] = profile
        exchange_settings(None)
        for error in read_settings().errors:
            if isinstance(error, ProfileNotFoundError):
                raise ProfileNotFoundError(error.name, "--profile", error.nearest)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 refused, 130 interrupted, 143 terminated."""
    _open_missing_streams()
    try:
        status = run_command(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED  # as click does when it meets this earlier
    sys.exit(status)


def _open_missing_streams() -> None:
    """Send what goes to a standard stream that was closed before the start (``2>&-``) to nowhere.

    Its descriptor is taken too: otherwise the ledger's file might get it, and a child process print into the ledger.
    """
    for descriptor, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - no keyword there
            setattr(sys, name, os.fdopen(descriptor, mode))


def run_command(arguments: list[str]) -> int:
    """Run a command line, explain on stderr what goes wrong, and return the exit status.

    Args:
        arguments: What stands behind ``caudal``.
    """
    debug = "--debug" in takewhile(lambda word: word not in _COMMANDS, arguments)
    try:
        try:
            return (
                caudal.main(arguments, prog_name="caudal", standalone_mode=False) or 0
            )
        finally:
            close_engine()
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CaudalError as error:
        if debug:
            raise
        print_error(error)
        return WRONG_USAGE if isinstance(error, _USAGE_ERRORS) else FAILED
