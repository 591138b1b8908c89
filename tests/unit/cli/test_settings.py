"""``caudal config`` and ``caudal profile``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from caudal.cli.main import run_command
from caudal.exceptions import ProfileInUseError, ProfileNotFoundError
from caudal.settings import SETTINGS
from caudal.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_view_lists_the_settings_whatever_is_wrong_with_them(
    folder: Path, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list stands on stdout, and each error after it on stderr."""
    (folder / "caudal.toml").write_text("loging_level = 3\nlease_seconds = 5\n")
    monkeypatch.setenv("CAUDAL_DURABILITY", "for ever")

    result = invoke("config", "view", "-o", "json")

    values = json.loads(result.stdout)
    assert list(values) == list(SETTINGS)
    assert values["lease_seconds"]["value"] == 5.0
    assert values["durability"] == {"value": "commit", "source": "default"}
    assert result.stderr.count("Error: ") == 2
    assert "'loging_level'" in result.stderr
    assert "'for ever'" in result.stderr
    assert result.exit_code == 2
    assert "logging_level" in invoke("config", "view").stdout


def test_set_and_unset_change_the_profile_in_use(
    folder: Path, home: Path, succeed: Callable[..., str]
) -> None:
    """Settings go by name or variable; values are read as in a variable, paths from here."""
    printed = succeed(
        "config", "set", "CAUDAL_LEDGER_PATH=runs.db", "lease_seconds=3",
        "logging.log_prints=on", "tasks_runner_thread_pool_max_workers=none",
    )  # fmt: skip

    assert f"Set CAUDAL_LEDGER_PATH to {folder / 'runs.db'} in profile 'default'.\n" in printed  # fmt: skip
    assert Profiles(home).values("default") == {
        "CAUDAL_LEDGER_PATH": str(folder / "runs.db"),
        "CAUDAL_LEASE_SECONDS": 3.0,
        "CAUDAL_LOGGING_LOG_PRINTS": True,
        "CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS": "none",
    }
    viewed = json.loads(succeed("config", "view", "-o", "json"))
    assert viewed["lease_seconds"] == {
        "value": 3.0,
        "source": f"profile 'default': {home / 'profiles.toml'}",
    }
    succeed("config", "unset", "ledger_path", "CAUDAL_LEASE_SECONDS")
    assert list(Profiles(home).values("default")) == [
        "CAUDAL_LOGGING_LOG_PRINTS",
        "CAUDAL_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "lease_seconds"], "not of the form NAME=VALUE"),
        (["set", "lease_seconds=4", "lese_seconds=3"], "nearest one is 'lease_seconds'"),
        (["set", "lease_seconds=4", "durability=x"], "'async', 'commit', 'sync'"),
        (["set", "home=/srv"], "environment variable CAUDAL_HOME"),
        (["unset", "lease_seconds"], "CAUDAL_LEASE_SECONDS is not set in profile 'default'"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made_is_explained(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Nothing is written, not even the part that is right."""
    assert run_command(["config", *arguments]) == 2

    assert message in capsys.readouterr().err
    assert not (home / "profiles.toml").exists()


def test_a_value_that_something_else_beats_is_told(
    folder: Path, invoke: Callable[..., Result]
) -> None:
    """Whoever sets it learns why it does not count."""
    (folder / "caudal.toml").write_text("lease_seconds = 5")

    result = invoke("config", "set", "lease_seconds=3", "durability=sync")

    assert f"CAUDAL_LEASE_SECONDS has another value here, from caudal.toml: {folder}" in result.stderr  # fmt: skip
    assert "DURABILITY" not in result.stderr


def test_validate_looks_at_all_profiles(
    home: Path, invoke: Callable[..., Result], succeed: Callable[..., str]
) -> None:
    """Each error is told once."""
    assert succeed("config", "validate") == "The settings are valid.\n"
    text = "[profiles.one]\nlease_seconds = 0\n[profiles.two]\nCAUDAL_X = 1\n"
    (home / "profiles.toml").write_text(text)

    result = invoke("config", "validate")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("Error: ") == 2
    assert "profile 'one'" in result.stderr
    assert "profile 'two'" in result.stderr
    (home / "profiles.toml").write_text("profiles = 1")
    assert invoke("config", "validate").stderr.count("Error: ") == 1


def test_a_wrong_setting_can_be_unset(home: Path, succeed: Callable[..., str]) -> None:
    """What keeps other commands from working can be taken out by command."""
    (home / "profiles.toml").write_text("[profiles.default]\nCAUDAL_X = 1\n")

    succeed("config", "unset", "CAUDAL_X")

    assert succeed("config", "validate") == "The settings are valid.\n"


def test_profiles_from_creation_to_deletion(
    home: Path, invoke: Callable[..., Result], succeed: Callable[..., str]
) -> None:
    """Each command does its part, and lists tell the whole."""
    assert succeed("profile", "create", "dev") == "Created profile 'dev'.\n"
    succeed("profile", "use", "dev")
    succeed("config", "set", "durability=sync")
    succeed("profile", "create", "prod", "--from", "dev")
    succeed("profile", "rename", "prod", "live")

    lines = [line.split() for line in succeed("profile", "ls").splitlines()]
    assert lines == [
        ["PROFILE", "IN", "USE", "SETTINGS"],
        ["default", "0"],
        ["dev", "yes", "1"],
        ["live", "1"],
    ]
    listed = json.loads(succeed("profile", "ls", "-o", "json"))
    live = {
        "name": "live",
        "in_use": False,
        "settings": {"CAUDAL_DURABILITY": "sync"},
    }
    assert listed[2] == live
    assert json.loads(succeed("profile", "inspect", "live", "-o", "json")) == live
    assert succeed("profile", "inspect").splitlines()[1].split() == [
        "CAUDAL_DURABILITY",
        "sync",
    ]
    assert "gives no setting" in invoke("profile", "inspect", "default").stderr
    with pytest.raises(ProfileInUseError):
        invoke("profile", "delete", "dev")
    succeed("profile", "delete", "live")
    assert Profiles(home).names == ["default", "dev"]


def test_a_profile_needs_a_name(invoke: Callable[..., Result]) -> None:
    """An empty one would count as none."""
    assert invoke("profile", "create", " ").exit_code == 2
    assert invoke("profile", "rename", "default", "").exit_code == 2


def test_a_missing_profile_can_be_made_or_left(
    home: Path, invoke: Callable[..., Result], succeed: Callable[..., str]
) -> None:
    """Whoever edited the file by hand gets on by command; nothing is set in a profile that is not there."""
    (home / "profiles.toml").write_text("active = 'gone'\n")

    with pytest.raises(ProfileNotFoundError, match="'active' in"):
        invoke("config", "set", "lease_seconds=3")
    assert "yes" not in succeed("profile", "ls")
    succeed("profile", "use", "default")
    succeed("config", "set", "lease_seconds=3")


def test_use_tells_what_wins_over_it(
    invoke: Callable[..., Result],
    succeed: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable still chooses for the commands that have it."""
    succeed("profile", "create", "dev")
    monkeypatch.setenv("CAUDAL_PROFILE", "default")

    result = invoke("profile", "use", "dev")

    assert "from now on" in result.stdout
    assert "CAUDAL_PROFILE says 'default'" in result.stderr


def test_a_profile_can_be_chosen_for_one_command(succeed: Callable[..., str]) -> None:
    """It counts for that process and those it starts."""
    succeed("profile", "create", "dev")

    command = [sys.executable, "-m", "caudal", "--profile", "dev"]
    subprocess.run([*command, "config", "set", "lease_seconds=3"], check=True)
    viewed = subprocess.check_output([*command, "config", "view", "-o", "json"])
    wrong = subprocess.run(
        [*command[:-1], "dv", "--debug", "flow-run", "ls"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert json.loads(viewed)["lease_seconds"]["value"] == 3.0
    assert "CAUDAL_PROFILE" not in os.environ
    assert "Traceback" in wrong.stderr
    assert "no profile 'dv'" in wrong.stderr
