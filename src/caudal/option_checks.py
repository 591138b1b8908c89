"""What the options of the decorators take: a wrong value is refused where the function is decorated, not when it runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from caudal.task_options import NotSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Do nothing when a decorator can take the values that it was given.

    Args:
        kind: The decorator, for messages.
        options: The values by option.

    Raises:
        TypeError: It cannot take one.
    """
    for name, value in options.items():
        accepts, takes = _RULES.get(name, _ANYTHING)
        if value is None or value is NotSet or accepts(value):
            continue
        msg = f"@{kind} was given {name}={value!r}; {name} takes {takes}"
        raise TypeError(msg)


def seconds_of(given: Any) -> float | None:
    """Return what ``timeout_seconds`` stands for: seconds, or None for no limit.

    Raises:
        ValueError: It is negative.
    """
    seconds = float(given or 0)
    if not seconds >= 0:
        msg = f"timeout_seconds must be 0, which is no limit, or more, not {given!r}"
        raise ValueError(msg)
    return seconds or None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


def _is_delay(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_number, cast("Iterable[Any]", value)))
    return callable(value) or _is_number(value)


def _is_name(value: Any) -> bool:
    return _is_text(value) or callable(value)


def _is_list(value: Any) -> bool:
    return not _is_text(value) and hasattr(value, "__iter__")


def _is_list_of_texts(value: Any) -> bool:
    return (
        not _is_text(value)
        and hasattr(value, "__len__")
        and all(map(_is_text, cast("Iterable[Any]", value)))
    )


def _is_runner(value: Any) -> bool:
    from caudal.task_runners import TaskRunner  # noqa: PLC0415 - whoever gives one has it

    kind: Any = value if isinstance(value, type) else type(value)
    return issubclass(kind, TaskRunner)


def _is_policy(value: Any) -> bool:
    from caudal.model.cache import CachePolicy  # noqa: PLC0415 - 10 ms; whoever gives one has it

    return isinstance(value, CachePolicy)


def _is_lifetime(value: Any) -> bool:
    from datetime import timedelta  # noqa: PLC0415 - whoever gives one has it

    return isinstance(value, timedelta)


def _is_serializer(value: Any) -> bool:
    return _is_text(value) or _has(value, "dumps", "loads")


def _is_place(value: Any) -> bool:
    if isinstance(value, (str, os.PathLike)) or type(value).__name__ == "UUID":
        return True
    return not isinstance(value, type) and _has(value, "read_path", "write_path")


def _has(value: Any, *methods: str) -> bool:
    return all(callable(getattr(value, method, None)) for method in methods)


#: What accepts a value, and in words what it accepts.
Rule = tuple["Callable[[Any], bool]", str]
_ANYTHING: Rule = (lambda _: True, "anything")
_TEXT: Rule = (_is_text, "a text")
_SWITCH: Rule = (_is_switch, "True or False")
_RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("name", "description", "version", "result_storage_key", "materialized_by"),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            "validate_parameters",
            "persist_result",
            "durable",
            "cache_result_in_memory",
            "log_prints",
            "refresh_cache",
        ),
        _SWITCH,
    ),
    **dict.fromkeys(
        ("flow_run_name", "task_run_name"),
        (_is_name, "a template of parameter names, or a function"),
    ),
    **dict.fromkeys(("cache_key_fn", "retry_condition_fn"), (callable, "a function")),
    "retries": (_is_whole, "a whole number"),
    "retry_delay_seconds": (
        _is_delay,
        "a number of seconds, a list of them, or a function",
    ),
    "retry_jitter_factor": (_is_number, "a number"),
    "timeout_seconds": (_is_number, "a number of seconds"),
    "task_runner": (_is_runner, "a task runner, such as ThreadPoolTaskRunner()"),
    "tags": (_is_list_of_texts, "a list of texts"),
    "asset_deps": (_is_list, "a list of assets or their keys"),
    "cache_policy": (_is_policy, "a cache policy, such as INPUTS"),
    "cache_expiration": (_is_lifetime, "a timedelta"),
    "result_storage": (_is_place, "a folder, a URL, or a file system"),
    "result_serializer": (_is_serializer, "the name of a serializer, or a serializer"),
}
