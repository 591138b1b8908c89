"""What commands say when they refuse something, and with which status they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from caudal import flow, task
from caudal.cli import main as command_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


class Told(NamedTuple):
    """How a command ended, and what it said on stderr."""

    status: int
    text: str


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Give a function that runs a command line as the command ``caudal`` does."""

    def run(*arguments: str) -> Told:
        capsys.readouterr()
        status = command_line.run_command([*arguments])
        return Told(status, capsys.readouterr().err)

    return run


@task
def step() -> None:
    """Do nothing."""


@flow(flow_run_name="june")
def monthly() -> None:
    """Call one task."""
    step()


@pytest.fixture
def _june(engine: object) -> None:
    """Leave a flow run on record that has completed."""
    del engine
    monthly()


@pytest.mark.usefixtures("_june")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("flow-run cancel june", "cannot be cancelled: it is Completed"),
        ("flow-run suspend june", "it is Completed, so there is nothing to suspend"),
        ("flow-run resume june", "cannot be taken up again: it completed"),
        ("flow-run resume june --input 3", "not wait for any. Resume it without one."),
        ("flow-run retry june", "(--from TASK, from_tasks=[...])"),
        ("flow-run retry june", "(-p NAME=VALUE, parameters={...})"),
        ("flow-run retry june --from nope", "no task run 'nope' in flow run 'june'."),
        ("flow-run recover --watch --give-up june", "--watch or --give-up, not both"),
        (
            "task-run inspect nope-0 --flow-run june",
            "there is no task run 'nope-0' in flow run 'june'. `caudal task-run ls --flow-run june` lists",
        ),
        ("block inspect nope", "'nope' is not of the form TYPE/NAME"),
        ("concurrency-limit inspect nope", "no limit on the tag 'nope'. `caudal conc"),
        ("concurrency-limit reset nope", "no limit on the tag 'nope'. `caudal conc"),
        ("concurrency-limit delete nope", "no limit on the tag 'nope'. `caudal conc"),
        (
            "--profile default2 flow-run ls",
            "'default2' (from --profile); the nearest one",
        ),
        ("--profile z flow-run ls", "there is no profile 'z' (from --profile). `cau"),
        ("config set foo=1", "no setting 'foo' (from the command line). Correct"),
        ("profile delete default", "The profile 'default' is always there"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_nothing_was_done(
    command: str, said: str, tell: Callable[..., Told]
) -> None:
    """The status is 2, whatever it is that cannot be done."""
    told = tell(*command.split())

    assert said in told.text
    assert told.status == 2


@pytest.mark.usefixtures("_june")
@pytest.mark.parametrize("given", [[], ["-p", "n=text"]])
def test_a_run_of_another_flow_is_told_as_such(
    given: list[str], tell: Callable[..., Told], tmp_path: Path
) -> None:
    """It does not matter whether the parameters on record, or those given, would fit."""
    file = tmp_path / "other.py"
    file.write_text("from caudal import flow\n@flow\ndef other(n: int, m: int): pass\n")

    told = tell("run", str(file), "--resume", "june", *given)

    assert "it is a run of flow 'monthly', and the flow given is 'other'" in told.text
    assert told.status == 2


@pytest.mark.usefixtures("_june")
def test_ambiguous_names_are_told_alike(tell: Callable[..., Told]) -> None:
    """They are no matter of usage, so the form of the command is not shown."""
    monthly()

    for command in ("flow-run", "task-run"):
        name = {"flow-run": "june", "task-run": "step-0"}[command]
        told = tell(command, "inspect", name)
        assert told.text.startswith(f"Error: {name!r} fits more than one")
        assert told.status == 2


def test_the_default_profile_stays_when_another_one_is_in_use(
    tell: Callable[..., Told], succeed: Callable[..., str]
) -> None:
    """It is refused by its name, not because it is in use."""
    tell("profile", "create", "dev")
    tell("profile", "use", "dev")
    tell("--profile", "default", "config", "set", "lease_seconds=7")

    assert tell("profile", "delete", "default").status == 2
    assert "CAUDAL_LEASE_SECONDS" in succeed("profile", "inspect", "default")


@pytest.mark.usefixtures("engine")
def test_an_empty_text_is_shown_as_one(succeed: Callable[..., str]) -> None:
    """A variable without a value cannot be told from one with an empty value otherwise."""
    succeed("variable", "set", "nothing", "")

    assert 'value    ""\n' in succeed("variable", "inspect", "nothing")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("group", ["concurrency-limit", "global-concurrency-limit"])
def test_limits_are_listed_up_to_a_number(
    group: str, invoke: Callable[..., Result]
) -> None:
    """A message says that there may be more."""
    for tag in "abc":
        invoke("concurrency-limit", "create", tag, "1")

    listed = invoke(group, "ls", "--limit", "2")

    assert len(listed.stdout.splitlines()) == 3
    assert listed.stderr == "The first 2; --limit shows more.\n"


@pytest.mark.parametrize("group", [[], ["flow-run"], ["concurrency-limit"]])
def test_help_has_whole_summaries(
    group: list[str], succeed: Callable[..., str]
) -> None:
    """None is cut to a line."""
    commands = succeed(*group, "--help").partition("Commands:")[2]

    assert commands
    assert "..." not in commands
