"""Two names for one thing that takes time: a plain one for plain code, and its twin with an ``a`` for coroutines.

The twin always returns an awaitable. The plain name does so too when it is called from code that can await, and blocks everywhere else:
code can await when an event loop runs in its thread, unless the flow or task in charge is a plain function, which was called on that thread.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")

_asked: list[Callable[[], bool | None]] = []


def ask_run(is_async: Callable[[], bool | None]) -> None:
    """Say how to learn of the run in charge whether its function is a coroutine function; None is no run."""
    _asked[:] = [is_async]


def running_loop() -> Any:
    """Return the event loop that runs in this thread, or None, without an import of asyncio where there is none."""
    events = sys.modules.get("asyncio.events")  # whoever runs a loop has imported it
    return None if events is None else events._get_running_loop()  # noqa: SLF001 - exported as asyncio._get_running_loop


def can_await() -> bool:
    """Say whether the code that calls can await what it is given."""
    if running_loop() is None:
        return False
    return not _asked or _asked[0]() is not False


def dispatched(
    twin: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for the plain name, which calls its twin where the caller can await.

    Args:
        twin: The coroutine function with the same parameters; in a class body, a class method too.
    """
    asynchronous = cast(
        "Callable[P, Coroutine[Any, Any, R]]", getattr(twin, "__func__", twin)
    )

    def decorate(plain: Callable[P, R]) -> Callable[P, R]:
        @wraps(plain)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            if can_await():
                return cast("R", asynchronous(*args, **kwargs))
            return plain(*args, **kwargs)

        return called

    return decorate


async def in_thread(plain: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a blocking function in a thread, with this context, and return what it returns: the body of most twins.

    In the thread no event loop runs, so that the plain name of the twin itself blocks there.
    """
    import asyncio  # noqa: PLC0415 - costs 40 ms; whoever awaits has it

    return await asyncio.to_thread(plain, *args, **kwargs)


async def in_own_thread(
    plain: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Do what `in_thread` does for a function that takes long: in a thread of its own, since those of the event loop are few.

    Who gives up waiting goes on at once; the function goes on too.
    """
    import asyncio  # noqa: PLC0415 - see above
    import threading  # noqa: PLC0415
    from concurrent.futures import Future  # noqa: PLC0415
    from contextvars import copy_context  # noqa: PLC0415

    context, outcome = copy_context(), Future[R]()

    def called() -> None:
        try:
            value = context.run(plain, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            outcome.set_exception(error)
        else:
            outcome.set_result(value)

    outcome.set_running_or_notify_cancel()  # nobody can call it off
    threading.Thread(target=called, name=f"caudal-{plain.__name__}").start()
    return await asyncio.wrap_future(outcome)


def finished(outcome: Any) -> Any:
    """Return what a call gave, or where that is an awaitable, what comes of it: for plain code that calls whatever it was given.

    It is awaited here, or in a thread of its own where an event loop runs here already.
    """
    if not hasattr(outcome, "__await__"):
        return outcome
    import asyncio  # noqa: PLC0415 - costs 40 ms; whoever awaits has it
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415
    from contextvars import copy_context  # noqa: PLC0415

    async def awaited() -> Any:
        return await outcome

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaited())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, awaited()).result()
