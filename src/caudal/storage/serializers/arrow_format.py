"""Data frames as an Arrow stream, which every data tool can read; what would not come back equal is refused.

The stream's schema carries one entry of caudal's own, which says what kind of frame it was.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from caudal.storage.serializers.base import NamedSerializer

if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRY = b"caudal"
_SERIES_COLUMN = "value"
_TEXT = frozenset({str, type(None)})


@dataclass(frozen=True)
class ArrowSerializer(NamedSerializer):
    """The Arrow stream format, for frames of pandas and polars and tables and batches of pyarrow."""

    type = "arrow"

    def dumps(self, obj: Any) -> bytes:
        """Return a frame as an Arrow stream."""
        kind = frame_kind(obj)
        if kind is None:
            raise TypeError("it is no data frame that caudal knows")
        to_table, _ = _KINDS[kind]
        data, facts = to_table(obj)
        if data.num_rows != len(obj) or not data.num_columns:
            raise TypeError("a frame without columns is not exact in Arrow")
        entry = json.dumps({"kind": kind, **facts}).encode()
        schema = data.schema.with_metadata(
            {**(data.schema.metadata or {}), _ENTRY: entry}
        )
        file = io.BytesIO()
        with _pyarrow().ipc.new_stream(file, schema) as writer:
            writer.write(data.replace_schema_metadata(schema.metadata))
        return file.getvalue()

    def loads(self, blob: bytes) -> Any:
        """Return the frame, of the type it was."""
        table = _pyarrow().ipc.open_stream(blob).read_all()
        metadata = dict(table.schema.metadata)
        facts = json.loads(metadata.pop(_ENTRY))
        _, from_table = _KINDS[facts.pop("kind")]
        return from_table(table.replace_schema_metadata(metadata or None), **facts)


def frame_kind(value: object) -> str | None:
    """Return which kind of frame a value is, ``pandas.DataFrame``, or None; imports nothing."""
    kind = type(value)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    return name if name in _KINDS else None


def _pyarrow() -> Any:
    import_module("pyarrow.ipc")
    return import_module("pyarrow")


def _from_pandas(frame: Any) -> tuple[Any, dict[str, Any]]:
    if frame.attrs or not frame.flags.allows_duplicate_labels:
        raise TypeError("its attrs and flags are not kept in Arrow")
    if getattr(frame.index, "freq", None) is not None:
        raise TypeError("the frequency of its index is not kept in Arrow")
    if not _TEXT.issuperset(map(type, frame.index.names)):
        raise TypeError("an index whose name is no text is not exact in Arrow")
    if len(set(map(type, frame.columns.tolist()))) > 1:
        raise TypeError("column names of several types are not exact in Arrow")
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    levels = [
        frame.index.get_level_values(level) for level in range(frame.index.nlevels)
    ]
    for column in (*columns, *levels):
        if column.dtype == object and not _TEXT.issuperset(map(type, column)):
            raise TypeError(
                f"column {column.name!r} holds objects that are not all text"
            )
    table = _pyarrow().Table.from_pandas(frame)
    _require_same_shape(frame, table.slice(0, 0).to_pandas())
    return table, {}


def _require_same_shape(frame: Any, back: Any) -> None:
    """Raise unless labels and types came back as they were, which an empty frame shows."""
    parts = {
        "column names": (_labels(frame.columns), _labels(back.columns)),
        "column types": (list(frame.dtypes), list(back.dtypes)),
    }
    if type(frame.index).__name__ != "RangeIndex":  # an empty one forgets its name
        parts["index"] = (_index_types(frame.index), _index_types(back.index))
    for what, (ours, theirs) in parts.items():
        if ours != theirs:
            raise TypeError(f"its {what} would not come back from Arrow as they were")


def _labels(columns: Any) -> Any:
    labels = columns.tolist()
    return type(columns), list(columns.names), labels, [*map(type, labels)]


def _index_types(index: Any) -> Any:
    levels = [index.get_level_values(level).dtype for level in range(index.nlevels)]
    return index.__class__.__name__, list(index.names), levels


def _to_pandas(table: Any) -> Any:
    frame = table.to_pandas()
    for name, dtype in frame.dtypes.items():
        if hasattr(dtype, "categories"):  # these alone come back read-only
            frame[name] = frame[name].copy()
    return frame


def _from_pandas_series(series: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(series.name, str | None):
        raise TypeError("a series whose name is no text is not exact in Arrow")
    if series.attrs or not series.flags.allows_duplicate_labels:
        raise TypeError("its attrs and flags are not kept in Arrow")
    table, _ = _from_pandas(series.to_frame(_SERIES_COLUMN))
    return table, {"name": series.name}


def _to_pandas_series(table: Any, name: str | None) -> Any:
    return _to_pandas(table)[_SERIES_COLUMN].rename(name)


def _from_polars(frame: Any) -> tuple[Any, dict[str, Any]]:
    table = frame.to_arrow()
    if _to_polars(table.slice(0, 0)).schema != frame.schema:
        raise TypeError(f"the types in {frame.schema} are not all exact in Arrow")
    return table, {}


def _to_polars(table: Any) -> Any:
    polars: Any = import_module("polars")
    return polars.from_arrow(table)


def _as_it_is(data: Any) -> tuple[Any, dict[str, Any]]:
    return data, {}


def _to_batch(table: Any) -> Any:
    batches = table.to_batches()
    if batches:
        return batches[0]
    return _pyarrow().RecordBatch.from_pylist([], schema=table.schema)


def _to_table(table: Any) -> Any:
    return table


#: For each kind of frame: how to make a table of it, and how to make it of the table.
_KINDS = cast(
    "dict[str, tuple[Callable[[Any], tuple[Any, dict[str, Any]]], Callable[..., Any]]]",
    {
        "pandas.DataFrame": (_from_pandas, _to_pandas),
        "pandas.Series": (_from_pandas_series, _to_pandas_series),
        "polars.DataFrame": (_from_polars, _to_polars),
        "pyarrow.Table": (_as_it_is, _to_table),
        "pyarrow.RecordBatch": (_as_it_is, _to_batch),
    },
)
