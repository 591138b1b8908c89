"""Stable hashes: equal content gives equal hashes everywhere, anything else gives another hash or an error."""

from __future__ import annotations

import array
import datetime as dt
import enum
import functools
import io
import ipaddress
import math
import operator
import re
import struct
import subprocess
import sys
import threading
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import dateutil.tz
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.exceptions import HashError
from caudal.model.hashing import source_hash, stable_hash


class Color(enum.Enum):
    """An enum."""

    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    """An enum whose members are numbers."""

    LOW = 1


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: Any = 2


@dataclass
class OtherPoint:
    """A dataclass with the same fields."""

    x: int
    y: Any = 2


class Order(pydantic.BaseModel):
    """A pydantic model that takes extra fields."""

    model_config = pydantic.ConfigDict(extra="allow")
    number: int
    lines: list[str] = []


class Row(msgspec.Struct):
    """A msgspec struct."""

    a: int
    b: str = "b"


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: int


class Tags(list[str]):
    """A list with an attribute."""


class Slotted(list[int]):
    """A list with a slot."""

    __slots__ = ("__unit",)

    def __init__(self, values: list[int], unit: str) -> None:
        super().__init__(values)
        self.__unit = unit


class Table(dict[str, int]):
    """A dict with slots."""

    __slots__ = ("__dict__", "unit")


class Bag(set[int]):
    """A set with one slot, named the short way."""

    __slots__ = "unit"  # noqa: PLC0205


class Kilo(float):
    """A number with attributes."""


class Word(str):
    """Text with attributes."""


class Blob(bytes):
    """Bytes with attributes."""


class Frozen(frozenset[int]):
    """A frozen set with attributes."""


class Attrs:
    """What a class made by attrs looks like."""

    def __init__(self, a: int) -> None:
        self.a = a

    __attrs_attrs__ = (types.SimpleNamespace(name="a"),)


def with_unit(value: Any, unit: str) -> Any:
    """Return a value with an attribute set."""
    value.unit = unit
    return value


class Opaque:
    """A class that nothing is known of."""


class Named:
    """A class that says what identifies it."""

    def __init__(self, identity: object) -> None:
        self.identity = identity

    def __caudal_hash__(self) -> object:
        return self.identity


LegacyPair = namedtuple("LegacyPair", "left right")  # noqa: PYI024
BERLIN = ZoneInfo("Europe/Berlin")
NAIVE = dt.datetime.fromisoformat("2024-01-02")

#: Values that must all have different hashes.
DISTINCT: list[Any] = [
    None, True, False, 0, 1, -1, 2**70, -(2**70), 0.0, 1.0, -0.0, math.nan, math.inf, 1j, "", "1", "\ud800",
    b"", b"1", bytearray(b"1"), ..., NotImplemented,
    [], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset({1}), {1: 1}, {"1": 1}, {1: "1"}, [[1]], [[], 1], [1, []],
    [1, 2], [2, 1], [1, 2.0], [1, "2"], ["12", ""], ["1", "2"], ["", "12"], [True, 1], [1, True], [b"1", b"2"], [None], [None, None],
    [1, 2**70], {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": {"b": 1}}, {("a", "b"): 1}, {1: "a", "1": "a"},
    range(3), range(0, 3, 2), slice(1), slice(1, 2), re.compile("a"), re.compile("a", re.IGNORECASE), array.array("i", [1]), array.array("q", [1]),
    dt.date(2024, 1, 2), "date 2024-01-02", NAIVE, dt.datetime(2024, 1, 2, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, tzinfo=BERLIN),
    dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1))), NAIVE.replace(fold=1), dt.time(1), dt.time(1, fold=1), dt.time(1, tzinfo=dt.UTC),
    dt.timedelta(1), dt.timedelta(seconds=1), dt.UTC, dt.timezone(dt.timedelta(hours=1)), dt.timezone(dt.timedelta(hours=1), "x"), BERLIN,
    Decimal(1), Decimal("1.0"), Fraction(1, 2), uuid.UUID(int=1), ipaddress.ip_address("127.0.0.1"), ipaddress.ip_network("127.0.0.0/8"),
    Path("a"), Path("b"), PurePosixPath("a"), Color.RED, Color.BLUE, Level.LOW, Point(1), Point(2), Point(1, "2"), OtherPoint(1),
    Order(number=1), Order(number=1, lines=["a"]), Order(number=1, note="x"), Row(1), Row(1, "c"), Pair(1, 2), LegacyPair(1, 2),
    Tags(["a"]), Slotted([1], "m"), Slotted([1], "s"), Table(a=1), with_unit(Table(a=1), "m"), with_unit(Table(a=1), "s"), Bag({1}), with_unit(Bag({1}), "m"), Kilo(1), with_unit(Kilo(1), "m"), Word("a"), Blob(b"a"), Frozen({1}), Attrs(1), Attrs(2), OrderedDict(a=1), OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), defaultdict(int), defaultdict(list), Counter("a"),
    deque([1]), deque([1], maxlen=2), types.SimpleNamespace(a=1), types.MappingProxyType({"a": 1}), functools.partial(max, 1), functools.partial(max, 2),
    max, min, Point, Opaque, operator.add, Named("a"), Named("b"), Named(["a"]), [].__class__, Point(1).__eq__, Point(2).__eq__,
    np.float64(1), np.float32(1), np.int64(1), np.datetime64("2024-01-01"), np.array(1), np.array([1]), np.array([1.0]), np.array([[1]]), np.array([1], "i4"), np.array([1], ">i4"),
    np.array(["a"]), np.array([1], dtype=object), np.array(["1"], dtype=object), np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.array([]), np.dtype("f8"), np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0], np.array(["a"], np.dtypes.StringDType()), np.zeros((0, 2)), np.zeros((2, 0)), np.mean, np.add,
    pd.Timestamp(1), pd.Timestamp(2), pd.Timestamp(1, tz="UTC"), pd.Timedelta(1), pd.NaT, pd.NA, pd.Interval(0, 1), pd.Interval(0, 1, closed="both"), pd.Period("2024", "Y"),
    pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]}), pl.DataFrame({"a": [1.0]}), pl.DataFrame({"a": ["1"]}), pl.DataFrame({"a": [1, None]}), pl.Series("a", [1]), pl.DataFrame(),
    pa.table({"a": [1]}), pa.table({"a": [2]}), pa.table({"a": [1]}).to_batches()[0], pa.table({"a": [1]}, metadata={"k": "v"}), pa.array([1]), pa.array([1, None]), pa.array([1, 0]),
]  # fmt: skip


def test_different_values_have_different_hashes() -> None:
    """No two values of a long and varied list share a hash."""
    seen: dict[str, Any] = {}
    for value in DISTINCT:
        digest = stable_hash(value)
        assert digest not in seen, (value, seen.get(digest))
        seen[digest] = value


def test_a_value_has_the_same_hash_each_time() -> None:
    """Hashing has no memory and no side effect."""
    for value in DISTINCT:
        assert stable_hash(value) == stable_hash(value), value


def test_hashes_do_not_change_between_versions() -> None:
    """Hashes that keys on record were made from stay what they are."""
    values = {
        "a": [1, 2.5, "x", None, True, b"y"],
        "b": {(1, 2), "z"},
        "c": dt.date(2024, 1, 2),
    }
    long = [list(range(100)), [str(number) for number in range(100)], [1, "a"] * 50]

    assert stable_hash(values) == "eeb25934cb657c4d3c35001b55bde348f79fc600"
    assert stable_hash(long) == "bdda106f4445c68cb87110c56d5e4fd0c340760f"


_PROBE = """
import dataclasses, datetime, decimal, enum, pathlib, uuid
from caudal.model.hashing import stable_hash
class E(enum.Enum):
    A = "a"
@dataclasses.dataclass
class D:
    x: object
def f(x, y=frozenset({"k", "l"})):
    return x
words = [f"w{i}" for i in range(50)]
print(stable_hash([
    set(words), frozenset(words), {w: {w} for w in words}, {(w, 1) for w in words}, E.A, D({"q": set(words)}),
    pathlib.Path("x"), uuid.UUID(int=3), decimal.Decimal("1.5"), datetime.datetime(2024, 1, 1), f, lambda x: x in {"p", "q", "r"},
    {1, "a", 2.0, None, (1, "b")}, {None: 1, "a": 2, 3: 4},
]))
"""


def test_two_interpreters_agree(tmp_path: Path) -> None:
    """Hashes do not depend on the process's hash seed."""
    script = tmp_path / "probe.py"
    script.write_text(_PROBE)
    digests = {
        subprocess.run(
            [sys.executable, script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "src"},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(digests) == 1


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals() | st.uuids()
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=50)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=5)
    ),
)


@given(_values)
def test_copies_have_the_same_hash(value: Any) -> None:
    """A value made anew from the same parts has the same hash."""

    def copied(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: copied(part[key]) for key in reversed(part)}
        if isinstance(part, list | tuple):
            return type(part)(copied(item) for item in part)
        return part

    assert stable_hash(value) == stable_hash(copied(value))


@given(st.lists(_scalars, max_size=60), st.lists(_scalars, max_size=60))
def test_lists_share_a_hash_only_when_equal_in_value_and_type(
    one: list[Any], other: list[Any]
) -> None:
    """Of two lists with one hash, each item's type and text are the same."""
    same = [(type(item), repr(item)) for item in one] == [
        (type(item), repr(item)) for item in other
    ]

    assert same == (stable_hash(one) == stable_hash(other))


@given(st.lists(st.integers() | st.text(), unique=True, max_size=40), st.randoms())
def test_insertion_order_does_not_count(keys: list[Any], random: Any) -> None:
    """Dicts and sets filled in another order have the same hash."""
    shuffled = list(keys)
    random.shuffle(shuffled)

    assert stable_hash(dict.fromkeys(keys, 1)) == stable_hash(
        dict.fromkeys(shuffled, 1)
    )
    assert stable_hash(set(keys)) == stable_hash(set(shuffled))


def test_where_a_long_list_differs_does_not_matter() -> None:
    """Every item of a long list counts, in columns too."""
    base: list[Any] = [1, "a", 2.0, None] * 100
    digests = {stable_hash(base)}
    for position in (0, 1, 2, 3, 200, 399):
        changed = list(base)
        changed[position] = "other"
        digests.add(stable_hash(changed))

    assert len(digests) == 7


def test_lists_around_the_column_limit_are_told_apart() -> None:
    """Lists of all lengths about the one where the form changes have their own hashes."""
    digests = {stable_hash([0] * length) for length in range(70)}

    assert len(digests) == 70


class Unknown:
    """Something that cannot be hashed."""


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Unknown(), "x"),
        ({"rows": [1, 2, 3, Unknown()]}, "x['rows'][3]"),
        ([{"a": (Unknown(),)}], "x[0]['a'][0]"),
        (Point(1, [Unknown()]), "x.y[0]"),
        (Row(Unknown(), "b"), "x.a"),
        (Order(number=1, note=Unknown()), "x['note']"),
        (threading.Lock(), "x"),
        (object(), "x"),
        ((number for number in range(3)), "x"),
        (iter([1]), "x"),
        (functools.partial(max, Unknown()), "x.args[0]"),
        (np.array([1, Unknown()], dtype=object), "x.flat[1]"),
        (pd.DataFrame({"a": [1, Unknown()]}), "x['a'].flat[1]"),
        ({"k": defaultdict(Unknown)}["k"], None),
        (np.ma.MaskedArray([1], [True]), "x"),
        (np.longdouble(1), "x"),
        (np.array([1], np.longdouble), "x"),
        (Named(None), "x"),
        (pl.LazyFrame({"a": [1]}), "x"),
    ],
)  # fmt: skip
def test_an_error_names_where_the_value_is(value: Any, path: str | None) -> None:
    """The error holds the way to the part that cannot be hashed, written as code."""
    if path is None:
        stable_hash(value)
        return
    with pytest.raises(HashError) as caught:
        stable_hash(value, name="x")

    assert path == caught.value.path
    assert "cache_policy" in str(caught.value)


def test_a_dict_key_or_set_item_that_cannot_be_hashed_is_named() -> None:
    """Keys and items of sets are found like values."""
    with pytest.raises(HashError, match="Unknown"):
        stable_hash({Unknown(): 1, "a": 2})
    with pytest.raises(HashError, match="Unknown"):
        stable_hash({Unknown(), 1})


def test_an_object_inside_itself_is_an_error() -> None:
    """Cycles have no stable hash and do not hang."""
    loop: list[Any] = [1]
    loop.append({"again": loop})

    with pytest.raises(HashError, match="contains itself") as caught:
        stable_hash(loop, name="x")
    assert caught.value.path == "x[1]['again']"


def test_a_shared_part_is_no_cycle() -> None:
    """The same list twice is hashed like two equal lists."""
    part = [1]

    assert stable_hash([part, part]) == stable_hash([[1], [1]])


def test_a_value_nested_too_deeply_is_an_error() -> None:
    """Depth beyond the interpreter's limit is a HashError."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(HashError, match="nested too deeply"):
        stable_hash(deep)
    while (
        deep
    ):  # taken apart by hand: some versions of Python free deep lists recursively
        deep = deep.pop()


def test_an_error_in_the_values_own_code_is_a_hash_error() -> None:
    """What __caudal_hash__ raises becomes the cause."""

    class Broken:
        def __caudal_hash__(self) -> str:
            raise KeyError("k")

    with pytest.raises(HashError, match="KeyError") as caught:
        stable_hash([Broken()])
    assert isinstance(caught.value.__cause__, KeyError)


def _maker(n: int) -> Any:
    def inner(x: int) -> int:
        return x + n

    return inner


def _recursive() -> Any:
    def walk(n: int) -> int:
        return walk(n - 1) if n else 0

    return walk


def test_functions_differ_by_source_closure_and_defaults() -> None:
    """A function's name alone does not identify it."""
    lambdas = [lambda x: x + 1, lambda x: x + 2]

    assert stable_hash(_maker(1)) == stable_hash(_maker(1))
    assert stable_hash(_maker(1)) != stable_hash(_maker(2))
    assert stable_hash(lambdas[0]) != stable_hash(lambdas[1])
    assert stable_hash(_recursive()) == stable_hash(_recursive())
    with pytest.raises(HashError, match="closure"):
        stable_hash(_maker(Unknown()))


def test_a_closure_variable_that_is_not_set_yet_is_no_error() -> None:
    """A function may be hashed before what it closes over exists."""

    def early() -> Any:
        return late

    if stable_hash.__doc__ is None:
        late = 1

    assert stable_hash(early) == stable_hash(early)


def _defined(source: str, name: str = "f") -> Any:
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102
    return namespace[name]


def test_functions_without_source_are_known_by_their_code() -> None:
    """What was typed at a prompt is hashed by code and constants, not by where it stands."""
    one = _defined("def f(x):\n    return [x + 1 for x in {'a', 'b'}]")
    same = _defined("\n\n\ndef f(x):\n    return [x + 1 for x in {'a', 'b'}]")
    other = _defined("def f(x):\n    return [x + 2 for x in {'a', 'b'}]")

    assert stable_hash(one) == stable_hash(same)
    assert stable_hash(one) != stable_hash(other)
    assert source_hash(one) == source_hash(same)
    assert source_hash(one) != source_hash(other)


def test_a_class_without_source_has_no_hash() -> None:
    """Two classes typed at a prompt could share a name, so a name is not enough."""
    with pytest.raises(HashError, match="source of class"):
        stable_hash(_defined("class f: rate = 3"))


def test_a_cached_function_is_known_by_what_it_wraps() -> None:
    """A wrapper made in C does not hide the function in it."""

    @functools.lru_cache
    def double(x: int) -> int:
        return 2 * x

    globals()["double"] = double
    double.__qualname__ = "double"
    try:
        assert stable_hash(double) != stable_hash(double.__wrapped__)
    finally:
        del globals()["double"]


def _logged(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return fn(*args)

    return wrapper


def _doubled(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return 2 * fn(*args)

    return wrapper


class Callable_:  # noqa: N801
    """An object that can be called."""

    def __call__(self) -> int:
        """Return a number."""
        return 1

    def method(self) -> int:
        """Return another number."""
        return 2


def test_source_covers_wrappers_and_what_they_wrap() -> None:
    """Changing a decorator or the function under it changes the source hash."""
    plain, other = _maker(1), _recursive()

    digests = [
        source_hash(fn)
        for fn in (plain, _logged(plain), _doubled(plain), _logged(other), other)
    ]

    assert len(digests) == len(set(digests))


def test_source_leaves_closures_out() -> None:
    """A list that a test's task appends to does not change the task's source."""
    assert source_hash(_maker(1)) == source_hash(_maker(2))


def test_source_of_other_callables() -> None:
    """Partials, methods, instances, classes and functions in C have a source hash too."""
    callables = [
        functools.partial(_maker, 1),
        functools.partial(_maker, 2),
        Callable_(),
        Callable_().method,
        Point,
        len,
        max,
        int,
    ]
    digests = [source_hash(fn) for fn in callables]

    assert len(digests) == len(set(digests))
    with pytest.raises(HashError):
        source_hash(_defined("class f:\n    def __call__(self): pass")())


def test_the_script_and_the_module_of_one_file_agree(tmp_path: Path) -> None:
    """A class of a pipeline file is the same whether the file is run or imported."""
    (tmp_path / "pipe.py").write_text(
        "from dataclasses import dataclass\nfrom caudal.model.hashing import stable_hash\n"
        "@dataclass\nclass D:\n    x: int\n"
        "if __name__ == '__main__':\n    print(stable_hash(D(1)))\n"
    )

    def run(*arguments: str) -> str:
        environment = {"PYTHONPATH": f"{Path(__file__).parents[3] / 'src'}:{tmp_path}"}
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    as_script = run("pipe.py")
    assert as_script == run("-m", "pipe")
    assert as_script == run("-c", "import pipe; print(pipe.stable_hash(pipe.D(1)))")


@dataclass
class Uninitialised:
    """A dataclass with a field that nothing sets."""

    x: int
    later: int = field(init=False)


def test_a_field_that_was_never_set_is_no_error() -> None:
    """Such a field counts as absent."""
    unset, filled = Uninitialised(1), Uninitialised(1)
    filled.later = 1

    assert stable_hash(unset) != stable_hash(filled)


def test_equal_times_with_zones_of_equal_offset_agree() -> None:
    """Pydantic's own UTC and the standard library's give one hash, as they mean one time."""
    parsed = pydantic.TypeAdapter(dt.datetime).validate_python("2024-01-02T00:00:00Z")

    assert stable_hash(dt.datetime(2024, 1, 2, tzinfo=dt.UTC)) == stable_hash(parsed)


def test_other_kinds_of_zone_count_too() -> None:
    """A zone of dateutil is known by its own text; one without a name cannot be hashed."""
    zones = [dateutil.tz.gettz(name) for name in ("Europe/Berlin", "Europe/Paris")]
    header = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    nameless = ZoneInfo.from_file(io.BytesIO(header + bytes(6) + b"UTC\0"))

    assert len({stable_hash(NAIVE.replace(tzinfo=zone)) for zone in zones}) == 2
    with pytest.raises(HashError, match="no name"):
        stable_hash(nameless)


def test_the_scripts_module_is_named_by_how_it_was_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a script defines is named as if it had been imported."""
    here = sys.modules[__name__]
    monkeypatch.setattr(Point, "__module__", "__main__")
    digests = set()
    for facts in (
        {"__spec__": types.SimpleNamespace(name="pipe")},
        {"__file__": "/home/me/pipe.py"},
        {"__file__": "C:\\me\\pipe.py", "__spec__": None},
        {},
    ):
        monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(**facts))  # type: ignore[arg-type]
        digests.add(stable_hash(here.Point(1)))

    assert len(digests) == 2


def test_numbers_are_written_in_one_order_on_every_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Columns are turned to little-endian where the machine is not."""
    usual = stable_hash(list(range(40)))
    other = "big" if sys.byteorder == "little" else "little"
    monkeypatch.setattr(sys, "byteorder", other)

    assert usual != stable_hash(list(range(40)))


@pytest.mark.parametrize(
    "values",
    [
        list(range(40)),
        [2**70 + number for number in range(40)],
        [number / 3 for number in range(40)],
        [str(number) for number in range(40)],
        [b"%d" % number for number in range(40)],
        [number % 3 == 0 for number in range(40)],
        [None] * 40,
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_every_item_of_a_column_counts(values: list[Any]) -> None:
    """Changing, swapping or dropping an item of a long list of one type changes its hash."""
    variants = [
        values,
        values[:-1],
        [*values, values[0]],
        [*values[1:], 5],
        [(), *values[1:]],
    ]

    assert len({stable_hash(variant) for variant in variants}) == 5
    assert (stable_hash(values) == stable_hash(values[::-1])) == (
        values == values[::-1]
    )


def test_arrays_hash_by_content_not_by_memory() -> None:
    """Order, strides and read-only flags of an array do not count."""
    base = np.arange(12.0).reshape(3, 4)

    assert stable_hash(base) == stable_hash(np.asfortranarray(base))
    assert stable_hash(base) == stable_hash(np.arange(24.0).reshape(3, 8)[:, ::2] / 2)
    assert stable_hash(base) != stable_hash(base.reshape(4, 3))
    changed = base.copy()
    changed[2, 3] += 1e-9
    assert stable_hash(base) != stable_hash(changed)


def test_bytes_between_the_fields_of_a_record_do_not_count() -> None:
    """Padding is undefined, so it is left out."""
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    memory = bytearray(b"\xff" * 2 * kind.itemsize)
    other = np.frombuffer(memory, kind)
    other["a"], other["b"] = 0, 0

    assert b"\xff" in memory
    assert stable_hash(np.zeros(2, kind)) == stable_hash(other)


def _frames() -> list[pd.DataFrame]:
    dates = pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin")
    columns = {
        "int": [1, 2, 3],
        "float": [1.0, math.nan, 3.0],
        "text": ["a", "b", None],
        "when": dates,
        "kind": pd.Categorical(["x", "y", "x"]),
        "maybe": pd.array([1, None, 3], dtype="Int64"),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "arrow": pd.array([1, None, 3], dtype="int64[pyarrow]"),
        "month": pd.period_range("2024-01", periods=3, freq="M"),
        "mixed": [1, "a", None],
    }
    base = pd.DataFrame(columns)
    return [
        base,
        base.rename(columns={"int": "int2"}),
        base.astype({"int": "int32"}),
        base[list(reversed(base.columns))],
        base.set_index("int"),
        base.set_index(["int", "text"]),
        base.set_index("when"),
        base.iloc[::-1],
        base.rename_axis("name"),
        base.assign(kind=base["kind"].cat.reorder_categories(["y", "x"])),
        base.assign(kind=base["kind"].cat.as_ordered()),
        base.assign(when=base["when"].dt.tz_convert("UTC")),
        *(
            base.assign(**{name: base[name].iloc[[0, 0, 0]].array})
            for name in base.columns
        ),
        base.iloc[:0],
    ]


def test_pandas_frames_hash_by_content() -> None:
    """A copy has the same hash; every change of content, dtype, label, index or order gives another."""
    frames = _frames()
    digests = [stable_hash(frame) for frame in frames]

    assert len(frames) == len(set(digests))
    assert digests == [stable_hash(frame.copy()) for frame in frames]
    assert digests[0] != stable_hash(frames[0]["int"])
    columns = frames[0].columns
    assert len(columns) == len({stable_hash(frames[0][name]) for name in columns})
    marked = frames[0].copy()
    marked.attrs["unit"] = "m"
    assert digests[0] != stable_hash(marked)


def test_what_lies_beneath_a_missing_number_does_not_count() -> None:
    """Two nullable columns that show the same have the same hash."""
    one, other = (pd.array([1, hidden, 3], dtype="Int64") for hidden in (7, 8))
    one[1] = other[1] = pd.NA

    assert stable_hash(pd.Series(one)) == stable_hash(pd.Series(other))
    left = pa.array([1, 7, 3], mask=np.array([False, True, False]))
    right = pa.array([1, 8, 3], mask=np.array([False, True, False]))
    assert stable_hash(left) == stable_hash(right)
    assert stable_hash(pl.Series(left)) == stable_hash(pl.Series(right))


_ARROW_COLUMNS: dict[str, Any] = {
    "int": [1, None, 3],
    "float": [1.0, 2.0, None],
    "bool": [True, None, False],
    "text": ["a", None, "c"],
    "bytes": [b"a", b"b", None],
    "list": [[1], [], None],
    "struct": [{"x": 1}, {"x": None}, None],
    "date": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 3)],
    "when": [NAIVE, None, NAIVE + dt.timedelta(2)],
    "gap": [dt.timedelta(1), None, dt.timedelta(3)],
    "clock": [dt.time(1), None, dt.time(3)],
    "money": [Decimal("1.10"), None, Decimal("3.10")],
}


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_other_frames_hash_by_content(kind: str) -> None:
    """In polars and pyarrow too, chunks do not count and every value does."""
    make: Any = pl.DataFrame if kind == "polars" else pa.table
    join: Any = pl.concat if kind == "polars" else pa.concat_tables
    base = make(_ARROW_COLUMNS)
    chunked = (
        join([base[:1], base[1:]])
        if kind == "polars"
        else join([base.slice(0, 1), base.slice(1)])
    )

    assert stable_hash(base) == stable_hash(chunked)
    digests = {stable_hash(base)}
    for name, values in _ARROW_COLUMNS.items():
        digests.add(stable_hash(make({**_ARROW_COLUMNS, name: values[::-1]})))
        digests.add(stable_hash(make({**_ARROW_COLUMNS, name: [values[0]] * 3})))
    assert len(digests) == 1 + 2 * len(_ARROW_COLUMNS)


def test_categories_count_by_text() -> None:
    """Categorical columns of polars and dictionaries of pyarrow hash what they show."""
    enums = [
        pl.Series(["a"], dtype=pl.Enum(names)) for names in (["a", "b"], ["b", "a"])
    ]
    texts = [pl.Series(["a", word], dtype=pl.Categorical) for word in ("a", "b")]
    dictionaries = [pa.array(["a", word]).dictionary_encode() for word in ("a", "b")]

    assert len({stable_hash(value) for value in (*enums, *texts, *dictionaries)}) == 6
    assert stable_hash(texts[1]) == stable_hash(
        pl.Series(["a", "b"], dtype=pl.Categorical)
    )
