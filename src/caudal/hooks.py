"""Reads the hooks that a decorator was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def hook_lists(
    given: dict[str, Any], moments: Iterable[str]
) -> dict[str, tuple[Callable[..., Any], ...]]:
    """Return hooks by the moment they run at.

    Args:
        given: The decorator's options; hooks of a moment stand under ``on_<moment>``.
        moments: The moments to look for.

    Raises:
        TypeError: What was given is no list of functions.
    """
    hooks: dict[str, tuple[Callable[..., Any], ...]] = {}
    for moment in moments:
        listed = given[f"on_{moment}"]
        if listed is None:
            continue
        if not isinstance(listed, (list, tuple)):
            msg = f"on_{moment} takes a list of functions, not {listed!r}"
            raise TypeError(msg)
        for hook in listed:
            if not callable(hook):
                msg = f"on_{moment} takes functions (decorated_function, run, state), and got {hook!r}"
                raise TypeError(msg)
        if listed:
            hooks[moment] = tuple(listed)
    return hooks
