"""Parameters from the command line."""

from __future__ import annotations

from typing import Any

import click
import pytest

from caudal import flow
from caudal.cli.parameters import read_parameters, split_parameters
from caudal.exceptions import ParameterError, ParameterTypeError


@flow
def load(day: str, stores: list[int] | None = None, limit: int = 10) -> None:
    """Take parameters of several types."""


@flow
def anything(**options: Any) -> None:
    """Take any parameter."""


@flow(validate_parameters=False)
def unchecked(limit: int = 10) -> None:
    """Take parameters as they come."""


def test_names_and_texts_are_parted_at_the_first_equals_sign() -> None:
    """A value may have equals signs and may be empty."""
    assert split_parameters(["a=1", "b=x=y", "c="]) == {
        "a": "1",
        "b": "x=y",
        "c": "",
    }


def test_a_parameter_that_is_given_twice_is_wrong_usage() -> None:
    """Neither value is dropped in silence."""
    with pytest.raises(click.UsageError, match="'n' twice, '2' and '3'"):
        split_parameters(["n=2", "m=1", "n=3"])


@pytest.mark.parametrize("text", ["limit", "=5"])
def test_a_parameter_without_name_or_value_is_wrong_usage(text: str) -> None:
    """The message shows what -p takes."""
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        split_parameters([text])


def test_values_are_json_where_they_are_and_else_text() -> None:
    """Lists and numbers are read, words are taken as they stand, defaults are added."""
    read = read_parameters(load, {"day": "monday", "stores": "[1, 2]"}, {})

    assert read == {"day": "monday", "stores": [1, 2], "limit": 10}


@pytest.mark.parametrize("text", ["2024", "true", "01234", "null", '{"a": 1}'])
def test_a_text_that_looks_like_json_stays_a_text_where_a_text_is_wanted(
    text: str,
) -> None:
    """The type hint decides what ``day=2024`` means."""
    assert read_parameters(load, {"day": text}, {})["day"] == text


def test_quoted_json_text_is_read() -> None:
    """Who writes JSON gets JSON."""
    assert read_parameters(load, {"day": '"monday"'}, {})["day"] == "monday"


def test_a_value_that_fits_no_way_is_an_error_before_anything_runs() -> None:
    """The error is that of the flow's type hints."""
    with pytest.raises(ParameterTypeError, match=r"limit: .*'many'"):
        read_parameters(load, {"day": "monday", "limit": "many"}, {})


def test_an_unknown_parameter_is_an_error_that_names_the_nearest() -> None:
    """The error says what the flow takes."""
    with pytest.raises(
        ParameterError,
        match=r"no parameter 'limt'. Did you mean 'limit'\? It takes 'day', 'stores', 'limit'",
    ):
        read_parameters(load, {"limt": "5"}, {})


def test_a_missing_parameter_is_an_error() -> None:
    """The error names it."""
    with pytest.raises(ParameterError, match="'day'"):
        read_parameters(load, {}, {})


def test_a_flow_of_any_parameters_takes_any() -> None:
    """Names are not checked against ``**options``."""
    assert read_parameters(anything, {"x": "1"}, {}) == {"x": 1}


def test_a_flow_that_checks_nothing_gets_json_as_it_is() -> None:
    """Without validation there is no type hint to follow."""
    assert read_parameters(unchecked, {"limit": '"x"'}, {}) == {"limit": "x"}


def test_given_parameters_replace_recorded_ones() -> None:
    """A resumed run can be given other parameters."""
    recorded = {"day": "monday", "limit": 3}

    read = read_parameters(load, {"limit": "4"}, recorded)

    assert read == {"day": "monday", "stores": None, "limit": 4}
