"""Ledgers, settings, files and parameters that cannot be used: each is an error that says what happened and what to do."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Done, Lab

SCRIPT_AND_COMMAND = ["script", "command"]


def run_pipeline(
    lab: Lab, how: str, wrapper: tuple[str, ...] = (), **environment: str
) -> Done:
    """Run the ordinary pipeline as a script or with the command."""
    command = ["pipeline.py"]
    if how == "command":
        command = ["caudal", "run", str(lab.scripts / "pipeline.py")]
    return lab.run(*command, wrapper=wrapper, **environment)


def message_of(done: Done, how: str) -> str:
    """Return the error message of a process that ended with one, and assert that it is all there is to read."""
    *before, last = done.err.splitlines()
    if how == "script":
        assert before[0].startswith("Traceback")
        assert last.startswith("caudal.exceptions.")
        return last
    assert not before
    assert last.startswith("Error: ")
    return last


def below_a_file(home: Path) -> None:
    """Make a home that cannot be made."""
    home.rmdir()
    home.touch()


def random_bytes(home: Path) -> None:
    """Make a ledger that is none."""
    (home / "caudal.db").write_bytes(os.urandom(100_000))


def other_program(home: Path) -> None:
    """Make a ledger that is another program's database."""
    with sqlite3.connect(home / "caudal.db") as other:
        other.execute("CREATE TABLE invoices (id)")
    other.close()


def newer_version(home: Path) -> None:
    """Make a ledger of a version to come."""
    with sqlite3.connect(home / "caudal.db") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()


def truncated(home: Path) -> None:
    """Cut a ledger in half."""
    file = home / "caudal.db"
    os.truncate(file, file.stat().st_size // 2)


def folder(home: Path) -> None:
    """Make a folder where the ledger should be."""
    (home / "caudal.db").mkdir()


class BadLedger(NamedTuple):
    """A ledger that cannot be used, and what has to be said about it."""

    spoil: Callable[[Path], None]
    says: str
    advises: str
    #: Whether it was a good one before.
    was_used: bool = False


BAD_LEDGERS = [
    BadLedger(below_a_file, "its folder cannot be made", "CAUDAL_HOME"),
    BadLedger(random_bytes, "it is damaged", "Move the file away"),
    BadLedger(other_program, "another program's database", "Move the file away"),
    BadLedger(
        newer_version, "a newer caudal wrote it", "Upgrade caudal", was_used=True
    ),
    BadLedger(truncated, "it is damaged", "Move the file away", was_used=True),
    BadLedger(folder, "the file cannot be opened", "Check that the path"),
]


def content(path: Path) -> dict[str, bytes]:
    """Return the files at or below a path."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]  # fmt: skip
    return {str(file): file.read_bytes() for file in files}


@pytest.mark.parametrize("how", SCRIPT_AND_COMMAND)
@pytest.mark.parametrize("bad", BAD_LEDGERS, ids=lambda bad: bad.spoil.__name__)
def test_a_ledger_that_cannot_be_used_is_left_alone(
    lab: Lab, bad: BadLedger, how: str
) -> None:
    """The message names the file, what is wrong with it and what to do; no flow starts, and not a byte is changed."""
    if bad.was_used:
        assert lab.run("pipeline.py").status == 0
    bad.spoil(lab.home)
    before, noted = content(lab.home), lab.noted()
    done = run_pipeline(lab, how)
    assert done.status == 1
    message = message_of(done, how)
    assert f"the ledger {str(lab.path)!r} cannot be used: " in message
    assert bad.says in message
    assert bad.advises in message
    assert content(lab.home) == before
    assert lab.noted() == noted


@pytest.mark.parametrize("was_used", [False, True])
@pytest.mark.parametrize("how", SCRIPT_AND_COMMAND)
def test_a_home_that_may_not_be_written_is_an_error(
    lab: Lab, how: str, *, was_used: bool
) -> None:
    """A user without permission reads so, whether there is a ledger already or not."""
    if was_used:
        assert lab.run("pipeline.py").status == 0
    before = content(lab.home)
    for path in (*lab.home.iterdir(), lab.home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # The superuser is an ordinary user once nothing lets it pass the permissions.
    powerless = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    wrapper = powerless if os.geteuid() == 0 else ()
    done = run_pipeline(lab, how, wrapper=wrapper)
    assert done.status == 1
    message = message_of(done, how)
    assert "cannot be used" in message
    assert "CAUDAL_HOME" in message
    assert content(lab.home) == before


@pytest.mark.parametrize(
    ("settings", "variables", "says"),
    [
        (
            "lease_second = 3",
            {},
            "there is no setting 'lease_second' (from caudal.toml",
        ),
        ("lease_seconds = 'soon'", {}, "setting 'lease_seconds' cannot be 'soon'"),
        ("lease_seconds = ", {}, "caudal.toml' cannot be used: "),
        ("", {"CAUDAL_LEASE_SECOND": "3"}, "the nearest one is 'CAUDAL_LEASE_SECONDS'"),
        ("", {"CAUDAL_LEASE_SECONDS": "0"}, "It takes a number of seconds above 0"),
    ],
)
@pytest.mark.parametrize("how", SCRIPT_AND_COMMAND)
def test_wrong_settings_are_reported_before_anything_runs(
    lab: Lab, how: str, settings: str, variables: dict[str, str], says: str
) -> None:
    """The message names the setting, where it was given and the one that was meant; nothing is run or made."""
    if settings:
        (lab.folder / "caudal.toml").write_text(settings)
    done = run_pipeline(lab, how, **variables)
    assert done.status == (1 if how == "script" else 2)
    assert says in message_of(done, how)
    assert not lab.noted()
    assert not lab.path.exists()


GOOD_FLOW = """
from caudal import flow
@flow
def load(number: int = 1) -> int:
    return number
@flow
def store() -> None:
    pass
"""


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        (None, ["flows.py"], "there is no such file"),
        ("def (:\n", ["flows.py"], "SyntaxError"),
        ("import not_there_at_all\n", ["flows.py"], "No module named"),
        ("x = 1 / 0\n", ["flows.py"], "ZeroDivisionError"),
        ("raise SystemExit(0)\n", ["flows.py"], "SystemExit"),
        ("x = 1\n", ["flows.py"], "no flow"),
        (GOOD_FLOW, ["flows.py"], "several flows"),
        (GOOD_FLOW, ["flows.py:loads"], "Did you mean 'load'?"),
        (GOOD_FLOW, ["flows.py:load", "-p", "number=x"], "nothing was run"),
        (GOOD_FLOW, ["flows.py:load", "-p", "numbers=1"], "Did you mean 'number'?"),
    ],
)
def test_a_flow_that_cannot_be_called_is_wrong_usage(
    lab: Lab, text: str | None, arguments: list[str], says: str
) -> None:
    """The command says what is wrong and with what, shows no frames of caudal, and records nothing."""
    if text is not None:
        (lab.folder / "flows.py").write_text(text)
    done = lab.run("caudal", "run", *arguments)
    assert done.status == 2, done.err
    assert says in done.err
    assert "caudal/" not in done.err
    assert not lab.path.exists() or not lab.flow_runs()


def test_a_wrong_parameter_is_an_error_in_a_script_too(sound_lab: Lab) -> None:
    """All wrong parameters are named, the function is not entered, and the run is recorded as failed."""
    (sound_lab.folder / "flows.py").write_text(f"{GOOD_FLOW}\nload('x')\n")
    done = sound_lab.run(sound_lab.folder / "flows.py")
    assert done.status == 1
    assert "ParameterTypeError: flow 'load' was called with parameters" in done.err
    assert "number: Input should be a valid integer" in done.err
    assert sound_lab.flow_run().state_type == "FAILED"
