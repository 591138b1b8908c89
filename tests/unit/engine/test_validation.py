"""Parameters: checked and coerced from the type hints before anything runs."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, ConfigDict, Field

from caudal import flow, task
from caudal.exceptions import ParameterTypeError, SignatureMismatchError

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


class Colour(enum.Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Order(BaseModel):
    """A model of the user's."""

    number: int
    lines: list[float] = []


class Opaque:
    """A class that pydantic knows nothing of."""


class Holder(BaseModel):
    """A model that holds anything."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    content: Opaque


@dataclass
class Box:
    """A dataclass of the user's."""

    width: int


@flow
def typed(  # noqa: PLR0913, PLR0917 - one of each kind
    number: int = 0,
    ratio: float = 0.0,
    flag: bool = False,  # noqa: FBT001, FBT002
    day: date | None = None,
    at: datetime | None = None,
    wait: timedelta | None = None,
    path: Path | None = None,
    colour: Colour | None = None,
    mode: Literal["fast", "slow"] = "fast",
    order: Order | None = None,
    box: Box | None = None,
    pairs: dict[str, tuple[int, ...]] | None = None,
    small: Annotated[int, Field(lt=10)] = 1,
    anything: Any = None,
    unhinted=None,  # noqa: ANN001 - that is the point
    old: Optional[int] = None,  # noqa: UP045 - users write it so
) -> dict[str, Any]:
    """Return the arguments."""
    return dict(locals())


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("number", "5", 5),
        ("number", 5.0, 5),
        ("ratio", 2, 2.0),
        ("flag", "yes", True),
        ("day", "2026-01-02", date(2026, 1, 2)),
        ("at", "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("wait", 90, timedelta(seconds=90)),
        ("path", "/tmp/x", Path("/tmp/x")),  # noqa: S108 - not used
        ("colour", "red", Colour.RED),
        ("mode", "slow", "slow"),
        ("order", {"number": "7", "lines": ["1.5"]}, Order(number=7, lines=[1.5])),
        ("box", {"width": "3"}, Box(3)),
        ("pairs", {"a": ["1", 2]}, {"a": (1, 2)}),
        ("small", "9", 9),
        ("anything", "5", "5"),
        ("unhinted", "5", "5"),
        ("old", "5", 5),
    ],
)
def test_values_are_coerced_to_their_hints(
    name: str, given: Any, expected: Any
) -> None:
    """Text from a command line becomes what the flow asks for."""
    found = typed(**{name: given})[name]
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("number", "five", "number: .*valid integer.*got 'five' of type str"),
        ("number", 5.5, "fractional"),
        ("number", None, "number: "),
        ("flag", "perhaps", "flag: "),
        ("day", "yesterday", "day: "),
        ("colour", "green", "'red' or 'blue'"),
        ("mode", "medium", "'fast' or 'slow'"),
        (
            "order",
            {"lines": ["x"]},
            r"order.number: Field required(.|\n)*order.lines.0: ",
        ),
        ("small", 10, "less than 10"),
        ("pairs", {"a": ["x"]}, "pairs.a.0: "),
    ],
)
def test_values_that_do_not_fit_are_named(name: str, given: Any, words: str) -> None:
    """The message has the parameter, the place within it, what is wrong and what was given."""
    with pytest.raises(ParameterTypeError, match=words):
        typed(**{name: given})


def test_all_wrong_parameters_are_named_at_once() -> None:
    """So that a user corrects them in one go."""
    with pytest.raises(ParameterTypeError) as caught:
        typed(number="x", small="y", mode="z")
    assert len(caught.value.problems) == 3


def test_validation_can_be_switched_off() -> None:
    """With `validate_parameters=False` values arrive as they are."""
    assert typed.with_options(validate_parameters=False)(number="five")["number"] == "five"  # fmt: skip


def test_models_keep_their_identity_and_are_shown_on_record(record: Record) -> None:
    """A model instance that fits is passed on; the record shows its fields."""
    order = Order(number=1)
    assert typed(order=order)["order"] is order
    assert record.flow().parameters["order"] == {"number": 1, "lines": []}


def test_classes_that_pydantic_does_not_know_are_checked_by_instance(
    record: Record,
) -> None:
    """A hint that is any class accepts its instances; models may hold them."""

    @flow
    def around(thing: Opaque, held: Holder | None = None) -> Any:
        return thing, held

    thing = Opaque()
    held = Holder(content=thing)
    assert around(thing, held) == (thing, held)
    assert record.flow().state_name == "Completed"
    with pytest.raises(ParameterTypeError, match=r"thing: .*instance of Opaque"):
        around("no thing")


def test_a_hint_that_cannot_be_resolved_does_not_hide_the_others(
    record: Record,
) -> None:
    """A name that only type checkers import is not checked, which is said once; the other parameters are."""

    @flow
    def around(number: int, price: Decimal | None = None) -> Any:
        return number, price

    assert around("5", "unchecked") == (5, "unchecked")
    with pytest.raises(ParameterTypeError, match="number: "):
        around("five")
    said = [line for line in record.logs() if "not checked" in line]
    assert len(said) == 1
    assert "parameter 'price' of flow 'around' is not checked" in said[0]
    assert "name 'Decimal' is not defined" in said[0]


def test_a_check_without_a_run_says_what_it_cannot_check(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a warning of the logger of flows."""

    @flow
    def around(price: Decimal) -> None: ...

    assert around.validate_parameters({"price": "x"}) == {"price": "x"}
    assert "parameter 'price' of flow 'around' is not checked" in caplog.text


def test_hints_that_name_what_is_local_are_checked() -> None:
    """A class within a function is found, also when that function has returned."""

    def make() -> Any:
        class Size(BaseModel):
            number: int

        @flow
        def around(size: Size) -> int:
            return size.number

        return around

    around = make()
    for fitting in (around, around.with_options(name="other")):
        assert fitting({"number": "5"}) == 5
        with pytest.raises(ParameterTypeError, match=r"size\.number: "):
            fitting({"number": "five"})


def test_hints_that_name_what_the_code_uses_are_checked() -> None:
    """A class that is made after the flow is found where its code finds it."""

    @flow
    def around(size: Size) -> tuple[Any, type]:
        return size, Size

    class Size(BaseModel):
        number: int

    assert around({"number": "5"})[0] == Size(number=5)
    with pytest.raises(ParameterTypeError, match=r"size\.number: "):
        around({"number": "five"})


def test_fields_as_defaults_say_default_and_limits(record: Record) -> None:
    """`Field(...)` is no value: what it says of the parameter holds."""

    @flow
    def around(
        number: int = Field(default=3, ge=1),
        items: list[int] = Field(default_factory=lambda: [1]),  # noqa: B008 - what is tested
        bare: Any = Field(default="x"),  # noqa: B008
        noted: Annotated[int, Field(le=9)] = 2,
    ) -> Any:
        return number, items, bare, noted

    assert around() == (3, [1], "x", 2)
    assert record.flow().parameters == {"number": 3, "items": [1], "bare": "x", "noted": 2}  # fmt: skip
    assert around("4", noted="5") == (4, [1], "x", 5)
    with pytest.raises(ParameterTypeError, match=r"number: .*greater than or equal to 1"):  # fmt: skip
        around(0)
    with pytest.raises(ParameterTypeError, match="noted: "):
        around(noted=10)
    assert around.with_options(validate_parameters=False)() == (3, [1], "x", 2)


def test_a_field_without_a_default_is_required() -> None:
    """The call without it is an error, not a run with a description for a value."""

    @flow
    def around(number: int = Field(ge=1)) -> int:
        return number

    assert around(1) == 1
    with pytest.raises(ParameterTypeError, match="number: Field required"):
        around()


def test_surplus_arguments_are_not_checked() -> None:
    """`*args` and `**kwargs` arrive as given, whatever their hint."""

    @flow
    def around(*args: int, **kwargs: int) -> Any:
        return args, kwargs

    assert around("1", key="2") == (("1",), {"key": "2"})


def test_futures_and_states_are_resolved_before_the_check() -> None:
    """A nested flow checks the value that a future has."""

    @task
    def text() -> str:
        return "5"

    @flow
    def inner(number: int) -> int:
        return number

    @flow
    def outer() -> list[int]:
        return [inner(text.submit()), inner(text(return_state=True))]

    assert outer() == [5, 5]


def test_parameters_can_be_checked_without_a_run(record: Record) -> None:
    """`validate_parameters` is the same check."""
    assert typed.validate_parameters({"number": "5"})["number"] == 5
    with pytest.raises(ParameterTypeError):
        typed.validate_parameters({"number": "x"})
    assert record.client.read_flow_runs() == []


def test_a_check_without_a_run_looks_at_names_and_defaults() -> None:
    """Missing parameters take their defaults; those without one, and names that do not exist, are errors."""

    @flow
    def around(
        first: int, second: int = 2, *, third: str = "x", **more: int
    ) -> None: ...

    @flow
    def strict(first: int, second: int = Field(default=3)) -> None: ...

    assert around.validate_parameters({"extra": "4", "first": "1"}) == {
        "first": 1, "second": 2, "third": "x", "extra": "4",
    }  # fmt: skip
    assert strict.validate_parameters({"first": 1}) == {"first": 1, "second": 3}
    with pytest.raises(ParameterTypeError, match="first: Field required") as caught:
        strict.validate_parameters({"second": "x"})
    assert len(caught.value.problems) == 2
    with pytest.raises(SignatureMismatchError, match="no parameter 'third'"):
        strict.validate_parameters({"first": 1, "third": 3})


def test_ids_and_paths_are_shown_as_text(record: Record) -> None:
    """What JSON has no form for is text on record."""

    @flow
    def around(given: Any) -> None: ...

    given = uuid.UUID(int=5)
    around([given, Path("a/b"), Colour.RED, timedelta(seconds=2), {1: date(2026, 1, 2)}])  # fmt: skip
    assert record.flow().parameters == {
        "given": [str(given), "a/b", "red", 2.0, {"1": "2026-01-02"}]
    }
