"""What runs ask of the user's code beside its function: hooks, and whether another attempt is worth it.

It is called with its run in charge, so that it has the run's logger and context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.commands import Hook
from caudal.engine.logs import flow_logger, task_logger
from caudal.engine.snapshots import flow_view, task_view
from caudal.engine.tracebacks import user_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from caudal.engine.commands import Command
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.live_task import LiveTask
    from caudal.engine.logs import RunLogger
    from caudal.model.states import State


def task_hooks(
    run: LiveTask, moment: str, given: tuple[tuple[Any, ...], dict[str, Any]]
) -> Generator[Command, Any, None]:
    """Run the user's hooks of a moment of a task run, unless another process owns its flow run; their failures are logged and change nothing.

    Args:
        run: The task run.
        moment: When.
        given: Its arguments, which a run that is done has let go.
    """
    hooks = run.spec.hooks.get(moment)
    if not hooks or not (yield from run.scope.is_own()):
        return
    args, kwargs = run.args, run.kwargs
    run.args, run.kwargs = given
    yield from _call(run, hooks, task_view, task_logger)
    run.args, run.kwargs = args, kwargs


def flow_hooks(scope: FlowScope, moment: str) -> Generator[Command, Any, bool]:
    """Run the user's hooks of a moment of a flow run, unless another process owns it, and say whether there were any; their failures are logged and change nothing.

    Args:
        scope: The flow run.
        moment: When.
    """
    spec = scope.spec
    assert spec is not None, "only flows have hooks"
    hooks = spec.hooks.get(moment)
    if not hooks or not (yield from scope.is_own()):
        return False
    yield from _call(scope, hooks, flow_view, flow_logger)
    return True


def _call(
    run: Any,
    hooks: Iterable[Callable[..., Any]],
    view: Callable[[Any], Any],
    logger: Callable[[Any], RunLogger],
) -> Generator[Command, Any, None]:
    for hook in hooks:
        try:
            yield Hook(run, hook, run.spec.decorated, view(run), run.state())
        except Exception as error:  # noqa: BLE001 - the user's code; hooks never change the state
            name = getattr(hook, "__name__", hook)
            logger(run).error("hook %r failed\n%s", name, user_traceback(error))


def wants_retry(run: LiveTask, state: State[Any]) -> Generator[Command, Any, bool]:
    """Ask the user's condition whether another attempt is worth it; a failing condition says no, as in Prefect."""
    condition = run.spec.retry_condition
    if condition is None:
        return True
    answer: list[Any] = []

    def ask() -> Any:
        outcome = condition(run.spec.decorated, task_view(run), state)
        if hasattr(outcome, "__await__"):
            return _answer(outcome)
        answer.append(outcome)
        return None

    async def _answer(outcome: Any) -> None:
        answer.append(await outcome)

    try:
        yield Hook(run, ask)
    except Exception as error:  # noqa: BLE001 - the user's code; its failure must not hide the task's
        task_logger(run).error(
            "retry_condition_fn failed; the task run is not retried\n%s",
            user_traceback(error),
        )
        return False
    return bool(answer[0])
