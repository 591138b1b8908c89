"""What flows and tasks have in common as objects: options, hooks, methods."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Self, TypeVar, cast

from caudal.model.retries import retry_policy
from caudal.model.signatures import Binder, collecting, kind_of
from caudal.model.specs import Spec
from caudal.option_checks import check_options, seconds_of
from caudal.task_options import NotSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

    from caudal.model.retries import RetryPolicy

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S", bound=Spec)


@cache
def running() -> ModuleType:
    """Return the module that runs flows and tasks; with it the engine is loaded."""
    from caudal import running as module  # noqa: PLC0415 - 40 ms that a decoration does not need

    return module


class Decorated(Generic[P, R_co, S]):
    """A function that was decorated.

    Args:
        fn: The function.
        options: The decorator's arguments.

    Raises:
        TypeError: ``fn`` is no function, or there is no such option.
        ReservedArgumentError: A parameter has a name that calls use themselves.
    """

    options: dict[str, Any]
    binder: Binder

    #: The decorator, for messages.
    kind: ClassVar[str]
    #: Its options and what they are when they are not given.
    defaults: ClassVar[dict[str, Any]]

    def __init__(self, fn: Callable[P, R_co], **options: Any) -> None:
        #: What was decorated first, and what this object is made of: a method, once it is bound.
        self._origin = self._given = fn
        fn = getattr(fn, "__func__", fn) if _is_marked(fn) else fn
        if not callable(fn):
            msg = f"@{self.kind} decorates functions, not {fn!r}"
            raise TypeError(msg)
        unknown = ", ".join(sorted(options.keys() - self.defaults.keys()))
        if unknown:
            known = ", ".join(sorted(self.defaults))
            msg = f"@{self.kind} has no option {unknown}; it has {known}"
            raise TypeError(msg)
        check_options(self.kind, options)
        self.fn = fn
        self.options = {**self.defaults, **options}
        function = cast("Any", fn)
        self.__name__: str = _name_of(function)
        self.__qualname__: str = getattr(fn, "__qualname__", self.__name__)
        self.__module__: str = getattr(fn, "__module__", "__main__")
        self.__doc__ = function.__doc__
        self.__wrapped__ = fn
        self.name: str = self.options["name"] or self._default_name()
        self.description: str | None = self.options["description"] or function.__doc__
        self.binder = Binder(fn, self.name)
        self.spec = self._make_spec()
        kind = kind_of(fn)
        self.spec.is_async, self.spec.is_generator = kind
        if kind.is_generator:
            self.spec.body = collecting(fn, kind)

    def _default_name(self) -> str:
        return self.__name__

    def _retry_policy(self, jitter: float | None) -> RetryPolicy | None:
        retries = int(float(self.options["retries"] or 0))
        return retry_policy(retries, self.options["retry_delay_seconds"], jitter)

    def _timeout(self) -> float | None:
        return seconds_of(self.options["timeout_seconds"])

    def _make_spec(self) -> S:
        raise NotImplementedError

    @property
    def isasync(self) -> bool:
        """Whether the function is a coroutine function or an async generator function."""
        return self.spec.is_async

    @property
    def isgenerator(self) -> bool:
        """Whether the function is a generator function, plain or async."""
        return self.spec.is_generator

    @property
    def ismethod(self) -> bool:
        """Whether the function is a method that is bound to an instance or a class."""
        return getattr(self.fn, "__self__", None) is not None

    @property
    def isclassmethod(self) -> bool:
        """Whether a class method was decorated."""
        return isinstance(self._origin, classmethod)

    @property
    def isstaticmethod(self) -> bool:
        """Whether a static method was decorated."""
        return isinstance(self._given, staticmethod)

    def changed(self, options: Mapping[str, Any]) -> Self:
        """Return the same with some options changed, which `with_options` does. None and ``NotSet`` keep an option as it is."""
        given = {
            name: value
            for name, value in options.items()
            if value is not None and value is not NotSet
        }
        changed = self._again(self._given, {**self.options, **given})
        kept = {
            moment: [*hooks]
            for moment, hooks in self.spec.hooks.items()
            if f"on_{moment}" not in given
        }
        changed.set_hooks({**changed.spec.hooks, **kept})
        return changed

    def _again(self, fn: Callable[..., Any], options: dict[str, Any]) -> Self:
        made = type(self)(fn, **options)
        made._origin = self._origin  # noqa: SLF001 - one of the same class
        return made

    def on_completion(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(decorated, run, state)`` run when a run completes."""
        return self._add_hook("completion", fn)

    def on_failure(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(decorated, run, state)`` run when a run fails for good."""
        return self._add_hook("failure", fn)

    def on_running(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Have a hook ``(decorated, run, state)`` run when an attempt starts."""
        return self._add_hook("running", fn)

    def _add_hook(self, moment: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        self.hooks_at(moment).append(fn)
        return fn

    def hooks_at(self, moment: str) -> list[Callable[..., Any]]:
        """Return the hooks that run at a moment: the list itself, to which others may be added."""
        hooks = dict(self.spec.hooks)
        at = hooks.setdefault(moment, [])
        self.set_hooks(hooks)
        return at

    def set_hooks(self, hooks: Mapping[str, list[Callable[..., Any]]]) -> None:
        """Give it other hooks, by the moment they run at."""
        self.spec.hooks = hooks

    def bound(self, instance: Any, owner: Any = None) -> Self:
        """Return the same bound to an instance, or to the class for a class method, which `__get__` does for methods."""
        if self.isstaticmethod or (instance is None and not self.isclassmethod):
            return self
        given = self._given if self.isclassmethod else self.fn
        bind = getattr(given, "__get__", None)
        if bind is None:  # an object that can be called, kept in a class
            return self
        method: Callable[P, R_co] = bind(instance, owner)
        bound = self._again(method, {**self.options, "name": self.name})
        bound.set_hooks(self.spec.hooks)
        return bound

    def __caudal_hash__(self) -> Any:
        return self.kind, self.name, self.fn

    def __reduce__(self) -> Any:
        from caudal.travel import is_importable, load  # noqa: PLC0415 - only for what travels

        if is_importable(self, self.__module__, self.__qualname__):
            return load, (self.__module__, self.__qualname__)
        return _remake, (type(self), self._given, self.options)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name!r}>"


def _remake(
    kind: type[Decorated[..., Any, Any]],
    fn: Callable[..., Any],
    options: dict[str, Any],
) -> Decorated[..., Any, Any]:
    return kind(fn, **options)


def _is_marked(fn: object) -> bool:
    return isinstance(fn, (classmethod, staticmethod))


def _name_of(fn: Any) -> str:
    """Return what a function is called; a partial one is called as the function in it, an object as its class."""
    name = getattr(getattr(fn, "func", fn), "__name__", None)
    return name or type(fn).__name__


def remember_local_names(fn: Any) -> None:
    """Keep what the hints of a function within a function name there, where they are texts, as ``from __future__ import annotations`` makes them.

    When they are looked at, that function may have returned.
    """
    fn = getattr(fn, "__func__", fn)
    if not hasattr(fn, "__code__") or "<locals>" not in fn.__qualname__:
        return
    hints = [hint for hint in fn.__annotations__.values() if isinstance(hint, str)]
    if not hints or hasattr(fn, "__annotation_names__"):
        return
    frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as in collections
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("caudal."):
        frame = frame.f_back
    names: set[str] = set()
    for hint in hints:
        with suppress(SyntaxError):  # whoever checks parameters says so
            names.update(compile(hint, fn.__name__, "eval").co_names)
    near = frame.f_locals
    fn.__annotation_names__ = {name: near[name] for name in names if name in near}


def hook_lists(
    options: dict[str, Any], moments: Iterable[str]
) -> dict[str, list[Callable[..., Any]]]:
    """Return hooks by the moment they run at.

    Args:
        options: The decorator's options; hooks of a moment stand under ``on_<moment>``.
        moments: The moments to look for.

    Raises:
        TypeError: What was given is no list of functions.
    """
    hooks: dict[str, list[Callable[..., Any]]] = {}
    for moment in moments:
        given = options[f"on_{moment}"]
        if given is None:
            continue
        listed: list[Any] = [*given] if hasattr(given, "__iter__") else [None]
        if not all(map(callable, listed)):
            msg = f"on_{moment} takes a list of functions (decorated, run, state), not {given!r}"
            raise TypeError(msg)
        if listed:
            hooks[moment] = listed
    return hooks
