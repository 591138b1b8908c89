"""Settings: where values come from, what each setting takes, and what a wrong one says."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import caudal.settings
from caudal.exceptions import SettingError, SettingsFileError, UnknownSettingError
from caudal.settings import (
    CAUDAL_DURABILITY,
    CAUDAL_LEASE_SECONDS,
    CAUDAL_LOGGING_COLORS,
    CAUDAL_LOGGING_LEVEL,
    SETTINGS,
    Setting,
    Settings,
    constants,
    get_current_settings,
    load_settings,
    temporary_settings,
)
from caudal.settings.current import read_settings


def from_env(**environ: str) -> Settings:
    """Load settings from environment variables alone, in a folder without files."""
    return load_settings(environ, Path("/"))


def test_defaults_apply_when_nothing_is_given() -> None:
    """Without files and variables each setting has its default and says so."""
    settings = from_env()

    assert settings.home == Path.home() / ".caudal"
    assert settings.durability == "commit"
    assert settings.results_inline_limit_bytes == 8192
    assert settings.results_persist_by_default is False
    assert settings.tasks_runner_thread_pool_max_workers is None
    assert {settings.source(name) for name in SETTINGS} == {"default"}


def test_ledger_and_storage_follow_home() -> None:
    """Paths that are not given lie in the home folder."""
    settings = from_env(CAUDAL_HOME="/srv/caudal")

    assert settings.ledger_path == "/srv/caudal/caudal.db"
    assert settings.results_local_storage_path == Path("/srv/caudal/storage")
    assert settings.source("ledger_path") == "default"


def test_a_home_with_tilde_is_expanded() -> None:
    """A leading tilde means the user's home folder."""
    assert from_env(CAUDAL_HOME="~/elsewhere").home == Path.home() / "elsewhere"


def test_a_relative_path_in_a_variable_starts_from_the_working_directory(
    tmp_path: Path,
) -> None:
    """A relative path in the environment is taken from where the program runs."""
    settings = load_settings({"CAUDAL_LEDGER_PATH": "runs.db"}, tmp_path)

    assert settings.ledger_path == str(tmp_path / "runs.db")


def test_the_ledger_can_be_in_memory() -> None:
    """The special path is kept as it is."""
    assert from_env(CAUDAL_LEDGER_PATH=":memory:").ledger_path == ":memory:"


def test_later_sources_win(tmp_path: Path) -> None:
    """Default, profile, project file, .env, environment, block of code: each beats those before it, and says its name."""
    lines = [f"CAUDAL_{name} = 1" for name in _RANKED[1:]]
    (tmp_path / "profiles.toml").write_text("[profiles.default]\n" + "\n".join(lines))
    file = tmp_path / "caudal.toml"
    file.write_text("\n".join(f"{name.lower()} = 2" for name in _RANKED[2:]))
    dotenv = "".join(f"export CAUDAL_{name}='3'\n" for name in _RANKED[3:])
    (tmp_path / ".env").write_text(f"OTHER=x\n{dotenv}")
    environ = {f"CAUDAL_{name}": "4" for name in _RANKED[4:]}

    settings = load_settings({"CAUDAL_HOME": str(tmp_path), **environ}, tmp_path)
    names = [name.lower() for name in _RANKED]
    block = settings.copy_with_update({names[5]: 5}, source="block")

    assert [getattr(block, name) for name in names] == [10, 1, 2, 3, 4, 5]
    assert [block.source(name) for name in names] == [
        "default",
        f"profile 'default': {tmp_path / 'profiles.toml'}",
        f"caudal.toml: {file}",
        f".env CAUDAL_{_RANKED[3]}",
        f"env CAUDAL_{_RANKED[4]}",
        "block",
    ]


#: Settings that take a number, one for each source.
_RANKED = (
    "LEASE_SECONDS",
    "RESULTS_INLINE_LIMIT_BYTES",
    "TASKS_DEFAULT_RETRIES",
    "FLOWS_DEFAULT_RETRIES",
    "TASKS_RUNNER_THREAD_POOL_MAX_WORKERS",
    "TASKS_RUNNER_PROCESS_POOL_MAX_WORKERS",
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER=json", "json"),
        ("  export CAUDAL_RESULTS_DEFAULT_SERIALIZER = json  # as text", "json"),
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER='js # on'", "js # on"),
        ('CAUDAL_RESULTS_DEFAULT_SERIALIZER="json" # as text', "json"),
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER=js#on", "js#on"),
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER=it's", "it's"),
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER=", "auto"),
        ("CAUDAL_RESULTS_DEFAULT_SERIALIZER= # none", "auto"),
        ("#CAUDAL_RESULTS_DEFAULT_SERIALIZER=json", "auto"),
        ("CAUDAL__INTERNAL=1", "auto"),
    ],
)
def test_lines_of_a_dotenv_file_are_read_as_a_shell_does(
    tmp_path: Path, line: str, expected: str
) -> None:
    """Quotes, comments, spaces and ``export`` are taken off."""
    (tmp_path / ".env").write_text(line)

    assert load_settings({}, tmp_path).results_default_serializer == expected


def test_an_unknown_name_in_a_dotenv_file_is_an_error(tmp_path: Path) -> None:
    """It is traced to the file, as in other sources; names of other programs are passed over."""
    (tmp_path / ".env").write_text("PASSWORD=x\nCAUDAL_HOM=/srv\n")

    with pytest.raises(UnknownSettingError, match=r"from \.env.*'CAUDAL_HOME'"):
        load_settings({}, tmp_path)


def test_a_dotenv_file_that_is_no_text_is_a_readable_error(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are named with their file."""
    (tmp_path / ".env").write_bytes(b"CAUDAL_HOME=\xff\n")

    with pytest.raises(SettingsFileError, match=r"\.env"):
        load_settings({}, tmp_path)


def test_the_environment_wins_over_a_file_and_a_file_over_the_default(
    tmp_path: Path,
) -> None:
    """Sources apply in their order, and each value knows its own."""
    file = tmp_path / "caudal.toml"
    file.write_text('logging_level = "DEBUG"\ndurability = "sync"\n')

    settings = load_settings({"CAUDAL_DURABILITY": "async"}, tmp_path)

    assert (settings.logging_level, settings.durability) == ("DEBUG", "async")
    assert settings.source("logging_level") == f"caudal.toml: {file}"
    assert settings.source("durability") == "env CAUDAL_DURABILITY"
    assert settings.source("lease_seconds") == "default"


def test_nested_tables_name_the_same_settings(tmp_path: Path) -> None:
    """A table's name and its keys make up the name of the setting."""
    (tmp_path / "caudal.toml").write_text(
        "[results]\npersist_by_default = true\n"
        "[tasks]\ndefault_retry_delay_seconds = [1, 10]\n"
        "[tasks.runner]\nthread_pool_max_workers = 4\n"
    )

    settings = load_settings({}, tmp_path)

    assert settings.results_persist_by_default is True
    assert settings.tasks_default_retry_delay_seconds == [1.0, 10.0]
    assert settings.tasks_runner_thread_pool_max_workers == 4


def test_the_nearest_file_upward_is_used(tmp_path: Path) -> None:
    """The search goes from the working directory to its parents, and stops at the first file."""
    (tmp_path / "caudal.toml").write_text("lease_seconds = 60\ndurability = 'sync'\n")
    project = tmp_path / "project"
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.caudal]\nlease_seconds = 30\n")

    settings = load_settings({}, deep)

    assert settings.lease_seconds == 30.0
    assert settings.durability == "commit"
    assert (
        settings.source("lease_seconds")
        == f"pyproject.toml: {project / 'pyproject.toml'}"
    )


@pytest.mark.parametrize(
    "content", ["[project]\nname = 'x'\n", "[project]\nname = 'caudal-user'\n", ""]
)
def test_a_project_file_without_our_table_is_passed_over(
    tmp_path: Path, content: str
) -> None:
    """A ``pyproject.toml`` of some other project does not end the search."""
    (tmp_path / "caudal.toml").write_text("lease_seconds = 60\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text(content)

    assert load_settings({}, inner).lease_seconds == 60.0


def test_caudal_toml_wins_over_the_project_file_beside_it(tmp_path: Path) -> None:
    """In one folder only ``caudal.toml`` is read."""
    (tmp_path / "caudal.toml").write_text("lease_seconds = 60\n")
    (tmp_path / "pyproject.toml").write_text("[tool.caudal]\nlease_seconds = 30\n")

    assert load_settings({}, tmp_path).lease_seconds == 60.0


def test_a_relative_path_in_a_file_starts_from_that_file(tmp_path: Path) -> None:
    """A file means the same from whichever folder below it the program runs."""
    (tmp_path / "caudal.toml").write_text('home = "state"\n')
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)

    assert load_settings({}, deep).home == tmp_path / "state"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """An empty variable does not hide what a file says."""
    (tmp_path / "caudal.toml").write_text("lease_seconds = 60\n")

    assert load_settings({"CAUDAL_LEASE_SECONDS": ""}, tmp_path).lease_seconds == 60.0


def test_reserved_and_foreign_variables_are_ignored() -> None:
    """Names with two underscores are internal, and others are none of ours."""
    settings = from_env(CAUDAL__PARENT="7", CAUDALITY="high", PATH="/bin")

    assert settings.source("home") == "default"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("results_persist_by_default", "true", True),
        ("results_persist_by_default", "ON", True),
        ("results_persist_by_default", "1", True),
        ("logging_colors", "no", False),
        ("logging_colors", "False", False),
        ("logging_level", "warning", "WARNING"),
        ("logging_format", "JSON", "json"),
        ("results_default_serializer", "pickle", "pickle"),
        ("results_inline_limit_bytes", "0", 0),
        ("tasks_default_retries", "3", 3),
        ("tasks_default_retry_delay_seconds", "1.5", 1.5),
        ("tasks_default_retry_delay_seconds", "1, 10, 60", [1.0, 10.0, 60.0]),
        ("tasks_runner_process_pool_max_workers", "2", 2),
        ("tasks_runner_process_pool_max_workers", "none", None),
        ("ledger_flush_interval_seconds", "0", 0.0),
        ("lease_seconds", "0.5", 0.5),
    ],
)
def test_text_is_read_as_the_type_of_the_setting(
    name: str, text: str, expected: object
) -> None:
    """A variable's text becomes a typed value."""
    settings = from_env(**{SETTINGS[name].name: text})

    assert getattr(settings, name) == expected
    assert type(getattr(settings, name)) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("home", 3, "a path"),
        ("home", "", "a path"),
        ("ledger_path", False, "a path"),
        ("results_default_serializer", 1, "a text"),
        ("results_persist_by_default", "maybe", "true or false"),
        ("results_persist_by_default", 2, "true or false"),
        ("results_inline_limit_bytes", -1, "a whole number, 0 or more"),
        ("results_inline_limit_bytes", "8k", "a whole number, 0 or more"),
        ("results_inline_limit_bytes", 1.5, "a whole number, 0 or more"),
        ("tasks_default_retries", True, "a whole number, 0 or more"),
        ("tasks_runner_thread_pool_max_workers", 0, "a whole number, 1 or more"),
        ("flows_default_retry_delay_seconds", "-1", "a number of seconds, 0 or more"),
        ("flows_default_retry_delay_seconds", "nan", "a number of seconds"),
        ("flows_default_retry_delay_seconds", True, "a number of seconds"),
        ("flows_default_retry_delay_seconds", [1], "a number of seconds"),
        ("tasks_default_retry_delay_seconds", "1,soon", "a list of them"),
        ("lease_seconds", 0, "a number of seconds above 0"),
        ("lease_seconds", "long", "a number of seconds above 0"),
        ("logging_level", "LOUD", "one of 'DEBUG', 'INFO'"),
        ("durability", 1, "one of 'async', 'commit', 'sync'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(
    name: str, value: object, expected: str
) -> None:
    """The error names the setting, the value, its source and what is allowed."""
    with pytest.raises(SettingError) as caught, temporary_settings({name: value}):
        pass

    message = str(caught.value)
    assert f"setting {name!r} cannot be {value!r}" in message
    assert "from temporary_settings" in message
    assert expected in message


def test_a_wrong_value_names_the_variable_it_came_from() -> None:
    """A value from the environment is traced to its variable."""
    with pytest.raises(
        SettingError, match=r"cannot be 'LOUD' \(from env CAUDAL_LOGGING_LEVEL\)"
    ):
        from_env(CAUDAL_LOGGING_LEVEL="LOUD")


def test_a_wrong_value_names_the_file_it_came_from(tmp_path: Path) -> None:
    """A value from a file is traced to the file."""
    file = tmp_path / "caudal.toml"
    file.write_text("lease_seconds = -3\n")

    with pytest.raises(SettingError) as caught:
        load_settings({}, tmp_path)

    assert caught.value.source == f"caudal.toml: {file}"


def test_an_unknown_variable_names_the_nearest_one() -> None:
    """A misspelt variable is an error that says what was probably meant."""
    with pytest.raises(
        UnknownSettingError, match=r"'CAUDAL_LOGING_LEVEL'.*'CAUDAL_LOGGING_LEVEL'"
    ):
        from_env(CAUDAL_LOGING_LEVEL="DEBUG")


def test_an_unknown_key_in_a_file_names_the_nearest_one_and_the_file(
    tmp_path: Path,
) -> None:
    """A misspelt key is an error that says where it stands and what was probably meant."""
    file = tmp_path / "caudal.toml"
    file.write_text("[results]\npersit_by_default = true\n")

    with pytest.raises(UnknownSettingError) as caught:
        load_settings({}, tmp_path)

    assert caught.value.name == "results_persit_by_default"
    assert caught.value.source == f"caudal.toml: {file}"
    assert caught.value.nearest == "results_persist_by_default"


def test_an_unknown_name_in_code_is_an_error() -> None:
    """Asking for the source of a setting that is not there names the nearest one."""
    with pytest.raises(UnknownSettingError, match="'durability'"):
        from_env().source("durabilty")
    with pytest.raises(UnknownSettingError), temporary_settings({"no_such": 1}):
        pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"lease_seconds = \n", "line 1"),
        (b"lease_seconds = 1\nlease_seconds = 2\n", "overwrite"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_a_file_that_is_no_toml_is_a_readable_error(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """A damaged file is named, with what is wrong in it."""
    file = tmp_path / "caudal.toml"
    file.write_bytes(content)

    with pytest.raises(SettingsFileError, match=reason) as caught:
        load_settings({}, tmp_path)

    assert caught.value.path == str(file)


@pytest.mark.parametrize("content", ["tool.caudal = 3", "tool = 'caudal'"])
def test_a_project_file_whose_table_is_none_is_a_readable_error(
    tmp_path: Path, content: str
) -> None:
    """A value where the table should be is refused."""
    (tmp_path / "pyproject.toml").write_text(content)

    with pytest.raises(SettingsFileError, match="is not a table"):
        load_settings({}, tmp_path)


def test_a_file_that_cannot_be_opened_is_a_readable_error(tmp_path: Path) -> None:
    """A file that is there but cannot be read is not passed over in silence."""
    (tmp_path / "caudal.toml").symlink_to("caudal.toml")

    with pytest.raises(SettingsFileError, match="symbolic links"):
        load_settings({}, tmp_path)


def test_a_folder_named_like_a_settings_file_is_passed_over(tmp_path: Path) -> None:
    """Only files are read."""
    (tmp_path / "caudal.toml").mkdir()

    assert load_settings({}, tmp_path).source("home") == "default"


def test_a_deleted_working_directory_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings load even where there is no working directory any more."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    assert load_settings({}).durability == "commit"


def test_a_user_without_home_folder_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where ``~`` means nothing, the error names the variable to set, and setting it helps."""

    def no_home(path: Path) -> Path:
        if "~" in str(path):
            msg = "Could not determine home directory."
            raise RuntimeError(msg)
        return path

    monkeypatch.setattr(Path, "expanduser", no_home)

    with pytest.raises(SettingError, match="CAUDAL_HOME"):
        from_env()
    assert from_env(CAUDAL_HOME="/srv/caudal").home == Path("/srv/caudal")


def test_settings_cannot_be_changed() -> None:
    """Assigning to a setting fails and names the way to do it."""
    settings: Any = from_env()

    with pytest.raises(AttributeError, match="temporary_settings"):
        settings.durability = "sync"


def test_settings_survive_pickling() -> None:
    """A worker process gets the same values with the same sources."""
    settings = from_env(CAUDAL_HOME="/srv/caudal", CAUDAL_LEASE_SECONDS="3")

    copy = pickle.loads(pickle.dumps(settings))  # noqa: S301 - our own bytes

    assert vars(copy) == vars(settings)
    assert copy.source("lease_seconds") == "env CAUDAL_LEASE_SECONDS"


def test_repr_shows_what_was_given() -> None:
    """Defaults are left out of the text."""
    assert repr(from_env(CAUDAL_LEASE_SECONDS="3")) == "Settings(lease_seconds=3.0)"


def test_current_settings_are_read_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process keeps the settings it started with."""
    first = get_current_settings()
    monkeypatch.setenv("CAUDAL_LEASE_SECONDS", "99")

    assert first.home == home
    assert get_current_settings() is first


def test_temporary_settings_apply_within_the_block_only(home: Path) -> None:
    """Blocks nest, keep what they do not name, and end where they began."""
    with temporary_settings({"durability": "sync"}) as outer:
        with temporary_settings({"lease_seconds": 3}):
            inner = get_current_settings()
        assert get_current_settings() is outer

    assert (inner.durability, inner.lease_seconds, inner.home) == ("sync", 3.0, home)
    assert inner.source("durability") == "temporary_settings"
    assert get_current_settings().durability == "commit"


def test_temporary_settings_end_with_an_error_in_the_block() -> None:
    """An exception leaves the settings as they were before."""
    with pytest.raises(ZeroDivisionError), temporary_settings({"durability": "sync"}):
        raise ZeroDivisionError

    assert get_current_settings().durability == "commit"


def test_temporary_home_moves_what_lies_in_it(tmp_path: Path) -> None:
    """Defaults that depend on home are worked out anew."""
    with temporary_settings({"home": tmp_path}) as settings:
        assert settings.ledger_path == str(tmp_path / "caudal.db")


def test_a_setting_is_named_by_constant_variable_or_key() -> None:
    """Blocks of code take all of them, in one mapping."""
    values = {
        CAUDAL_LOGGING_LEVEL: "debug",
        "CAUDAL_DURABILITY": "sync",
        "lease_seconds": 3,
        "results.persist_by_default": True,
    }
    with temporary_settings(values) as settings:
        assert CAUDAL_LOGGING_LEVEL.value() == "DEBUG"
        assert settings.durability == "sync"
        assert settings.lease_seconds == 3.0
        assert settings.results_persist_by_default is True


def test_defaults_can_be_set_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """``set_defaults`` yields to what was given, ``restore_defaults`` to what is given with it."""
    monkeypatch.setenv("CAUDAL_LEASE_SECONDS", "7")
    monkeypatch.setenv("CAUDAL_DURABILITY", "sync")

    with temporary_settings(
        set_defaults={CAUDAL_LEASE_SECONDS: 1, CAUDAL_LOGGING_LEVEL: "ERROR"}
    ) as settings:
        assert (settings.lease_seconds, settings.logging_level) == (7.0, "ERROR")
    with temporary_settings(
        {CAUDAL_LEASE_SECONDS: 2},
        restore_defaults=[CAUDAL_LEASE_SECONDS, CAUDAL_DURABILITY],
    ) as settings:
        assert (settings.lease_seconds, settings.durability) == (2.0, "commit")
    with temporary_settings(
        set_defaults={CAUDAL_LEASE_SECONDS: 1}, restore_defaults=[CAUDAL_LEASE_SECONDS]
    ) as settings:
        assert settings.lease_seconds == 1.0
    with pytest.raises(UnknownSettingError), temporary_settings(restore_defaults=["x"]):
        pass


def test_every_setting_has_a_constant() -> None:
    """It bears the name of the environment variable, and is the setting itself."""
    assert {name: getattr(caudal.settings, name) for name in constants.__all__} == {
        setting.name: setting for setting in SETTINGS.values()
    }
    assert set(constants.__all__) < set(caudal.settings.__all__)


def test_a_constant_stands_for_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives value, default and name, and serves as a condition and as text."""
    monkeypatch.setenv(CAUDAL_LEASE_SECONDS.name, "7")

    assert CAUDAL_LEASE_SECONDS.value() == 7.0
    assert CAUDAL_LEASE_SECONDS.value_from(from_env()) == 10.0
    assert CAUDAL_LEASE_SECONDS.default() == 10.0
    assert CAUDAL_LEASE_SECONDS.key == "lease_seconds"
    assert (str(CAUDAL_LEASE_SECONDS), bool(CAUDAL_LEASE_SECONDS)) == ("7.0", True)
    assert repr(CAUDAL_LEASE_SECONDS) == "<CAUDAL_LEASE_SECONDS>"
    assert pickle.loads(pickle.dumps(CAUDAL_LEASE_SECONDS)) is CAUDAL_LEASE_SECONDS  # noqa: S301
    with temporary_settings({CAUDAL_LOGGING_COLORS: False}):
        assert not CAUDAL_LOGGING_COLORS


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    """What can be used is there, with all that cannot."""
    (tmp_path / "caudal.toml").write_text("lease_seconds = 3\nlese_seconds = 3\n")
    environ = {
        "CAUDAL_DURABILITY": "for ever",
        "CAUDAL_LOGGING_LEVEL": "DEBUG",
        "CAUDAL_PROFILE": "nobody",
    }

    settings, profile, _, errors = read_settings(environ, tmp_path)

    assert [type(error).__name__ for error in errors] == [
        "UnknownSettingError",
        "SettingError",
        "ProfileNotFoundError",
    ]
    assert (settings.lease_seconds, settings.logging_level) == (3.0, "DEBUG")
    assert (settings.durability, profile) == ("commit", "nobody")


def test_temporary_settings_stay_in_their_context() -> None:
    """Another thread does not see them."""
    seen: list[str] = []
    with temporary_settings({"durability": "sync"}):
        thread = threading.Thread(
            target=lambda: seen.append(get_current_settings().durability)
        )
        thread.start()
        thread.join()

    assert seen == ["commit"]


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_setting_describes_itself(setting: Setting[Any]) -> None:
    """Each setting has a variable of its own and one sentence on what it does."""
    assert setting.name == f"CAUDAL_{setting.key.upper()}"
    assert setting.description.endswith(".")
    assert getattr(Settings, setting.key) is setting


def test_settings_can_be_read_by_their_groups() -> None:
    """As they are written in a settings file, and in Prefect."""
    with temporary_settings({"results_persist_by_default": True, "tasks_runner_thread_pool_max_workers": 3}) as settings:  # fmt: skip
        assert settings.results.persist_by_default is True
        assert settings.tasks.runner.thread_pool_max_workers == 3
        with pytest.raises(AttributeError, match="results_nope"):
            _ = settings.results.nope
        with pytest.raises(AttributeError, match="no setting 'nope'"):
            _ = settings.nope
