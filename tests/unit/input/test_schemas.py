"""A JSON schema refuses what the type behind it refuses."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from caudal.input.schemas import problems_of


class Colour(Enum):
    """Two of them."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel, extra="forbid"):
    """A part of a model."""

    size: Annotated[int, Field(ge=1, lt=10)]
    colour: Colour = Colour.RED


class Tree(BaseModel):
    """A model with parts, some of its own type."""

    name: Annotated[str, Field(min_length=2, pattern="^[a-z]+$")]
    leaves: Annotated[list[Leaf], Field(max_length=2)] = []
    below: Tree | None = None
    _private: int = 0


CASES: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [1, "1"], ["x", 1.5, None, [1]]),
    (float, [1, 1.5], ["x", {}]),
    (bool, [True], ["perhaps", 7]),
    (str, ["a"], [1, None]),
    (None, [None], [0, "a"]),
    (int | None, [1, None], ["x"]),
    (date, ["2024-02-29"], ["2023-02-29", "x"]),
    (datetime, ["2024-02-29T12:00:00Z"], ["noon"]),
    (timedelta, ["P1D"], ["soon"]),
    (UUID, ["0198aaaa-0000-7000-8000-000000000000"], ["x"]),
    (Literal["a", 1], ["a", 1], ["b", 2]),
    (Literal["a"], ["a"], ["b"]),
    (Colour, ["red"], ["green"]),
    (list[int], [[], [1, 2]], [1, ["x"], {}]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "x"}, [1]]),
    (dict[str, Any], [{"a": [1, "x"]}], [1]),
    (Any, [1, "x", None, {}], []),
    (
        Tree,
        [
            {"name": "oak"},
            {"name": "oak", "leaves": [{"size": 1, "colour": "blue"}], "other": 1},
            {"name": "oak", "below": {"name": "ash"}},
        ],
        [
            {},
            {"name": "Oak"},
            {"name": "o"},
            {"name": "oak", "leaves": [{"size": 10}]},
            {"name": "oak", "leaves": [{"size": 1, "weight": 2}]},
            {"name": "oak", "leaves": [{"size": 1}] * 3},
            {"name": "oak", "below": {"name": "A"}},
        ],
    ),
]


@pytest.mark.parametrize(("kind", "good", "bad"), CASES)
def test_a_schema_accepts_what_its_type_accepts(
    kind: Any, good: list[Any], bad: list[Any]
) -> None:
    """Both say the same of every value."""
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    for value in good:
        adapter.validate_python(value)
        assert problems_of(schema, value) is None, value
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
        assert problems_of(schema, value), value


def test_problems_name_the_place_and_the_reason() -> None:
    """Names are those of the fields, all that does not fit is told."""
    schema = Tree.model_json_schema()
    wrong = {"name": "o", "leaves": [{"size": 0}]}
    problems = problems_of(schema, wrong)
    assert problems is not None
    assert "name: String should have at least 2 characters; leaves.0.size: Input should be greater" in problems  # fmt: skip
