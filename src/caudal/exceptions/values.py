"""Values that cannot be stored, read, hashed, or that are wrong."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError, ConfigurationError
from caudal.exceptions.runs import MissingResult


class StorageError(CaudalError):
    """A stored value cannot be read or written.

    Args:
        action: What was tried: read, write, delete, look up.
        key: The value's key.
        location: Where it is kept.
        reason: What happened.
        advice: What to do.
    """

    action: str
    key: str
    location: str
    reason: str
    advice: str

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

    key: str
    location: str
    expected: str
    found: str

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

    type_name: str
    serializer: str
    reason: str

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

    type_name: str
    serializer: str
    reason: str

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

    name: str
    known: tuple[str, ...]

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

    path: str
    type_name: str
    reason: str

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path, self.type_name, self.reason = path, type_name, reason

    def __str__(self) -> str:
        return (
            f"no cache key can be computed from {self.path}: <class {self.type_name!r}>: {self.reason}. Leave it out of the key "
            "(cache_policy=INPUTS - 'argument'), give its class a __caudal_hash__() method that returns what identifies it, or "
            "turn caching off with cache_policy=NO_CACHE."
        )


class CacheKeyError(HashError):
    """A function for cache keys gave none.

    Args:
        path: The function.
        type_name: The policy that asked it.
        reason: What it did.
    """

    def __str__(self) -> str:
        return (
            f"{self.path} gave no cache key: {self.reason}. It is to be a plain function of the task run's context and the call's "
            "inputs, by name, and to return a text, or None where the call is not to be cached."
        )


class StorageKeyError(ConfigurationError):
    """A template for the keys of results cannot be filled in.

    Args:
        template: The template.
        task: The task.
        reason: What is wrong with it.
        parameters: The task's parameters.
    """

    template: str
    task: str
    reason: str
    parameters: tuple[str, ...]

    def __init__(
        self, template: str, task: str, reason: str, parameters: tuple[str, ...]
    ) -> None:
        super().__init__(template, task, reason, parameters)
        self.template, self.task = template, task
        self.reason, self.parameters = reason, parameters

    def __str__(self) -> str:
        known = ", ".join(f"{{parameters[{name}]}}" for name in self.parameters)
        return (
            f"result_storage_key {self.template!r} of task {self.task!r} cannot be filled in: {self.reason}. "
            f"There are {known or 'no parameters'}, fields of the task run as {{task_run.name}}, and within a flow "
            "those of its run as {flow_run.name}."
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
