"""Reads the parameters of a flow from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from caudal.exceptions import ParameterError, ParameterTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caudal.flows import Flow


def split_parameters(given: Iterable[str]) -> dict[str, str]:
    """Return texts by name from ``name=text``.

    Raises:
        click.UsageError: One has no ``=``, or a name is given twice.
    """
    texts: dict[str, str] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name:
            msg = f"-p takes NAME=VALUE, and got {item!r}."
            raise click.UsageError(msg)
        if name in texts:
            msg = f"-p gives {name!r} twice, {texts[name]!r} and {text!r}."
            raise click.UsageError(msg)
        texts[name] = text
    return texts


def read_parameters(
    flow: Flow[..., Any], texts: Mapping[str, str], recorded: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a flow is to be called with.

    A text is read as JSON. Where it is none, or its value does not fit the parameter's type hint but the text does
    (``zip=01234``, ``name=2024``), it is taken as it stands.

    Args:
        flow: The flow.
        texts: Texts by name.
        recorded: Values for parameters that are not given.

    Raises:
        ParameterError: A parameter is unknown or missing, or its value does not fit.
    """
    _refuse_unknown(flow, texts)
    values = {
        **recorded,
        **{name: _read(flow, name, text) for name, text in texts.items()},
    }
    bound = flow.spec.bind((), values)
    if flow.spec.validates:
        flow.validate_parameters(bound)
    return bound


def _read(flow: Flow[..., Any], name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if not _fits(flow, name, value) and _fits(flow, name, text) else value


def _fits(flow: Flow[..., Any], name: str, value: Any) -> bool:
    if not flow.spec.validates:
        return True
    from caudal.engine.validation import Validator

    try:
        Validator(flow.fn, flow.name)({name: value})
    except ParameterTypeError:
        return False
    return True


def _refuse_unknown(flow: Flow[..., Any], given: Iterable[str]) -> None:
    from difflib import get_close_matches
    from inspect import Parameter, signature

    parameters = signature(flow.fn).parameters
    if any(
        parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()
    ):
        return
    for name in given:
        if name in parameters:
            continue
        nearest = get_close_matches(name, parameters, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        takes = (
            f"It takes {', '.join(map(repr, parameters))}."
            if parameters
            else "It takes none."
        )
        msg = f"flow {flow.name!r} has no parameter {name!r}.{hint} {takes}"
        raise ParameterError(msg)


def read_input(text: str | None) -> Any:
    """Return what a run is to be resumed with; what is no JSON is taken as text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
