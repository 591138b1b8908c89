"""The errors of dbt projects."""

from __future__ import annotations

import pickle

import pytest

from caudal.integrations.dbt import (
    DbtCommandError,
    DbtError,
    DbtNodesFailedError,
    DbtNotInstalledError,
    DbtProjectError,
)

ERRORS = [
    DbtCommandError("dbt build", "exit status 2", ("no profile",), "/p/dbt.log"),
    DbtNodesFailedError(("model.a",), (), "Binder Error", "dbt retry", "/p/dbt.log"),
    DbtNotInstalledError(("/venv/bin/dbt", "dbt on PATH")),
    DbtProjectError("/p", "dbt_project.yml", "project_dir"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_keeps_text_and_fields_through_pickle(error: DbtError) -> None:
    """An error that a worker process raises reads the same in the parent."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_failed_nodes_are_named_with_the_first_error_and_the_way_back() -> None:
    """The message says what failed, why, and what to type next."""
    error = DbtNodesFailedError(
        ("model.a", "test.b"),
        ("model.c",),
        "Binder Error\nno column",
        "dbt retry",
        "/p/dbt.log",
    )

    assert str(error) == (
        "2 dbt nodes failed and 1 was skipped: 'model.a', 'test.b'. The first said:\n"
        "  Binder Error\n"
        "  no column\n"
        "Correct the SQL or the data; `dbt retry` runs what failed and what was skipped again. dbt's log is '/p/dbt.log'."
    )


def test_a_killed_dbt_is_no_mistake_of_the_project() -> None:
    """Where dbt said nothing, the advice is about the machine."""
    error = DbtCommandError("dbt build", "killed by SIGKILL", (), "/p/dbt.log")

    assert "killed by SIGKILL" in str(error)
    assert "memory" in str(error)
    assert "Correct this" not in str(error)


def test_a_missing_dbt_names_the_line_that_installs_it() -> None:
    """The message can be followed by pasting."""
    assert 'pip install "caudal[dbt]"' in str(DbtNotInstalledError(("dbt",)))
