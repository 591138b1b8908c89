"""The byte stream behind stable hashes: how plain values and containers are written into a digest.

Every value is written as a mark of its type, its length where that varies, and its content, so that two
different values cannot write the same bytes. Lists of plain values are written by column, one block of
memory for each type, which is what makes a million numbers cheap.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

#: Written first; changes when the stream's form does, so that old keys no longer match.
_VERSION = b"caudal-hash-1"
_DIGEST_BYTES = 20
#: Below this length, a list is quicker to write value by value than by column.
_SHORT = 32

Writer = Callable[["Hasher", Any], None]


class Unhashable(Exception):  # noqa: N818 - a signal within hashing, never seen outside
    """A part of a value has no stable hash.

    Args:
        part: The part.
        reason: Why not.
    """

    type_name: str

    def __init__(self, part: object, reason: str) -> None:
        super().__init__(part, reason)
        self.type_name = class_name_of(part)
        self.reason = reason
        #: Steps from the part up to the whole value.
        self.path: list[str] = []


class Hasher:
    """Takes values and gives their digest.

    Args:
        find_writer: Returns what writes values of a type that is neither plain nor a container of the language.
        active: Identities of the containers being written, to notice one inside itself.
    """

    __slots__ = ("_active", "_digest", "_find_writer", "update")

    def __init__(
        self, find_writer: Callable[[type], Writer], active: set[int] | None = None
    ) -> None:
        self._digest = hashlib.blake2b(_VERSION, digest_size=_DIGEST_BYTES)
        self._find_writer = find_writer
        self._active: set[int] = set() if active is None else active
        #: Adds bytes as they are; the caller sees to it that their length is known.
        self.update: Callable[[Any], None] = self._digest.update

    def hexdigest(self) -> str:
        """Return the digest of what was fed so far."""
        return self._digest.hexdigest()

    def feed(self, value: object) -> None:
        """Add a value.

        Raises:
            Unhashable: A part of it has no stable hash.
        """
        plain = _PLAIN.get(type(value))
        if plain is not None:
            self.update(plain(value))
            return
        identity = id(value)
        if identity in self._active:
            raise Unhashable(value, "it contains itself")
        self._active.add(identity)
        write = _CONTAINERS.get(type(value)) or self._find_writer(type(value))
        write(self, value)
        self._active.discard(identity)

    def is_known(self, kind: type, fallback: Writer) -> bool:
        """Say whether values of a type are written by something else than a fallback."""
        return (
            kind in _PLAIN
            or kind in _CONTAINERS
            or self._find_writer(kind) is not fallback
        )

    def is_active(self, value: object) -> bool:
        """Say whether a value is being written at the moment."""
        return id(value) in self._active

    def text(self, text: str) -> None:
        """Add a word on a value's form: its class, the name of a field. No value writes the same bytes."""
        data = text.encode("utf-8", "surrogatepass")
        self.update(b"#" + _length(len(data)) + data)

    def part(self, value: object, step: str) -> None:
        """Add a part of a value, reached by a step: ``.name``, ``[0]``."""
        try:
            self.feed(value)
        except Unhashable as error:
            error.path.append(step)
            raise

    def items(
        self, values: Collection[Any], step: Callable[[int], str] | None = None
    ) -> None:
        """Add values in their order.

        Args:
            values: The values.
            step: How the one at a position is reached, for errors; its index without.
        """
        self.update(b"[" + _length(len(values)))
        kinds = set(map(type, values))
        if not kinds <= _COLUMNS.keys():
            self.update(b"e")
            self._each(values, step)
        elif len(values) < _SHORT:
            self.update(
                b"p" + b"".join([_PLAIN[type(value)](value) for value in values])
            )
        else:
            self._columns(values, kinds)

    def _each(self, values: Collection[Any], step: Callable[[int], str] | None) -> None:
        for position, value in enumerate(values):
            try:
                self.feed(value)
            except Unhashable as error:
                error.path.append(step(position) if step else f"[{position}]")
                raise

    def _columns(self, values: Collection[Any], kinds: set[type]) -> None:
        """Add many plain values: which types follow each other, then all values of each type."""
        self.update(b"c%d;" % len(kinds))
        if len(kinds) > 1:
            self.update(bytes(map(_MARKS.__getitem__, map(type, values))))
        for kind in sorted(kinds, key=_MARKS.__getitem__):
            self.update(bytes((_MARKS[kind],)))
            column = (
                values if len(kinds) == 1 else [v for v in values if type(v) is kind]
            )
            for block in _COLUMNS[kind](column):
                self.update(block)

    def mapping(self, entries: Mapping[Any, Any]) -> None:
        """Add entries, whatever their order."""
        keys = self._ordered(entries)
        self.items(keys, lambda position: f".keys()[{keys[position]!r}]")
        self.items([entries[key] for key in keys], lambda at: f"[{keys[at]!r}]")

    def unordered(self, values: Collection[Any]) -> None:
        """Add values whatever their order."""
        ordered = self._ordered(values)
        self.items(ordered, lambda position: f".{{{ordered[position]!r}}}")

    def _ordered(self, values: Iterable[Any]) -> Sequence[Any]:
        """Return values in an order that depends on nothing but their content."""
        listed = list(values)
        kinds = set(map(type, listed))
        if len(kinds) <= 1 and kinds <= _SORTABLE:
            return sorted(listed)
        return sorted(listed, key=self._sort_key)

    def _sort_key(self, value: object) -> str:
        inner = Hasher(self._find_writer, self._active)
        try:
            inner.feed(value)
        except Unhashable as error:
            error.path.append(f".{{{value!r}}}")
            raise
        return inner.hexdigest()


def class_name_of(value: object) -> str:
    """Return the name of a value's class."""
    return class_name(type(value))


def class_name(kind: type) -> str:
    """Return a class's name, the same whether its module was imported or run as a script."""
    module = kind.__module__
    if module == "builtins":
        return kind.__qualname__
    return f"{module_name(module)}.{kind.__qualname__}"


def module_name(module: str) -> str:
    """Return a module's name, for the script that a process runs the one it has when imported."""
    if module not in {"__main__", "__mp_main__"}:
        return module
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return spec.name
    file: str = getattr(main, "__file__", None) or "__main__"
    return file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")


def _length(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _str_bytes(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s" + _length(len(data)) + data


def _bytes_bytes(value: bytes) -> bytes:
    return b"b" + _length(len(value)) + value


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"F",
    int: lambda value: b"i%x;" % value,
    float: lambda value: b"d" + struct.pack("<d", value),
    complex: lambda value: b"c" + struct.pack("<dd", value.real, value.imag),
    str: _str_bytes,
    bytes: _bytes_bytes,
    type(...): lambda _: b"E",
    type(NotImplemented): lambda _: b"I",
}


def _machine_order(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _int_column(values: Collection[int]) -> Iterable[bytes]:
    try:
        return (b"q", _machine_order(array("q", values)))
    except OverflowError:
        digits = b"".join(b"%x;" % value for value in values)
        return (b"x", digits)


def _float_column(values: Collection[float]) -> Iterable[bytes]:
    return (_machine_order(array("d", values)),)


def _str_column(values: Collection[str]) -> Iterable[bytes]:
    lengths = _machine_order(array("q", map(len, values)))
    return (lengths, "".join(values).encode("utf-8", "surrogatepass"))


def _bytes_column(values: Collection[bytes]) -> Iterable[bytes]:
    return (_machine_order(array("q", map(len, values))), b"".join(values))


_COLUMNS: dict[type, Callable[[Any], Iterable[bytes]]] = {
    type(None): lambda _: (),
    bool: lambda values: (bytes(values),),
    int: _int_column,
    float: _float_column,
    str: _str_column,
    bytes: _bytes_column,
}
_MARKS: dict[type, int] = dict(zip(_COLUMNS, b"NBidsb", strict=True))
_SORTABLE = frozenset({bool, int, str, bytes})


def _write_list(hasher: Hasher, value: list[Any]) -> None:
    hasher.update(b"L")
    hasher.items(value)


def _write_tuple(hasher: Hasher, value: tuple[Any, ...]) -> None:
    hasher.update(b"t")
    hasher.items(value)


def _write_dict(hasher: Hasher, value: dict[Any, Any]) -> None:
    hasher.update(b"M")
    hasher.mapping(value)


def _write_set(hasher: Hasher, value: set[Any]) -> None:
    hasher.update(b"S")
    hasher.unordered(value)


def _write_frozenset(hasher: Hasher, value: frozenset[Any]) -> None:
    hasher.update(b"f")
    hasher.unordered(value)


_CONTAINERS: dict[type, Writer] = {
    list: _write_list,
    tuple: _write_tuple,
    dict: _write_dict,
    set: _write_set,
    frozenset: _write_frozenset,
}
