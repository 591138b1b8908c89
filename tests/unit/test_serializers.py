"""Serializers: which one a value gets, that it comes back as it was, and what each refuses."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import pickle
import subprocess
import sys
import uuid
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd

from caudal.exceptions import (
    ConfigurationError,
    SerializationError,
    UnknownSerializerError,
)
from caudal.serializers import (
    ArraySerializer,
    ArrowSerializer,
    AutoSerializer,
    CompressedJSONSerializer,
    CompressedPickleSerializer,
    CompressedSerializer,
    JSONSerializer,
    PickleSerializer,
    Serializer,
    resolve_serializer,
)
from caudal.storage.serializers import dump, is_exact_json, serializer_for

AUTO = AutoSerializer()


def same(one: Any, other: Any) -> bool:
    """Say whether two plain values are equal with equal types throughout, NaN being equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)  # noqa: PLR0124


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5)
    ),
)
_any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=5)
    ),
)


@given(_plain)
def test_what_is_exact_json_comes_back_exactly(value: Any) -> None:
    """What passes the check keeps values, types and order, or is refused when written."""
    if is_exact_json(value):
        assert serializer_for(value).name == "json"
        try:
            data = JSONSerializer().dumps(value)
        except UnicodeEncodeError:
            return
        assert same(value, JSONSerializer().loads(data))


@given(_any)
def test_the_choice_by_type_is_always_exact(value: Any) -> None:
    """Whatever is chosen, the value comes back with its types."""
    serializer, data = AUTO.pick(value)

    assert same(value, serializer.loads(data))
    assert same(value, AUTO.loads(AUTO.dumps(value)))


class Text(str):
    """Text with a class of its own."""

    __slots__ = ()


_SHARED: list[int] = [1]
_LOOP: list[Any] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2), {1, 2}, b"x", {1: "a"}, {"a": (1,)}, [[{"a": {1}}]], math.nan, [math.inf], {"a": -math.inf}, [1, 2.0, math.nan], True + 0j, Text("a"), {Text("a"): 1},
        [Text("a")], OrderedDict(a=1), [_SHARED, _SHARED], _LOOP, {"__class__": "builtins:int", "data": 1}, [{"__exc_type__": 1}], dt.date(2024, 1, 1), object,
    ],
    ids=repr,
)  # fmt: skip
def test_what_json_would_change_is_pickled(value: Any) -> None:
    """Tuples, sets, other keys, NaN, subclasses, shared parts and look-alikes of tags are not left to JSON."""
    assert not is_exact_json(value)
    assert serializer_for(value).name == "pickle"


def test_a_number_too_long_for_json_is_pickled() -> None:
    """Python refuses to write integers of many thousand digits as text."""
    serializer, data = AUTO.pick(10**5000)

    assert serializer.name == "pickle"
    assert serializer.loads(data) == 10**5000


def test_json_is_compact_utf8() -> None:
    """Stored JSON is readable by anything and holds no spare bytes."""
    assert AUTO.pick({"a": [1, None], "b": "é"})[1] == b'{"a":[1,null],"b":"\xc3\xa9"}'


class Shade(enum.Enum):
    """An enum."""

    DARK = "dark"


@dataclass
class Point:
    """A dataclass."""

    x: int
    when: dt.date


class Order(pydantic.BaseModel):
    """A pydantic model."""

    number: int
    at: dt.datetime
    amount: Decimal


T = TypeVar("T")


class Box(pydantic.BaseModel, Generic[T]):
    """A generic pydantic model."""

    content: T


NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value",
    [
        NOON, NOON.date(), dt.timedelta(1, 2, 3), dt.time(1), uuid.UUID(int=1), Decimal("1.10"), Path("a"), Shade.DARK, {1, 2}, frozenset({1}), b"abc", 1j,
        Point(1, NOON.date()), Order(number=1, at=NOON, amount=Decimal("1.10")), [Order(number=1, at=NOON, amount=Decimal(1))], {"a": {"b": NOON}}, {"__class__": "x"},
        {"__class__": 3, "data": 4}, {"__exc_type__": None, "message": ""},
    ],
    ids=repr,
)  # fmt: skip
def test_explicit_json_brings_tagged_values_back(value: Any) -> None:
    """As in Prefect, what pydantic turns into JSON comes back as its class."""
    serializer = JSONSerializer()

    assert serializer.loads(serializer.dumps(value)) == value
    assert type(serializer.loads(serializer.dumps(value))) is type(value)


def test_explicit_json_is_lossy_as_json_is() -> None:
    """As in Prefect, tuples come back as lists, keys as text, generic models by their origin, errors by message."""
    serializer = resolve_serializer("json")

    def back(value: Any) -> Any:
        return serializer.loads(serializer.dumps(value))

    assert back((1, 2)) == [1, 2]
    assert back({1: 2}) == {"1": 2}
    assert math.isnan(back(math.nan))
    assert back(Box[int](content=1)) == Box(content=1)
    error = back(ValueError("no"))
    assert (type(error), error.args) == (ValueError, ("no",))


def test_explicit_json_refuses_what_it_could_not_read() -> None:
    """Local classes, bytes that are no text and unknown objects fail when written."""

    class Local(pydantic.BaseModel):
        x: int

    for value, reason in (
        (Local(x=1), "defined inside a function"),
        (b"\xff", "Unicode"),
        (object(), "unknown type"),
        (open, "unknown type"),
    ):
        with pytest.raises(TypeError, match=reason):
            JSONSerializer().dumps(value)


def test_json_tags_that_lead_nowhere_are_errors() -> None:
    """A class that is gone, or an error class that is none, is not passed over in silence."""
    serializer = JSONSerializer()

    with pytest.raises(ImportError):
        serializer.loads(b'{"__class__": "gone.module:X", "data": 1}')
    with pytest.raises(TypeError, match="no exception class"):
        serializer.loads(b'{"__exc_type__": "builtins:int", "message": "1"}')


def plain_encoder(value: Any) -> Any:
    """Turn any value into text."""
    return f"<{type(value).__name__}>"


def plain_decoder(entries: dict[str, Any]) -> Any:
    """Count the entries of an object."""
    return len(entries)


def test_json_can_be_told_how() -> None:
    """Library, encoder, decoder and arguments are the caller's."""
    told = JSONSerializer(
        object_encoder=f"{__name__}.plain_encoder",
        object_decoder=f"{__name__}.plain_decoder",
        dumps_kwargs={"indent": 1},
    )
    bare = JSONSerializer(
        object_encoder=None, object_decoder=None, loads_kwargs={"parse_int": float}
    )
    library = type(sys)("tests_jsonlib")
    library.dumps = lambda value: json.dumps(value).encode()  # type: ignore[attr-defined]
    library.loads = json.loads  # type: ignore[attr-defined]
    sys.modules["tests_jsonlib"] = library
    bytes_lib = JSONSerializer(
        jsonlib="tests_jsonlib", object_encoder=None, object_decoder=None
    )
    try:
        assert bytes_lib.loads(bytes_lib.dumps([1])) == [1]
    finally:
        del sys.modules["tests_jsonlib"]

    assert told.dumps([{1}]) == b'[\n "<set>"\n]'
    assert told.loads(b'{"a": 1}') == 1
    assert bare.loads(b"[1]") == [1.0]
    assert JSONSerializer(dumps_kwargs={"indent": 1}).dumps([1]) == b"[\n 1\n]"
    with pytest.raises(TypeError):
        bare.dumps({1})
    with pytest.raises(ValueError, match="object_encoder"):
        JSONSerializer(dumps_kwargs={"default": str})
    with pytest.raises(ValueError, match="object_decoder"):
        JSONSerializer(loads_kwargs={"object_hook": dict})


@given(
    hnp.arrays(
        hnp.scalar_dtypes()
        | hnp.array_dtypes()
        | hnp.byte_string_dtypes()
        | hnp.unicode_string_dtypes(),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_arrays_come_back_exactly(array: Any) -> None:
    """Every plain dtype and shape survives, with its content bit for bit."""
    serializer, data = AUTO.pick(array)
    back = serializer.loads(data)

    assert type(back) is type(array)
    assert (array.dtype, array.shape) == (back.dtype, back.shape)
    assert array.tobytes() == back.tobytes() or array.dtype.kind == "V"
    assert not isinstance(back, np.ndarray) or back.flags.writeable


def test_arrays_that_npy_cannot_hold_are_pickled() -> None:
    """Arrays of objects and subclasses of arrays keep their nature."""
    for array in (
        np.array([1, "a"], dtype=object),
        np.ma.MaskedArray([1, 2], [True, False]),
        np.array([1], np.dtype("i4", metadata={"unit": "m"})),
    ):
        serializer, data = AUTO.pick(array)
        assert serializer.name == "pickle"
        assert type(serializer.loads(data)) is type(array)
    with pytest.raises(TypeError, match="not exact"):
        ArraySerializer().dumps(np.array([1, "a"], dtype=object))
    with pytest.raises(TypeError, match="no plain numpy array"):
        ArraySerializer().dumps([1])
    order = AUTO.pick(np.asfortranarray(np.ones((2, 3))))
    assert order[0].loads(order[1]).flags.f_contiguous


_DATES = pd.date_range("2024-01-01", periods=3)
_EXACT_FRAMES: dict[str, Any] = {
    "numbers": pd.DataFrame({"i": [1, 2], "f": [1.5, math.nan], "u": np.array([1, 2], "u1"), "h": np.array([1, 2], "f4"), "b": [True, False]}),
    "text": pd.DataFrame({"a": ["x", "y"], "b": pd.Series(["x", None], dtype=object), "c": pd.array(["x", None], dtype="string")}),
    "times": pd.DataFrame({"a": _DATES, "b": _DATES.tz_localize("Europe/Berlin"), "c": _DATES - _DATES[0], "d": _DATES.as_unit("s"), "e": _DATES.to_period("M")}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y"], categories=["y", "x", "z"], ordered=True), "b": pd.Categorical([1, 2])}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean"), "c": pd.array([1.5, None], dtype="Float32")}),
    "arrow": pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]"), "b": pd.array([dt.date(2024, 1, 1), None], dtype=pd.ArrowDtype(pa.date32()))}),
    "index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="k")),
    "index of its column's name": pd.DataFrame({"a": [1, 2]}, index=pd.Index([3, 4], name="a")),
    "range": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="r")),
    "levels": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["l", None])),
    "date labels": pd.DataFrame([[1, 2, 3]], columns=pd.Index(list(_DATES))),
    "label levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
    "no rows": pd.DataFrame({"a": [1], "b": ["x"]}).iloc[:0],
    "interval": pd.DataFrame({"a": pd.interval_range(0, 2)}),
}  # fmt: skip


@pytest.mark.parametrize("name", _EXACT_FRAMES)
def test_frames_come_back_exactly_from_arrow(name: str) -> None:
    """Content, dtypes, labels and index are as they were, and the frame can be changed."""
    frame = _EXACT_FRAMES[name]
    serializer, data = AUTO.pick(frame)
    back = serializer.loads(data)

    assert serializer.name == "arrow"
    pd.testing.assert_frame_equal(frame, back, check_exact=True, check_freq=True)
    for position in range(len(back.columns) if len(back) else 0):
        back.iloc[0, position] = back.iloc[0, position]
    series = frame.iloc[:, 0]
    if series.name is None or isinstance(series.name, str):
        serializer, data = AUTO.pick(series)
        assert serializer.name == "arrow"
        pd.testing.assert_series_equal(series, serializer.loads(data), check_exact=True)


def _marked(frame: pd.DataFrame | pd.Series) -> Any:
    frame.attrs["unit"] = "m"
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, "x"]}),
        pd.DataFrame({"a": [[1], [2]]}),
        pd.DataFrame({"a": [1j]}),
        pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}),
        pd.DataFrame({"a": np.array([1], ">i4")}),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=pd.Index(["a", 1], dtype=object)),
        pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name=7)),
        pd.DataFrame({"a": [1]}, index=pd.Index([(1, 2)], tupleize_cols=False)),
        pd.DataFrame({"a": [1, 2, 3]}, index=_DATES),
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        _marked(pd.DataFrame({"a": [1]})),
        pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
        pd.Series([1], name=3),
        _marked(pd.Series([1])),
        pd.Series([1, "x"]),
    ],
)
def test_frames_that_arrow_would_change_are_pickled(frame: Any) -> None:
    """Mixed columns, odd labels, frequencies and attributes survive by pickle, and explicit Arrow refuses them."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        serializer, data = AUTO.pick(frame)
    back = serializer.loads(data)

    assert not warned
    assert serializer.name == "pickle"
    assert frame.equals(back)
    assert frame.attrs == back.attrs
    with pytest.raises(Exception, match=r".+"):
        ArrowSerializer().dumps(frame)


_columns = st.sampled_from(
    [
        "int64",
        "float32",
        "bool",
        "datetime64[ns]",
        "timedelta64[ns]",
        "object",
        "str",
        "category",
    ]
)


@settings(max_examples=60)
@given(st.data())
def test_frames_of_any_dtype_come_back(data: Any) -> None:
    """Random frames survive, whichever serializer is chosen."""
    columns = []
    for position, dtype in enumerate(data.draw(st.lists(_columns, max_size=4))):
        elements = (
            st.text(max_size=5) | st.none()
            if dtype in {"object", "str", "category"}
            else None
        )
        drawn = "object" if elements is not None else dtype
        columns.append(
            (hpd.column(f"c{position}", dtype=drawn, elements=elements), dtype)
        )
    frame = data.draw(hpd.data_frames([column for column, _ in columns]))
    frame = frame.astype(
        {
            column.name: dtype
            for column, dtype in columns
            if dtype in {"str", "category"}
        }
    )
    serializer, encoded = AUTO.pick(frame)

    pd.testing.assert_frame_equal(frame, serializer.loads(encoded), check_exact=True)


_WHEN = [NOON, None]
_POLARS = pl.DataFrame(
    {
        "int": [1, None],
        "text": ["a", None],
        "when": _WHEN,
        "cat": pl.Series(["x", "y"], dtype=pl.Categorical),
        "enum": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])),
        "list": [[1], []],
        "struct": [{"a": 1}, {"a": None}],
        "money": [Decimal("1.10"), None],
    }
)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (_POLARS, "arrow"),
        (_POLARS.clear(), "arrow"),
        (pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}), "pickle"),
        (pl.DataFrame(), "pickle"),
        (pa.table({"a": [1, 2], "b": [{"x": 1}, None]}), "arrow"),
        (pa.table({"a": [1]}, metadata={"k": "v"}), "arrow"),
        (pa.table({"a": pa.chunked_array([[1], [2, 3]])}), "arrow"),
        (pa.table({"a": pa.array([], pa.int8())}), "arrow"),
        (pa.record_batch({"a": [1, 2]}), "arrow"),
        (pa.record_batch({"a": pa.array([], pa.int8())}), "arrow"),
    ],
    ids=repr,
)
def test_other_frames_come_back(value: Any, name: str) -> None:
    """Frames of polars and pyarrow come back as the type they were, with their schema."""
    serializer, data = AUTO.pick(value)
    back = serializer.loads(data)

    assert serializer.name == name
    assert type(back) is type(value)
    assert back.schema == value.schema
    if isinstance(value, pa.Table | pa.RecordBatch):
        assert back.schema.equals(value.schema, check_metadata=True)
    assert back.equals(value)


def test_explicit_arrow_refuses_other_values() -> None:
    """Arrow is for frames."""
    with pytest.raises(TypeError, match="no data frame"):
        ArrowSerializer().dumps([1])
    with pytest.raises(TypeError, match="not all exact"):
        ArrowSerializer().dumps(pl.DataFrame({"a": pl.Series([1], dtype=pl.Object)}))


def test_an_arrow_result_is_a_plain_arrow_stream() -> None:
    """Tools that know nothing of caudal can read it."""
    data = ArrowSerializer().dumps(pd.DataFrame({"a": [1, 2]}))

    assert pa.ipc.open_stream(data).read_all().column("a").to_pylist() == [1, 2]


@pytest.mark.parametrize("library", ["zlib", "bz2", "lzma"])
def test_compression_wraps_any_serializer(library: str) -> None:
    """What is inside comes back, and text gets smaller."""
    value = {"a": ["text"] * 1000}
    for inner in ("json", "pickle", "auto"):
        serializer = CompressedSerializer(serializer=inner, compressionlib=library)
        assert serializer.loads(serializer.dumps(value)) == value
        assert len(serializer.dumps(value)) < 1000


@pytest.mark.parametrize(
    "serializer",
    [
        JSONSerializer(), JSONSerializer(dumps_kwargs={"indent": 2}), PickleSerializer(), PickleSerializer(picklelib="pickle"), ArrowSerializer(), ArraySerializer(), AutoSerializer(),
        CompressedSerializer(), CompressedSerializer(serializer=JSONSerializer(dumps_kwargs={"indent": 2}), compressionlib="bz2"), CompressedPickleSerializer(),
        CompressedPickleSerializer(compressionlib="lzma"), CompressedJSONSerializer(),
    ],
    ids=lambda serializer: serializer.name,
)  # fmt: skip
def test_a_name_is_enough_to_make_a_serializer_again(serializer: Serializer) -> None:
    """The name on record holds the type and every option that is not the default."""
    assert resolve_serializer(serializer.name) == serializer
    assert resolve_serializer(serializer) is serializer
    assert serializer.name.startswith(serializer.type)
    assert pickle.loads(pickle.dumps(serializer)) == serializer  # noqa: S301


def test_names_as_users_write_them() -> None:
    """The short names of Prefect mean the same."""
    assert resolve_serializer("json") == JSONSerializer()
    assert resolve_serializer("pickle") == PickleSerializer()
    assert resolve_serializer("compressed/pickle") == CompressedPickleSerializer()
    assert resolve_serializer("compressed/json").name == "compressed/json"
    assert resolve_serializer(PickleSerializer) == PickleSerializer()
    assert CompressedSerializer(serializer="json", compressionlib="lzma").name == 'compressed{"compressionlib":"lzma","serializer":"json"}'  # fmt: skip


class Mine(Serializer):
    """A serializer of a user's own."""

    type = "mine"


class Refusing(Serializer):
    """A serializer that says itself what is wrong."""

    def dumps(self, obj: Any) -> bytes:
        """Refuse the value."""
        raise SerializationError("any", "refusing", str(obj))


def test_a_serializers_own_error_goes_through() -> None:
    """A SerializationError is not wrapped in another one."""
    with pytest.raises(SerializationError, match="'refusing': 7"):
        dump(Refusing(), 7)


def test_a_users_serializer_is_named_by_its_import_path() -> None:
    """Its name leads back to it, unless the module is gone."""
    module = sys.modules[__name__] = sys.modules.get(
        __name__, sys.modules[Mine.__module__]
    )

    assert module.Mine is Mine
    assert isinstance(resolve_serializer(Mine().name), Mine)
    with pytest.raises(NotImplementedError):
        Mine().dumps(1)
    with pytest.raises(NotImplementedError):
        Mine().loads(b"")


@dataclass(frozen=True)
class Shifting(Serializer):
    """A serializer of a user's own, with an option."""

    type = "shifting"
    by: int = 1

    def dumps(self, obj: Any) -> bytes:
        """Shift each byte of a text."""
        return bytes(byte + self.by for byte in obj.encode())

    def loads(self, blob: bytes) -> Any:
        """Shift them back."""
        return bytes(byte - self.by for byte in blob).decode()


class Careful(PickleSerializer):
    """One of caudal's own, changed."""


def test_a_users_serializer_has_a_short_name_and_keeps_its_options() -> None:
    """Its type stands for it, and its name leads to an equal one."""
    assert resolve_serializer("shifting") == Shifting()
    assert resolve_serializer('shifting{"by":3}') == Shifting(3)
    again = resolve_serializer(Shifting(2).name)
    assert (again, again.dumps("ab")) == (Shifting(2), b"cd")
    assert CompressedSerializer("shifting").loads(CompressedSerializer("shifting").dumps("ab")) == "ab"  # fmt: skip


def test_a_changed_serializer_does_not_take_the_name_of_the_original() -> None:
    """A subclass without a type of its own is known by its path."""
    assert type(resolve_serializer("pickle")) is PickleSerializer
    assert type(resolve_serializer(Careful().name)) is Careful


@pytest.mark.parametrize(
    "name",
    ["jsn", "", "json{", 'json{"x":1}', "gone:Mine", "sys:gone", "nothing/pickle"],
)
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    """A typing error is answered with what there is."""
    with pytest.raises(UnknownSerializerError, match="'compressed/pickle'") as caught:
        resolve_serializer(name)
    assert repr(name) in str(caught.value)


def test_a_library_that_is_not_there_is_named() -> None:
    """Wrong libraries are noticed when the serializer is made."""
    with pytest.raises(ConfigurationError, match=r"'nope'.*cannot be imported"):
        CompressedSerializer(compressionlib="nope")
    with pytest.raises(ConfigurationError, match="no compress and no decompress"):
        CompressedSerializer(compressionlib="json")
    with pytest.raises(ConfigurationError, match="no dumps and no loads"):
        JSONSerializer(jsonlib="zlib")
    with pytest.raises(ConfigurationError, match="no dumps and no loads"):
        PickleSerializer(picklelib="zlib")


def test_pickles_take_what_a_script_defines() -> None:
    """Functions without a module travel, and values come back equal."""
    add = PickleSerializer().loads(PickleSerializer().dumps(lambda x: x + 1))

    assert add(1) == 2
    assert PickleSerializer(picklelib="pickle").loads(
        PickleSerializer().dumps((1, 2))
    ) == (1, 2)
    assert PickleSerializer(picklelib="marshal").loads(
        PickleSerializer(picklelib="marshal").dumps((1, 2))
    ) == (1, 2)


def test_choosing_imports_nothing() -> None:
    """Data libraries, pydantic and cloudpickle are loaded only when a value needs them."""
    code = (
        "import sys\nfrom caudal.storage.serializers import serializer_for, AutoSerializer\n"
        "for value in (1, [1], (1, 2), object()): serializer_for(value)\n"
        "AutoSerializer().pick({'a': 1})\n"
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'polars', 'pydantic', 'pydantic_core', 'cloudpickle'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert output == "[]\n"


def test_records_of_msgspec_are_pickled_and_come_back() -> None:
    """A type that no other serializer claims is pickled."""
    record = msgspec.defstruct("Record", [("a", int)], module=__name__)
    serializer, data = AUTO.pick(record(1))

    assert serializer.name == "pickle"
    assert serializer.loads(data).a == 1
