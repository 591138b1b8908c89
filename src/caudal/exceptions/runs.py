"""Outcomes of runs."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError


class RunError(CaudalError):
    """The outcome of a run, raised where its result is asked for."""


class FailedRun(RunError):
    """A run failed and its exception could not be kept as an object; the text says what it was."""


class CrashedRun(RunError):
    """A run was ended by something other than its own code: a signal, a dead process, an exit."""


class CancelledRun(RunError):
    """A run was cancelled before it finished."""


class PausedRun(RunError):
    """A run is paused, so it has no result yet."""


class UnfinishedRun(RunError):
    """A run has not finished, so it has no result yet."""


class UpstreamTaskError(UnfinishedRun):
    """A task did not start because one of its inputs did not complete.

    Args:
        upstream: Name of the task run that did not complete.
        state: The state it is in.
    """

    upstream: str
    state: str

    def __init__(self, upstream: str, state: str) -> None:
        super().__init__(upstream, state)
        self.upstream, self.state = upstream, state

    def __str__(self) -> str:
        return (
            f"upstream task run {self.upstream!r} did not complete (it is {self.state}), so this task was not started. "
            "Fix the upstream task, or wrap the input in allow_failure(...)."
        )


class MissingResult(RunError):
    """A run completed but its result was not kept.

    Args:
        what: The run or key whose result was asked for.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"the result of {self.what} was not kept, so it cannot be read after its process ended. "
            "Set persist_result=True on the flow or task (or CAUDAL_RESULTS_PERSIST_BY_DEFAULT=true) and run it again."
        )


class ResultNotFoundError(MissingResult):
    """There is no result under a key, or it has expired.

    Args:
        what: The key.
    """

    def __str__(self) -> str:
        return (
            f"there is no result under the key {self.what!r} here, or it has expired. Look with exists() first, write it again, "
            "or ask the store of the place that it was written to."
        )


class LeaseLostError(RunError):
    """Another process took over this flow run, so this process may not go on with it.

    Args:
        flow_run: Name of the flow run.
    """

    def __init__(self, flow_run: str) -> None:
        super().__init__(flow_run)
        self.flow_run = flow_run

    def __str__(self) -> str:
        return (
            f"flow run {self.flow_run!r} was taken over by another process or closed from outside; this process stopped "
            "writing to it. See `caudal flow-run inspect` for who owns it now."
        )


class FlowRunNotResumableError(RunError):
    """A flow run cannot be resumed or retried in the state it is in.

    Args:
        flow_run: Name of the flow run.
        reason: Why not, and what to do.
    """

    flow_run: str
    reason: str

    def __init__(self, flow_run: str, reason: str) -> None:
        super().__init__(flow_run, reason)
        self.flow_run, self.reason = flow_run, reason

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} cannot be taken up again: {self.reason}"


class TaskRunNotReplayableError(RunError):
    """A recorded task run cannot be run again by itself.

    Args:
        task_run: Name of the task run.
        reason: Why not.
    """

    task_run: str
    reason: str

    def __init__(self, task_run: str, reason: str) -> None:
        super().__init__(task_run, reason)
        self.task_run, self.reason = task_run, reason

    def __str__(self) -> str:
        return f"task run {self.task_run!r} cannot be replayed: {self.reason}. `caudal task-run inspect` shows what is on record."


class ResumeMismatchError(RunError):
    """A resumed flow run does not do what its earlier attempt did: the code or its inputs have changed.

    Args:
        flow_run: Name of the flow run.
        difference: Both sides: what is on record, and what today's code does.
    """

    flow_run: str
    difference: str

    def __init__(self, flow_run: str, difference: str) -> None:
        super().__init__(flow_run, difference)
        self.flow_run, self.difference = flow_run, difference

    def __str__(self) -> str:
        return (
            f"flow run {self.flow_run!r} does not match its record: {self.difference}. Go on with the code it was started with, "
            "or set resume_mismatch=rerun to run again what has changed."
        )


class FlowRunNotCancellableError(RunError):
    """A flow run cannot be cancelled because it has ended.

    Args:
        flow_run: Name of the flow run.
        state: The state it ended in.
    """

    flow_run: str
    state: str

    def __init__(self, flow_run: str, state: str) -> None:
        super().__init__(flow_run, state)
        self.flow_run, self.state = flow_run, state

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} cannot be cancelled: it is {self.state}. There is nothing left to stop."


class FlowRunNotPausableError(RunError, RuntimeError):
    """A flow run cannot be paused or suspended where it is.

    Args:
        flow_run: Name of the flow run.
        reason: Why not, and what to do.
    """

    flow_run: str
    reason: str

    def __init__(self, flow_run: str, reason: str) -> None:
        super().__init__(flow_run, reason)
        self.flow_run, self.reason = flow_run, reason

    def __str__(self) -> str:
        return (
            f"flow run {self.flow_run!r} cannot be paused or suspended: {self.reason}"
        )


class FlowPauseTimeout(RunError):
    """A flow run was paused, and nobody resumed it in time.

    Args:
        flow_run: Name of the flow run.
    """

    flow_run: str

    def __init__(self, flow_run: str) -> None:
        super().__init__(flow_run)
        self.flow_run = flow_run

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} was paused and not resumed in time. Start a new run, or give it a longer timeout."


class FlowRunWaitTimeout(RunError, TimeoutError):
    """A flow run did not end in the time that somebody waited for it; it goes on.

    Args:
        flow_run: Name of the flow run.
        seconds: For how long it was waited for.
    """

    flow_run: str
    seconds: float

    def __init__(self, flow_run: str, seconds: float) -> None:
        super().__init__(flow_run, seconds)
        self.flow_run, self.seconds = flow_run, seconds

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} has not ended within {self.seconds:g} second(s). It goes on; wait again, or cancel it."


class RunInputError(RunError, ValueError):
    """What a flow run was to be given does not fit what it waits for; it waits on.

    Args:
        flow_run: Name of the flow run.
        problems: What does not fit.
        advice: What to do.
    """

    flow_run: str
    problems: str
    advice: str

    def __init__(
        self,
        flow_run: str,
        problems: str,
        advice: str = "Correct it and resume the run again.",
    ) -> None:
        super().__init__(flow_run, problems, advice)
        self.flow_run, self.problems, self.advice = flow_run, problems, advice

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} cannot be resumed with this input: {self.problems}. {self.advice}"


class RunTimeoutError(RunError, TimeoutError):
    """An attempt took longer than its ``timeout_seconds``.

    Args:
        seconds: How long it was allowed to take.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"exceeded the timeout of {self.seconds:g} second(s)"


class TaskRunTimeoutError(RunTimeoutError):
    """A task run failed because its last attempt took longer than its ``timeout_seconds``."""


class FlowRunTimeoutError(RunTimeoutError):
    """A flow run failed because its last attempt took longer than its ``timeout_seconds``."""


class DeadlineReached(BaseException):
    """Raised in the user's code at a deadline; not an ``Exception``, so that code that catches everything does not go on.

    Args:
        deadline: Which one, for whoever set it.
    """

    def __init__(self, deadline: object = None) -> None:
        super().__init__(deadline)
        self.deadline = deadline


class Pause(BaseException):
    """Raised in the code of a flow run that is suspended; not an ``Exception``, so that code that catches everything does not go on."""


class CancelRequested(BaseException):
    """Raised in the code of a flow run that somebody cancels; not an ``Exception``, so that code that catches everything does not go on."""


class WorkerCrashedError(CrashedRun):
    """The process that executed a task died before it could answer.

    Args:
        task: The task run.
        reason: How it ended: a signal or an exit code.
    """

    task: str
    reason: str

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(task, reason)
        self.task, self.reason = task, reason

    def __str__(self) -> str:
        return f"the worker process of task run {self.task!r} died: {self.reason}."


class RemoteError(FailedRun):
    """An exception of another process, or of a run on record, that cannot be had as an object; its text is kept.

    Args:
        type_name: The exception's type.
        text: What it said.
        traceback: Its traceback, as text.
    """

    type_name: str
    text: str
    traceback: str

    def __init__(self, type_name: str, text: str, traceback: str) -> None:
        super().__init__(type_name, text, traceback)
        self.type_name, self.text, self.traceback = type_name, text, traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name
