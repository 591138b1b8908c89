"""Arrays and data frames by their content, without importing the libraries they come from.

A value of one of these types can only exist when its library is loaded; its own methods then do the work.
Numbers are hashed as blocks of memory. A missing value counts as missing, whatever lies beneath it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from caudal.model.hasher import Hasher, Unhashable

if TYPE_CHECKING:
    from collections.abc import Callable

#: Types of polars and pyarrow, in lower case, whose columns are blocks of numbers.
_BLOCKS = frozenset(
    [
        "bool",
        "boolean",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float",
        "double",
        "float32",
        "float64",
    ]
)
#: Integer types of pyarrow by their width, for dates and times.
_INTEGERS = {32: "int32", 64: "int64"}
#: Array classes of pandas that keep numbers and missing values apart.
_MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")


def write_array(hasher: Hasher, array: Any) -> None:
    """Add a numpy array: dtype, shape and content, whatever its order in memory."""
    dtype = array.dtype
    hasher.text(f"ndarray {dtype.str}")
    hasher.feed(tuple(array.shape))
    if dtype.names:  # bytes between the fields are undefined
        for name in dtype.names:
            hasher.text(name)
            hasher.part(array[name], f"[{name!r}]")
    elif dtype.hasobject or dtype.kind == "T":
        hasher.items(array.ravel().tolist(), lambda position: f".flat[{position}]")
    elif dtype.char in "gG":  # so are bytes within a long double
        raise Unhashable(array, f"arrays of dtype {dtype} have undefined bytes")
    elif array.nbytes:
        if not array.flags.c_contiguous:
            array = array.copy(order="C")
        hasher.update(array.reshape(-1).view("u1"))


def write_numpy_scalar(hasher: Hasher, value: Any) -> None:
    """Add a numpy scalar: dtype and content."""
    dtype = value.dtype
    hasher.text(f"scalar {dtype.str}")
    if dtype.names:
        hasher.feed(value.item())
    elif dtype.char in "gG":
        raise Unhashable(value, f"values of dtype {dtype} have undefined bytes")
    else:
        hasher.feed(value.tobytes())


def write_dtype(hasher: Hasher, dtype: Any) -> None:
    """Add a numpy dtype."""
    hasher.text(f"dtype {dtype!r}")


def write_pandas_frame(hasher: Hasher, frame: Any) -> None:
    """Add a pandas data frame: labels, dtypes, index and content."""
    hasher.text("pandas.DataFrame")
    hasher.part(dict(frame.attrs), ".attrs")
    hasher.part(frame.columns, ".columns")
    hasher.part(frame.index, ".index")
    for position, label in enumerate(frame.columns.tolist()):
        column = frame.iloc[:, position]
        _within(f"[{label!r}]", _write_pandas_column, hasher, column)


def write_pandas_series(hasher: Hasher, series: Any) -> None:
    """Add a pandas series: name, dtype, index and content."""
    hasher.text("pandas.Series")
    hasher.part(dict(series.attrs), ".attrs")
    hasher.part(series.name, ".name")
    hasher.part(series.index, ".index")
    _write_pandas_column(hasher, series)


def write_pandas_index(hasher: Hasher, index: Any) -> None:
    """Add a pandas index: names, dtype and content."""
    hasher.text(f"pandas {type(index).__name__}")
    hasher.part(list(index.names), ".names")
    hasher.text(str(getattr(index, "freqstr", None)))
    if type(index).__name__ == "RangeIndex":
        hasher.feed((index.start, index.stop, index.step))
        return
    for level in range(index.nlevels):
        _write_pandas_column(hasher, index.get_level_values(level))


def _write_pandas_column(hasher: Hasher, column: Any) -> None:
    """Add the dtype and content of a series or of one level of an index."""
    dtype = column.dtype
    array = column.array
    hasher.text(str(dtype))
    if hasattr(dtype, "hasobject"):  # a dtype of numpy's
        write_array(hasher, array.to_numpy())
    elif hasattr(dtype, "categories"):
        hasher.feed(bool(dtype.ordered))
        hasher.part(dtype.categories, ".categories")
        write_array(hasher, array.codes)
    elif hasattr(array, "asi8"):
        write_array(hasher, array.asi8)
    elif type(array).__name__ in _MASKED:
        write_array(hasher, array.isna())
        kind = dtype.numpy_dtype
        write_array(hasher, array.to_numpy(dtype=kind, na_value=kind.type()))
    else:
        hasher.items(array.tolist())


def write_pandas_scalar(hasher: Hasher, value: Any) -> None:
    """Add a pandas timestamp, timedelta, period, interval or missing value."""
    hasher.text(f"pandas {type(value).__name__} {value!r}")


def write_polars_frame(hasher: Hasher, frame: Any) -> None:
    """Add a polars data frame: names, dtypes and content."""
    hasher.text("polars.DataFrame")
    hasher.feed((frame.height, frame.width))
    for column in frame.get_columns():
        _within(f"[{column.name!r}]", write_polars_series, hasher, column)


def write_polars_series(hasher: Hasher, series: Any) -> None:
    """Add a polars series: name, dtype and content."""
    kind = type(series.dtype).__name__
    hasher.text(f"polars.Series {series.name}")
    hasher.text(str(series.dtype))
    if kind == "Enum":
        hasher.items(series.dtype.categories.to_list())
    if kind in {"Enum", "Categorical"}:
        series = series.cast(str)
    elif series.dtype.is_temporal():
        series = series.to_physical()
    if str(series.dtype).lower() not in _BLOCKS:
        hasher.items(series.to_list())
        return
    hasher.feed(series.null_count())
    if series.null_count():
        write_array(hasher, series.is_null().to_numpy())
        series = series.fill_null(strategy="zero")
    write_array(hasher, series.to_numpy())


def write_arrow_table(hasher: Hasher, table: Any) -> None:
    """Add a pyarrow table or record batch: schema with metadata, and content, whatever its chunks."""
    hasher.text(f"pyarrow.{type(table).__name__}")
    hasher.feed((table.num_rows, table.num_columns))
    hasher.feed(dict(table.schema.metadata or {}))
    for position, field in enumerate(table.schema):
        hasher.text(field.name)
        hasher.feed((field.nullable, dict(field.metadata or {})))
        _within(f"[{field.name!r}]", write_arrow_array, hasher, table.column(position))


def write_arrow_array(hasher: Hasher, column: Any) -> None:
    """Add a pyarrow array: type and content, whatever its chunks."""
    pyarrow: Any = sys.modules["pyarrow"]
    kind = column.type
    hasher.text(f"pyarrow.Array {kind}")
    if not hasattr(column, "chunks"):
        column = pyarrow.chunked_array([column], type=kind)
    if pyarrow.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pyarrow.types.is_temporal(kind) and kind.bit_width in _INTEGERS:
        column = column.cast(_INTEGERS[kind.bit_width])
    if str(column.type) not in _BLOCKS:
        hasher.items(column.to_pylist())
        return
    hasher.feed(column.null_count)
    if column.null_count:
        write_array(hasher, column.is_null().to_numpy())
        column = column.fill_null(pyarrow.scalar(0).cast(column.type))
    write_array(hasher, column.to_numpy())


def _within(
    step: str, write: Callable[[Hasher, Any], None], hasher: Hasher, part: Any
) -> None:
    """Add a part of a frame, which errors are to name."""
    try:
        write(hasher, part)
    except Unhashable as error:
        error.path.append(step)
        raise
