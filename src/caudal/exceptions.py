"""Every error that caudal raises, under one root.

    CaudalError
    +-- ConfigurationError          a setting, home folder or file that cannot be used
    +-- ParameterError              a flow was called with parameters it does not accept
    |   +-- ParameterBindError          missing, surplus or unknown arguments
    |   +-- ParameterTypeError          a value that does not fit its type hint
    +-- ScriptError                 a flow file that cannot be loaded
    |   +-- MissingFlowError            no such flow in the file
    |   +-- UnspecifiedFlowError        several flows in the file and none was named
    +-- RunError                    the outcome of a run, raised where its result is asked for
    |   +-- FailedRun, CrashedRun, CancelledRun, PausedRun, UnfinishedRun
    |   +-- UpstreamTaskError           an input of the task did not complete
    |   +-- MissingResult               the run completed but kept no result
    |   +-- LeaseLostError              another process took the run over
    +-- MappingError                arguments that cannot be mapped over
    +-- MissingContextError         a call that only works inside a run
    +-- LedgerError                 the durable record cannot be read or written
    +-- StorageError                a stored result cannot be read or written
    ...

Fields are passed to ``super().__init__`` and the sentence is built in ``__str__``, so that an error
keeps its fields and its text when it travels to another process by pickle.
"""

from __future__ import annotations


class CaudalError(Exception):
    """The root of every error that caudal raises."""


class ConfigurationError(CaudalError):
    """A setting, folder or file of the configuration cannot be used."""


class ParameterError(CaudalError):
    """A flow was called with parameters it does not accept."""


class ParameterBindError(ParameterError):
    """Arguments are missing, surplus or unknown.

    Args:
        name: What was called.
        reason: What Python said about the arguments.
        signature: The parameters it accepts.
    """

    def __init__(self, name: str, reason: str, signature: str) -> None:
        super().__init__(name, reason, signature)
        self.name, self.reason, self.signature = name, reason, signature

    def __str__(self) -> str:
        return f"{self.name!r} was called with wrong arguments: {self.reason}. It takes {self.signature}."


class ParameterTypeError(ParameterError):
    """A parameter's value does not fit its type hint.

    Args:
        name: The flow.
        problems: One sentence for each wrong parameter.
    """

    def __init__(self, name: str, problems: tuple[str, ...]) -> None:
        super().__init__(name, problems)
        self.name, self.problems = name, problems

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"flow {self.name!r} was called with parameters that do not fit its type hints; nothing was run.{lines}"


class ReservedArgumentError(CaudalError):
    """A decorated function has a parameter whose name caudal needs."""

    def __init__(self, name: str, argument: str) -> None:
        super().__init__(name, argument)
        self.name, self.argument = name, argument

    def __str__(self) -> str:
        return f"{self.name!r} has a parameter named {self.argument!r}, which caudal uses itself. Rename the parameter."


class ScriptError(CaudalError):
    """A flow file cannot be loaded.

    Args:
        path: The file.
        reason: What went wrong in it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot load flows from {self.path!r}: {self.reason}"


class MissingFlowError(ScriptError):
    """The file does not hold the flow that was asked for."""


class UnspecifiedFlowError(ScriptError):
    """The file holds several flows and none was named."""


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
    """A flow run cannot be resumed in the state it is in.

    Args:
        flow_run: Name of the flow run.
        reason: Why not, and what to do.
    """

    def __init__(self, flow_run: str, reason: str) -> None:
        super().__init__(flow_run, reason)
        self.flow_run, self.reason = flow_run, reason

    def __str__(self) -> str:
        return f"flow run {self.flow_run!r} cannot be resumed: {self.reason}"


class ResumeMismatchError(RunError):
    """A resumed flow does not make the calls that are on record.

    Args:
        path: The call whose record does not match.
        recorded: The task on record.
        found: The task in today's code.
    """

    def __init__(self, path: str, recorded: str, found: str) -> None:
        super().__init__(path, recorded, found)
        self.path, self.recorded, self.found = path, recorded, found

    def __str__(self) -> str:
        return (
            f"the code changed under the run: call {self.path!r} is recorded as task {self.recorded!r}, today's code "
            f"calls {self.found!r}. Start a new run, or restore the code the run was started with."
        )


class MappingError(CaudalError):
    """Arguments cannot be mapped over."""


class MappingLengthMismatch(MappingError):
    """The iterables given to ``map`` have different lengths.

    Args:
        task: The mapped task.
        lengths: Length of each iterable, by parameter name.
    """

    def __init__(self, task: str, lengths: dict[str, int]) -> None:
        super().__init__(task, lengths)
        self.task, self.lengths = task, lengths

    def __str__(self) -> str:
        given = ", ".join(f"{name}: {length}" for name, length in self.lengths.items())
        return (
            f"{self.task!r}.map(...) needs iterables of one length, and got {given}. "
            "Wrap a value that every call shares in unmapped(...)."
        )


class MappingMissingIterable(MappingError):
    """Nothing that was given to ``map`` can be iterated over.

    Args:
        task: The mapped task.
        given: The parameters it was given.
    """

    def __init__(self, task: str, given: tuple[str, ...]) -> None:
        super().__init__(task, given)
        self.task, self.given = task, given

    def __str__(self) -> str:
        given = ", ".join(self.given) or "no argument"
        return f"{self.task!r}.map(...) needs at least one iterable argument, and got only {given}."


class MissingContextError(CaudalError):
    """The call only works inside a flow or task run.

    Args:
        what: The call.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} works only inside a flow run or a task run; call it from a function decorated with @flow or @task."


class InvalidTransitionError(CaudalError):
    """A run cannot go from the state it is in to the one asked for.

    Args:
        run: The run.
        source: The state it is in.
        target: The state asked for.
    """

    def __init__(self, run: str, source: str, target: str) -> None:
        super().__init__(run, source, target)
        self.run, self.source, self.target = run, source, target

    def __str__(self) -> str:
        return f"run {self.run!r} cannot go from {self.source} to {self.target}. `caudal flow-run inspect {self.run}` shows its history."


class ObjectNotFound(CaudalError):
    """Nothing is recorded under the id or name that was given.

    Args:
        kind: What was looked for: flow run, task run, result.
        name: The id or name given.
    """

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name

    def __str__(self) -> str:
        command = {
            "flow run": "caudal flow-run ls",
            "task run": "caudal task-run ls",
        }.get(self.kind)
        hint = f" `{command}` lists what is there." if command else ""
        return f"there is no {self.kind} {self.name!r}.{hint}"


class AmbiguousNameError(CaudalError):
    """A short id or a name fits more than one run.

    Args:
        kind: What was looked for.
        name: The id or name given.
        matches: Ids that fit.
    """

    def __init__(self, kind: str, name: str, matches: tuple[str, ...]) -> None:
        super().__init__(kind, name, matches)
        self.kind, self.name, self.matches = kind, name, matches

    def __str__(self) -> str:
        return f"{self.name!r} fits more than one {self.kind}: {', '.join(self.matches)}. Give the whole id."


class LedgerError(CaudalError):
    """The durable record of runs cannot be opened, read or written.

    Args:
        path: The ledger.
        reason: What happened.
        advice: What to do.
    """

    def __init__(self, path: str, reason: str, advice: str) -> None:
        super().__init__(path, reason, advice)
        self.path, self.reason, self.advice = path, reason, advice

    def __str__(self) -> str:
        return f"the ledger {self.path!r} cannot be used: {self.reason}. {self.advice}"


class LedgerBusyError(LedgerError):
    """The ledger stayed locked by other processes for longer than the busy timeout."""


class LedgerCorruptError(LedgerError):
    """The ledger file is damaged or is no caudal ledger."""


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer caudal."""


class StorageError(CaudalError):
    """A stored value cannot be read or written.

    Args:
        action: What was tried: read, write, delete, look up.
        key: The value's key.
        location: Where it is kept.
        reason: What happened.
        advice: What to do.
    """

    def __init__(
        self, action: str, key: str, location: str, reason: str, advice: str
    ) -> None:
        CaudalError.__init__(self, action, key, location, reason, advice)
        self.action, self.key, self.location = action, key, location
        self.reason, self.advice = reason, advice

    def __str__(self) -> str:
        return f"could not {self.action} the stored value {self.key!r} at {self.location!r}: {self.reason}. {self.advice}"


class ResultLostError(StorageError, MissingResult):
    """A value that was stored is no longer there."""

    @property
    def what(self) -> str:
        """The key whose value was asked for."""
        return f"key {self.key!r}"


class ResultCorruptedError(StorageError):
    """A stored value is not the one that was written.

    Args:
        key: The value's key.
        location: Where it is kept.
        expected: SHA-256 of what was written, in hexadecimal.
        found: SHA-256 of what is there now.
    """

    def __init__(self, key: str, location: str, expected: str, found: str) -> None:
        CaudalError.__init__(self, key, location, expected, found)
        self.key, self.location = key, location
        self.expected, self.found = expected, found

    def __str__(self) -> str:
        return (
            f"the stored value {self.key!r} at {self.location!r} was damaged after it was written: its SHA-256 should be "
            f"{self.expected} and is {self.found}. Run the task again with refresh_cache=True, or delete the damaged value."
        )


class SerializationError(CaudalError):
    """A value cannot be turned into bytes.

    Args:
        type_name: The value's type.
        serializer: Name of the serializer that was tried.
        reason: What it said.
    """

    def __init__(self, type_name: str, serializer: str, reason: str) -> None:
        super().__init__(type_name, serializer, reason)
        self.type_name, self.serializer, self.reason = type_name, serializer, reason

    def __str__(self) -> str:
        return (
            f"a value of type {self.type_name!r} cannot be stored with serializer {self.serializer!r}: {self.reason}. "
            "Return something that can be pickled, choose another serializer with result_serializer=..., or set "
            "persist_result=False."
        )


class DeserializationError(CaudalError):
    """Stored bytes cannot be turned back into a value.

    Args:
        type_name: Type of the value that was stored.
        serializer: Name of the serializer it was stored with.
        reason: What it said.
    """

    def __init__(self, type_name: str, serializer: str, reason: str) -> None:
        super().__init__(type_name, serializer, reason)
        self.type_name, self.serializer, self.reason = type_name, serializer, reason

    def __str__(self) -> str:
        return (
            f"a stored value of type {self.type_name!r} cannot be read back with serializer {self.serializer!r}: {self.reason}. "
            "Make the code and packages it was stored with importable, or run the task again with refresh_cache=True."
        )


class UnknownSerializerError(ConfigurationError):
    """No serializer has the name that was given.

    Args:
        name: The name given.
        known: Names that exist.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        return (
            f"there is no serializer {self.name!r}. Choose one of {', '.join(map(repr, self.known))}, or name a class of "
            "your own as 'package.module:ClassName'."
        )


class HashError(CaudalError):
    """A value has no stable hash, so no cache key can be computed from it.

    Args:
        path: Where the value was found, written as code.
        type_name: Its type.
        reason: Why it cannot be hashed.
    """

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path, self.type_name, self.reason = path, type_name, reason

    def __str__(self) -> str:
        return (
            f"no cache key can be computed from {self.path}: <class {self.type_name!r}>: {self.reason}. Leave it out of the key "
            "(cache_policy=INPUTS - 'argument'), give its class a __caudal_hash__() method that returns what identifies it, or "
            "turn caching off with cache_policy=NO_CACHE."
        )


class CheckFailedError(CaudalError):
    """Checks of severity ``error`` failed or could not run, so nothing downstream may start.

    Args:
        failures: Table, check and what was found, for each of them.
    """

    def __init__(self, failures: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__(failures)
        self.failures = failures

    def __str__(self) -> str:
        tables = ", ".join(sorted({repr(table) for table, _, _ in self.failures}))
        lines = "".join(
            f"\n  {check} on {table}: {message}"
            for table, check, message in self.failures
        )
        count = f"{len(self.failures)} check{'s' * (len(self.failures) != 1)}"
        return (
            f"{count} of severity 'error' did not pass on {tables}; nothing downstream was started.{lines}\n"
            "Correct the data at its source and run again, or give a check severity 'warn' if the pipeline may go on without it."
        )


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


class WorkerCrashedError(CrashedRun):
    """The process that executed a task died before it could answer.

    Args:
        task: The task run.
        reason: How it ended: a signal or an exit code.
    """

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(task, reason)
        self.task, self.reason = task, reason

    def __str__(self) -> str:
        return f"the worker process of task run {self.task!r} died: {self.reason}."


class RemoteError(FailedRun):
    """An exception from another process that cannot be sent as an object; its text is kept.

    Args:
        type_name: The exception's type.
        text: What it said.
        traceback: Its traceback, as text.
    """

    def __init__(self, type_name: str, text: str, traceback: str) -> None:
        super().__init__(type_name, text, traceback)
        self.type_name, self.text, self.traceback = type_name, text, traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


class SettingError(ConfigurationError):
    """A setting has a value that it cannot take.

    Args:
        name: The setting.
        value: The value given.
        source: Where it was given.
        expected: What it takes.
    """

    def __init__(self, name: str, value: object, source: str, expected: str) -> None:
        super().__init__(name, value, source, expected)
        self.name, self.value = name, value
        self.source, self.expected = source, expected

    def __str__(self) -> str:
        return f"setting {self.name!r} cannot be {self.value!r} (from {self.source}). It takes {self.expected}."


class UnknownSettingError(ConfigurationError):
    """There is no setting with the name that was given.

    Args:
        name: The name, as it was written.
        source: Where it was given.
        nearest: The known name that is most like it.
    """

    def __init__(self, name: str, source: str, nearest: str) -> None:
        super().__init__(name, source, nearest)
        self.name, self.source, self.nearest = name, source, nearest

    def __str__(self) -> str:
        return (
            f"there is no setting {self.name!r} (from {self.source}); the nearest one is {self.nearest!r}. "
            "Correct or remove it; `caudal config view` lists every setting."
        )


class SettingsFileError(ConfigurationError):
    """A settings file cannot be read.

    Args:
        path: The file.
        reason: What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot read settings from {self.path!r}: {self.reason}. Correct the file, or move it away."
