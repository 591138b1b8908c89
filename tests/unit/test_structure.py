"""The rules for the shape of the code that no linter checks."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import caudal
from caudal import exceptions

SOURCES = sorted(Path(caudal.__file__).parent.rglob("*.py"))

#: A sample value for each annotation that the fields of errors have.
SAMPLES: dict[str, object] = {
    "str": "text",
    "int": 7,
    "float": 2.5,
    "object": b"anything",
    "str | None": None,
    "tuple[str, ...]": ("one", "two"),
    "dict[str, int]": {"one": 1, "two": 2},
    "tuple[tuple[str, str, str], ...]": (("one", "two", "three"),),
}

ERRORS = [
    error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, exceptions.CaudalError)
]


def make_error(error: type[exceptions.CaudalError]) -> exceptions.CaudalError:
    """Make an error of a class with a sample value for each of its fields."""
    if error.__init__ is Exception.__init__:
        return error("what happened. What to do.")
    parameters = inspect.signature(error).parameters.values()
    return error(*(SAMPLES[parameter.annotation] for parameter in parameters))


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_keeps_text_and_fields_through_pickle(
    error: type[exceptions.CaudalError],
) -> None:
    """An error that a worker process raises reads the same in the parent."""
    original = make_error(error)

    copy = pickle.loads(pickle.dumps(original))  # noqa: S301 - our own bytes

    assert type(copy) is error
    assert str(copy) == str(original)
    assert vars(copy) == vars(original)
    assert copy.args == original.args


def test_exported_names_are_there_sorted_and_complete() -> None:
    """``caudal.__all__`` lists each public name once: constants, classes, then functions."""
    listed = list(caudal.__all__)
    public = {
        name
        for name, value in vars(caudal).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "").startswith("caudal.")
    }

    def order(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert [name for name in listed if not hasattr(caudal, name)] == []
    assert listed == sorted(set(listed), key=order)
    assert public <= set(listed)


@pytest.mark.parametrize(
    "statement", ["import caudal", "from caudal import flow, task"]
)
def test_import_stays_cheap(statement: str) -> None:
    """Importing caudal loads few modules, and none that its users may not need."""
    heavy = {
        "asyncio",
        "caudal.settings",
        "click",
        "duckdb",
        "pandas",
        "pyarrow",
        "pydantic",
        "rich",
    }
    program = (
        "import json, sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)

    loaded = json.loads(output)

    assert heavy.intersection(loaded) == set()
    assert len(loaded) < 150, loaded


def test_modules_are_attributes_of_the_package() -> None:
    """After ``import caudal`` alone, as in Prefect."""
    program = (
        "import caudal; print(caudal.runtime.flow_run.id, caudal.states.Completed().type.value);"
        "print(hasattr(caudal, 'nope'))"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.split() == ["None", "COMPLETED", "False"]


def test_every_public_name_has_a_known_type() -> None:
    """Users' type checkers know all of caudal: nothing public is left for them to infer."""
    command = ["--verifytypes", "caudal", "--ignoreexternal", "--outputjson"]
    python = ["--pythonpath", sys.executable]
    # It follows no .pth file to an editable install, nor from there to what that imports.
    path = [str(Path(caudal.__file__).parents[1]), sysconfig.get_path("purelib")]
    checked = subprocess.run(
        [sys.executable, "-m", "basedpyright", *python, *command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )

    found = json.loads(checked.stdout)["typeCompleteness"]

    unknown = [
        f"{problem['file']}: {symbol['name']}: {problem['message']}"
        for symbol in found["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for problem in symbol["diagnostics"]
        if "partially unknown" not in problem["message"]  # that follows from another
    ]
    assert unknown == []
    assert found["completenessScore"] == 1, "basedpyright --verifytypes caudal"


def test_no_file_is_longer_than_400_lines() -> None:
    """A module that outgrows this is split by subject."""
    lengths = {str(file): len(file.read_text().splitlines()) for file in SOURCES}

    assert {file: length for file, length in lengths.items() if length > 400} == {}


def test_no_function_is_longer_than_80_lines() -> None:
    """A function that outgrows this is split by step."""
    lengths = {
        f"{file}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: length for name, length in lengths.items() if length > 80} == {}
