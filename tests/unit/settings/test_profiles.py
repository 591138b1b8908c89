"""Profiles: where they stand, which one is in use, and how their file is changed."""

from __future__ import annotations

import threading
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from caudal.exceptions import (
    CaudalError,
    ProfileExistsError,
    ProfileInUseError,
    ProfileNotFoundError,
    SettingError,
    SettingsFileError,
    UnknownSettingError,
)
from caudal.settings import Settings, load_settings
from caudal.settings.profiles import Profiles, edited_profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = """
active = "dev"

[profiles.dev]
CAUDAL_LOGGING_LEVEL = "DEBUG"

[profiles.prod]
lease_seconds = 60

[profiles.prod.results]
persist_by_default = true
"""


@pytest.fixture
def file(home: Path) -> Path:
    """Give the test a file of profiles."""
    file = home / "profiles.toml"
    file.write_text(FILE)
    return file


def load(home: Path, **environ: str) -> Settings:
    """Load settings in a folder without other files."""
    return load_settings({"CAUDAL_HOME": str(home), **environ}, home)


def test_the_active_profile_applies(home: Path, file: Path) -> None:
    """The file says which one; each value names profile and file."""
    settings = load(home)

    assert (settings.logging_level, settings.lease_seconds) == ("DEBUG", 10.0)
    assert settings.source("logging_level") == f"profile 'dev': {file}"


@pytest.mark.usefixtures("file")
def test_a_variable_chooses_another_profile(home: Path) -> None:
    """It wins over the file, in .env too; settings may be written as in caudal.toml."""
    settings = load(home, CAUDAL_PROFILE="prod")

    assert (settings.logging_level, settings.lease_seconds) == ("INFO", 60.0)
    assert settings.results_persist_by_default is True
    (home / ".env").write_text("CAUDAL_PROFILE=default")
    assert load(home).logging_level == "INFO"
    assert load(home, CAUDAL_PROFILE="dev").logging_level == "DEBUG"


def test_without_a_file_there_is_the_default_profile(home: Path) -> None:
    """It is empty, and can be named."""
    assert load(home, CAUDAL_PROFILE="default").source("durability") == "default"
    assert Profiles(home).names == ["default"]


@pytest.mark.usefixtures("file")
def test_a_profile_that_is_not_there_is_an_error(home: Path) -> None:
    """It names the nearest one, and where the name stood."""
    with pytest.raises(
        ProfileNotFoundError, match=r"'prd' \(from CAUDAL_PROFILE.*'prod'"
    ):
        load(home, CAUDAL_PROFILE="prd")
    (home / "profiles.toml").write_text("active = 'gone'")
    with pytest.raises(ProfileNotFoundError, match=r"'active' in .*profiles\.toml"):
        load(home)


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        ("[profiles.default]\nCAUDAL_HOM = 1", UnknownSettingError, "'CAUDAL_HOME'"),
        ("[profiles.default]\nlease_seconds = 0", SettingError, "above 0"),
        ("[profiles.default]\nhome = '/srv'", SettingError, "variable CAUDAL_HOME"),
        ("active = 3", SettingsFileError, "'active' is not"),
        ("profiles = 3", SettingsFileError, "'profiles' is not"),
        ("[profiles]\ndev = 3", SettingsFileError, "'profiles' is not"),
        ("[dev]\nlease_seconds = 3", SettingsFileError, "'dev' is neither"),
        ("active = ", SettingsFileError, "Invalid value"),
    ],
)
def test_a_wrong_file_is_a_readable_error(
    home: Path, content: str, error: type[CaudalError], match: str
) -> None:
    """The error says what is wrong in which file."""
    (home / "profiles.toml").write_text(content)

    with pytest.raises(error, match=match) as caught:
        load(home)

    assert "profiles.toml" in str(caught.value)


def test_a_relative_path_starts_from_the_home_folder(home: Path) -> None:
    """A profile means the same wherever the program runs."""
    (home / "profiles.toml").write_text("profiles.default.ledger_path = 'a/b.db'")

    assert load(home).ledger_path == str(home / "a" / "b.db")


def test_profiles_are_made_copied_used_renamed_and_deleted(home: Path) -> None:
    """What is written is read again the same."""
    with edited_profiles(home / "new") as profiles:
        profiles.create("dev")
        profiles.values("dev")["CAUDAL_LEASE_SECONDS"] = 3.5
        profiles.create("test", "dev")
        profiles.use("dev")
        profiles.rename("dev", "local")
    with edited_profiles(home / "new") as profiles:
        profiles.delete("test", in_use="default")

    found = Profiles(home / "new")
    assert (found.active, found.names) == ("local", ["default", "local"])
    assert found.values("local") == {"CAUDAL_LEASE_SECONDS": 3.5}
    assert (home / "new" / "profiles.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda profiles: profiles.create("dev"), ProfileExistsError),
        (lambda profiles: profiles.create("new", "gone"), ProfileNotFoundError),
        (lambda profiles: profiles.rename("dev", "prod"), ProfileExistsError),
        (lambda profiles: profiles.rename("gone", "new"), ProfileNotFoundError),
        (lambda profiles: profiles.use("gone"), ProfileNotFoundError),
        (lambda profiles: profiles.delete("gone", ""), ProfileNotFoundError),
        (lambda profiles: profiles.delete("dev", "prod"), ProfileInUseError),
        (lambda profiles: profiles.delete("prod", "prod"), ProfileInUseError),
    ],
)
def test_a_change_that_cannot_be_made_leaves_the_file_alone(
    home: Path,
    file: Path,
    change: Callable[[Profiles], None],
    error: type[CaudalError],
) -> None:
    """The error is raised, and not half of the change is written."""

    def edit() -> None:
        with edited_profiles(home) as profiles:
            profiles.create("half")
            change(profiles)

    with pytest.raises(error):
        edit()

    assert file.read_text() == FILE
    assert [found.name for found in home.iterdir()] == ["profiles.toml"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        'say "hi"\n\t\\',
        "\x7f\x00é🐍",
        True,
        0,
        -1.5,
        float("inf"),
        1e300,
        [1.0, 60.0],
    ],
)
def test_every_value_is_written_as_it_was(home: Path, value: Any) -> None:
    """Names of profiles and of settings too, whatever characters they have."""
    with edited_profiles(home) as profiles:
        profiles.create("a.b c'é")
        profiles.values("a.b c'é")["odd key.x"] = value

    text = (home / "profiles.toml").read_text()
    assert tomllib.loads(text)["profiles"]["a.b c'é"] == {"odd key.x": value}


def test_changes_made_at_the_same_time_are_all_kept(home: Path) -> None:
    """One waits for the other."""

    def add(number: int) -> None:
        with edited_profiles(home) as profiles:
            profiles.create(f"number {number}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(Profiles(home).names) == 13


def test_a_linked_file_stays_a_link(home: Path, tmp_path: Path) -> None:
    """The file behind it is changed."""
    (tmp_path / "kept.toml").write_text(FILE)
    (home / "profiles.toml").symlink_to(tmp_path / "kept.toml")

    with edited_profiles(home) as profiles:
        profiles.use("prod")

    assert (home / "profiles.toml").is_symlink()
    assert 'active = "prod"' in (tmp_path / "kept.toml").read_text()


def test_a_home_that_cannot_be_written_is_a_readable_error(home: Path) -> None:
    """A file stands where the folder should be."""
    (home / "file").touch()

    with (
        pytest.raises(SettingsFileError, match="file"),
        edited_profiles(home / "file" / "home"),
    ):
        pass
