"""What identifies a function or class: its name, its source, and what it closes over; and what tells two objects of a class apart."""

from __future__ import annotations

import functools
import inspect
import sys
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from caudal.model.hasher import Hasher, Unhashable, class_name, module_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: ``Py_TPFLAGS_HEAPTYPE``.
_MADE_AT_RUN_TIME = 1 << 9

_sources: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


def write_function(hasher: Hasher, fn: FunctionType) -> None:
    """Add a function: name, source, defaults, and the values it closes over."""
    hasher.text(f"function {module_name(fn.__module__ or '')}.{fn.__qualname__}")
    write_code_of(hasher, fn)
    hasher.part(fn.__defaults__, ".__defaults__")
    hasher.part(fn.__kwdefaults__, ".__kwdefaults__")
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            inside = cell.cell_contents
        except ValueError:  # not assigned yet
            hasher.text("empty")
            continue
        if hasher.is_active(inside):
            hasher.text(f"recursive {name}")
        else:
            hasher.part(inside, f".<closure>[{name!r}]")


def write_code_of(hasher: Hasher, fn: FunctionType) -> None:
    """Add a function's source, or its code where there is none.

    Source is the same for all versions of Python, code is not. Several lambdas can share a line of source, so they
    add their code too.
    """
    source = _source(fn, fn.__code__)
    hasher.feed(source)
    if source is None or fn.__code__.co_name == "<lambda>":
        _write_code(hasher, fn.__code__)


def write_method(hasher: Hasher, method: MethodType) -> None:
    """Add a bound method: its function and what it is bound to."""
    hasher.text("method")
    hasher.part(method.__func__, ".__func__")
    hasher.part(method.__self__, ".__self__")


def write_partial(hasher: Hasher, partial: functools.partial[Any]) -> None:
    """Add a partial call: its function and the arguments it holds."""
    hasher.text("partial")
    hasher.part(partial.func, ".func")
    hasher.part(partial.args, ".args")
    hasher.part(partial.keywords, ".keywords")


def write_class(hasher: Hasher, kind: type) -> None:
    """Add a class: its name, and its source unless it is built in."""
    hasher.text(f"class {class_name(kind)}")
    source = _source(kind, kind)
    if source is None and is_made_at_run_time(kind):
        raise Unhashable(
            kind, f"the source of class {kind.__qualname__!r} is not there"
        )
    hasher.feed(source)


def is_made_at_run_time(kind: type) -> bool:
    """Say whether a class is not built in: it has source somewhere, or had."""
    return bool(kind.__flags__ & _MADE_AT_RUN_TIME)


def write_named(hasher: Hasher, value: Any) -> None:
    """Add an object that can be found under its own name in its module: a function that is built in."""
    owner = getattr(value, "__self__", None)
    module = getattr(owner, "__name__", None) or getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    found = sys.modules.get(module) if isinstance(module, str) else None
    for step in str(name).split("."):
        found = getattr(found, step, None)
    if found is not value:
        raise Unhashable(value, "nothing is known of what identifies it")
    hasher.text(f"named {module}.{name}")
    wrapped = getattr(value, "__wrapped__", None)
    if wrapped is not None:
        write_source(hasher, wrapped)


def write_source(hasher: Hasher, fn: Callable[..., Any]) -> None:
    """Add the source of a callable, and of every function it wraps; neither defaults nor closures.

    What a method is bound to is an input of it, unless it is a part of something else.
    """
    for inner in layers(fn):
        if isinstance(inner, functools.partial):
            hasher.part(inner.args, ".args")
            hasher.part(inner.keywords, ".keywords")
        elif isinstance(inner, MethodType):
            if inner is not fn:
                write_owner(hasher, inner.__self__)
        elif isinstance(inner, FunctionType):
            write_code_of(hasher, inner)
        else:
            _write_callable(hasher, inner)


def layers(fn: Any) -> Iterator[Any]:
    """Yield a callable and, one after the other, what it wraps."""
    seen: list[int] = []
    inner: Any = fn
    while inner is not None and id(inner) not in seen:
        seen.append(id(inner))
        yield inner
        if isinstance(inner, functools.partial):
            inner = inner.func
        elif isinstance(inner, MethodType):
            inner = inner.__func__
        else:
            inner = getattr(inner, "__wrapped__", None)


def write_module(hasher: Hasher, module: ModuleType) -> None:
    """Add a module: its name."""
    hasher.text(f"module {module_name(module.__name__)}")


def write_owner(hasher: Hasher, value: Any) -> None:
    """Add an object that a function goes by: what its method is bound to, what it closes over, a callable of a class.

    Where nothing else is known of such an object, it is what its attributes are. Of other values that is not assumed.
    """
    kind = cast("type[Any]", value.__class__)
    if hasher.is_known(kind, write_named) or not _is_all_python(kind):
        hasher.feed(value)
        return
    hasher.text(f"object {class_name(kind)}")
    write_state(hasher, value)


def _is_all_python(kind: type) -> bool:
    """Say whether what tells objects of a class apart is all in attributes."""
    return next(base for base in kind.__mro__ if not is_made_at_run_time(base)) is object  # fmt: skip


def write_state(hasher: Hasher, value: Any) -> None:
    """Add the attributes of an object, those in slots too."""
    state = dict(getattr(value, "__dict__", {}))
    for name in _slots(type(value).__mro__):
        if hasattr(value, name):
            state[name] = getattr(value, name)
    for name in sorted(state):
        hasher.text(name)
        hasher.part(state[name], f".{name}")
    hasher.update(b".")


def _slots(mro: tuple[type, ...]) -> Iterable[str]:
    """Return the names of a class's slots, as they are after the language mangled them."""
    for base in mro:
        slots: str | Iterable[str] = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__"):
                yield name
            elif not name.endswith("__"):
                yield f"_{base.__name__.lstrip('_')}{name}"


def _write_callable(hasher: Hasher, value: Any) -> None:
    """Add an object that can be called: by its class and attributes if the class has source, else by its name."""
    kind = value if isinstance(value, type) else type(value)
    if is_made_at_run_time(kind) and _source(kind, kind) is not None:
        write_class(hasher, kind)
        if value is not kind:
            write_owner(hasher, value)
    elif isinstance(value, type):
        write_class(hasher, value)
    else:
        write_named(hasher, value)


def _source(key: Any, of: Any) -> str | None:
    """Return the source of a code object or class, read once, or None when there is none."""
    try:
        return _sources[key]
    except KeyError:
        pass
    try:
        source = inspect.getsource(of)
    except (OSError, TypeError, SyntaxError, IndexError):
        source = None
    _sources[key] = source
    return source


def _write_code(hasher: Hasher, code: CodeType) -> None:
    """Add what a code object does, but not where it stands."""
    hasher.feed((code.co_code, code.co_exceptiontable, code.co_flags))
    hasher.feed((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount))
    hasher.feed((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _write_code(hasher, constant)
        else:
            hasher.feed(constant)
