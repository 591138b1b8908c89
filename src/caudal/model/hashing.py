"""Stable hashes of values: equal in every process for equal content, whatever order dicts and sets were filled in.

Types count: ``1``, ``1.0``, ``True`` and ``"1"`` have four hashes, and so have a list and a tuple. What has no stable content is
an error that says where it is; nothing is ever hashed by its memory address or by its pickle.
"""

from __future__ import annotations

import functools
from dataclasses import fields
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from caudal.exceptions import HashError
from caudal.model import hashing_code as code
from caudal.model import hashing_frames as frames
from caudal.model.hasher import Hasher, Unhashable, Writer, class_name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def stable_hash(value: object, *, name: str = "value") -> str:
    """Return a hash of a value's content and types, as 40 hexadecimal digits.

    It is the same in every process and on every machine. Objects of other classes take part through a method
    ``__caudal_hash__()`` that returns what identifies them.

    Args:
        value: The value.
        name: What the value is called in errors.

    Raises:
        HashError: A part of the value has no stable hash; the error says which.
    """
    return _digest(value, name, Hasher.feed)


def source_hash(fn: Callable[..., Any], *, name: str = "function") -> str:
    """Return a hash of a function's source and that of every function it wraps, or of its code where there is no source.

    Args:
        fn: The function, or another object that can be called.
        name: What it is called in errors.

    Raises:
        HashError: Nothing is known of what the function does.
    """
    return _digest(fn, name, code.write_source)


def owner_hash(value: object, *, name: str) -> str:
    """Return a hash of an object that a function goes by, such as what its method is bound to.

    It is that of `stable_hash`, but an object of which nothing else is known is what its attributes are.

    Args:
        value: The object.
        name: What it is called in errors.

    Raises:
        HashError: A part of it has no stable hash.
    """
    return _digest(value, name, code.write_owner)


def _digest(value: Any, name: str, write: Writer) -> str:
    hasher = Hasher(_find_writer)
    try:
        write(hasher, value)
    except Unhashable as error:
        path = name + "".join(reversed(error.path))
        raise HashError(path, error.type_name, error.reason) from error.__cause__
    except RecursionError as error:
        reason = "it is nested too deeply"
        raise HashError(name, class_name_of(value), reason) from error
    except Exception as error:
        reason = f"hashing it raised {type(error).__name__}: {error}"
        raise HashError(name, class_name_of(value), reason) from error
    return hasher.hexdigest()


@functools.lru_cache(maxsize=1024)
def _find_writer(kind: type) -> Writer:
    """Return what writes the values of a type."""
    if hasattr(kind, "__caudal_hash__"):
        return _write_custom
    top = kind.__module__.partition(".")[0]
    known = _BY_NAME.get(f"{top}.{kind.__qualname__}")
    if known is not None:
        return known
    for is_one, write in _FAMILIES:
        if is_one(kind):
            return write
    return code.write_named


def _write_custom(hasher: Hasher, value: Any) -> None:
    identity = value.__caudal_hash__()
    if identity is None:
        raise Unhashable(value, "its __caudal_hash__() returned None")
    hasher.text(f"custom {class_name_of(value)}")
    hasher.part(identity, ".__caudal_hash__()")


def _write_fields(hasher: Hasher, value: Any, names: Iterable[str]) -> None:
    hasher.text(f"object {class_name_of(value)}")
    for name in names:
        hasher.text(name)
        hasher.part(getattr(value, name, NotImplemented), f".{name}")
    hasher.update(b".")


def _write_dataclass(hasher: Hasher, value: Any) -> None:
    _write_fields(hasher, value, [field.name for field in fields(value)])


def _write_struct(hasher: Hasher, value: Any) -> None:
    _write_fields(hasher, value, value.__struct_fields__)


def _write_attrs(hasher: Hasher, value: Any) -> None:
    _write_fields(hasher, value, [field.name for field in value.__attrs_attrs__])


def _write_pydantic(hasher: Hasher, value: Any) -> None:
    _write_fields(hasher, value, value.__class__.model_fields)
    hasher.feed(getattr(value, "__pydantic_extra__", None))


def _write_enum(hasher: Hasher, value: Enum) -> None:
    hasher.text(f"enum {class_name_of(value)} {value.name}")
    hasher.part(value.value, ".value")


def _write_namespace(hasher: Hasher, value: Any) -> None:
    hasher.text(f"namespace {class_name_of(value)}")
    hasher.mapping(value.__dict__)


def _write_mapping(hasher: Hasher, value: Any) -> None:
    hasher.text(f"mapping {class_name_of(value)}")
    hasher.mapping(value)


def _write_ordered(hasher: Hasher, value: Any) -> None:
    hasher.text(class_name_of(value))
    hasher.items(list(value))
    hasher.part(list(value.values()), ".values()")


def _write_default_dict(hasher: Hasher, value: Any) -> None:
    hasher.text(class_name_of(value))
    hasher.part(value.default_factory, ".default_factory")
    hasher.mapping(value)


def _write_deque(hasher: Hasher, value: Any) -> None:
    hasher.text(f"deque {value.maxlen}")
    hasher.items(value)


def _write_text(hasher: Hasher, value: Any) -> None:
    hasher.text(f"{class_name_of(value)} {value}")


def _write_path(hasher: Hasher, value: Any) -> None:
    hasher.text(f"path {type(value).__name__} {value}")


def _write_attributes(*names: str) -> Writer:
    """Return a writer for a class of the standard library that is fully described by some attributes."""

    def write(hasher: Hasher, value: Any) -> None:
        hasher.text(class_name_of(value))
        for name in names:
            hasher.part(getattr(value, name), f".{name}")

    return write


def _write_bytes(hasher: Hasher, value: Any) -> None:
    hasher.text(type(value).__name__)
    hasher.feed(bytes(value))


def _write_typed_array(hasher: Hasher, value: Any) -> None:
    hasher.text(f"array {value.typecode}")
    hasher.feed(value.tolist())


def _write_date(hasher: Hasher, value: Any) -> None:
    hasher.text(f"date {value.isoformat()}")


def _write_time(hasher: Hasher, value: Any) -> None:
    """Add a time or datetime: what it shows, how far that is from UTC, and the zone's name where it has one."""
    zone = value.tzinfo
    shown = value.replace(tzinfo=None).isoformat()
    hasher.text(f"{type(value).__name__} {shown} {value.fold}")
    if zone is not None:
        key = getattr(zone, "key", None) or getattr(zone, "zone", None)
        if key is None and type(zone).__module__.startswith("dateutil"):
            key = repr(zone)
        hasher.text(f"{value.utcoffset()} {key}")


def _write_offset(hasher: Hasher, value: Any) -> None:
    hasher.text(f"offset {value!r}")


def _write_zone(hasher: Hasher, value: Any) -> None:
    if value.key is None:
        raise Unhashable(value, "a zone that was read from a file has no name")
    hasher.text(f"zone {value.key}")


_DESCRIBED: dict[str, tuple[str, ...]] = {
    "builtins.range": ("start", "stop", "step"),
    "builtins.slice": ("start", "stop", "step"),
    "re.Pattern": ("pattern", "flags"),
    "datetime.timedelta": ("days", "seconds", "microseconds"),
    "fractions.Fraction": ("numerator", "denominator"),
    "uuid.UUID": ("bytes",),
}
_IN_TEXT = (
    "decimal.Decimal",
    "ipaddress.IPv4Address",
    "ipaddress.IPv6Address",
    "ipaddress.IPv4Network",
    "ipaddress.IPv6Network",
    "ipaddress.IPv4Interface",
    "ipaddress.IPv6Interface",
)
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_PANDAS_SCALARS = ("Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType")

#: By name, so that no module is imported for values that may never come: top-level package and class.
_BY_NAME: dict[str, Writer] = {
    **{name: _write_attributes(*parts) for name, parts in _DESCRIBED.items()},
    **dict.fromkeys(_IN_TEXT, _write_text),
    **dict.fromkeys((f"pathlib.{name}" for name in _PATHS), _write_path),
    **dict.fromkeys(
        (f"pandas.{name}" for name in _PANDAS_SCALARS), frames.write_pandas_scalar
    ),
    "builtins.bytearray": _write_bytes,
    "builtins.mappingproxy": _write_mapping,
    "array.array": _write_typed_array,
    "collections.Counter": _write_mapping,
    "collections.OrderedDict": _write_ordered,
    "collections.defaultdict": _write_default_dict,
    "collections.deque": _write_deque,
    "datetime.date": _write_date,
    "datetime.time": _write_time,
    "datetime.datetime": _write_time,
    "types.SimpleNamespace": _write_namespace,
    "datetime.timezone": _write_offset,
    "zoneinfo.ZoneInfo": _write_zone,
    "numpy.ndarray": frames.write_array,
    "numpy.memmap": frames.write_array,
    "pandas.DataFrame": frames.write_pandas_frame,
    "pandas.Series": frames.write_pandas_series,
    "polars.DataFrame": frames.write_polars_frame,
    "polars.Series": frames.write_polars_series,
    "pyarrow.Table": frames.write_arrow_table,
    "pyarrow.RecordBatch": frames.write_arrow_table,
}


def _write_derived(hasher: Hasher, value: Any) -> None:
    """Add a value whose class was derived, in Python, from a type of the language: content and attributes."""
    mro: tuple[type, ...] = value.__class__.__mro__
    base = next(base for base in mro if base in _BASES)
    hasher.text(f"derived {class_name_of(value)}")
    hasher.part(_content(base, value), f".<{base.__name__}>")
    code.write_state(hasher, value)


def _content(base: Any, value: Any) -> Any:
    """Return what a value holds as one of the language's types, past any method that its class overrides."""
    name: str = base.__name__
    if name == "dict":
        return {key: base.__getitem__(value, key) for key in base.__iter__(value)}
    if name in {"set", "frozenset"}:
        return base(base.__iter__(value))
    if name in {"list", "tuple", "bytes"}:
        return base.__getitem__(value, slice(None))
    return {int: int.__int__, float: float.__float__, str: str.__str__}[base](value)


_BASES = frozenset({dict, set, frozenset, list, tuple, bytes, int, float, str})


def _is_derived(kind: type) -> bool:
    """Say whether a type adds nothing but Python attributes to a type of the language."""
    built_in = (base for base in kind.__mro__ if not code.is_made_at_run_time(base))
    return next(built_in) in _BASES


def _comes_from(package: str, ancestor: str) -> Callable[[type], bool]:
    def is_one(kind: type) -> bool:
        return (
            any(
                base.__module__.partition(".")[0] == package
                and base.__qualname__ == ancestor
                for base in kind.__mro__
            )
            and kind.__module__.partition(".")[0] == package
        )

    return is_one


def _is_arrow_array(kind: type) -> bool:
    return kind.__module__ == "pyarrow.lib" and kind.__qualname__.endswith("Array")


def _is_a(*ancestors: type) -> Callable[[type], bool]:
    return lambda kind: issubclass(kind, ancestors)


def _has(*names: str) -> Callable[[type], bool]:
    return lambda kind: all(hasattr(kind, name) for name in names)


#: In order: what tells a family of types, and what writes its values.
_FAMILIES: tuple[tuple[Callable[[type], bool], Any], ...] = (
    (_is_a(type), code.write_class),
    (_is_a(ModuleType), code.write_module),
    (_is_a(FunctionType), code.write_function),
    (_is_a(MethodType), code.write_method),
    (_is_a(functools.partial), code.write_partial),
    (_is_a(Enum), _write_enum),
    (_comes_from("numpy", "generic"), frames.write_numpy_scalar),
    (_comes_from("numpy", "dtype"), frames.write_dtype),
    (_comes_from("pandas", "Index"), frames.write_pandas_index),
    (_is_arrow_array, frames.write_arrow_array),
    (_is_derived, _write_derived),
    (_has("__dataclass_fields__"), _write_dataclass),
    (_has("__struct_fields__"), _write_struct),
    (_has("model_fields", "model_dump"), _write_pydantic),
    (_has("__attrs_attrs__"), _write_attrs),
)
