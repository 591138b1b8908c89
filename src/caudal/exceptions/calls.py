"""Calls, arguments and flow files that cannot be used."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError


class ParameterError(CaudalError):
    """A flow was called with parameters it does not accept."""


class ParameterBindError(ParameterError):
    """Arguments are missing, surplus or unknown.

    Args:
        name: What was called.
        reason: What Python said about the arguments.
        signature: The parameters it accepts.
    """

    name: str
    reason: str
    signature: str

    def __init__(self, name: str, reason: str, signature: str) -> None:
        super().__init__(name, reason, signature)
        self.name, self.reason, self.signature = name, reason, signature

    def __str__(self) -> str:
        return f"{self.name!r} was called with wrong arguments: {self.reason}. It takes {self.signature}."


class SignatureMismatchError(ParameterBindError):
    """Parameters were given by a name that the function has none of."""


class DurableParametersError(ParameterError):
    """A durable flow was called with parameters that another process could not have again.

    Args:
        flow: The flow.
        reason: Which of them, and why not.
    """

    flow: str
    reason: str

    def __init__(self, flow: str, reason: str) -> None:
        super().__init__(flow, reason)
        self.flow, self.reason = flow, reason

    def __str__(self) -> str:
        return (
            f"flow {self.flow!r} is durable, and what it was called with cannot be kept for a process that goes on with the run: "
            f"{self.reason}. Give it something that can be pickled, such as a path or a key, or leave durable=True out."
        )


class ParameterTypeError(ParameterError):
    """A parameter's value does not fit its type hint.

    Args:
        name: The flow.
        problems: One sentence for each wrong parameter.
    """

    name: str
    problems: tuple[str, ...]

    def __init__(self, name: str, problems: tuple[str, ...]) -> None:
        super().__init__(name, problems)
        self.name, self.problems = name, problems

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"flow {self.name!r} was called with parameters that do not fit its type hints; nothing was run.{lines}"


class ReservedArgumentError(CaudalError):
    """A decorated function has a parameter whose name caudal needs."""

    name: str
    argument: str

    def __init__(self, name: str, argument: str) -> None:
        super().__init__(name, argument)
        self.name, self.argument = name, argument

    def __str__(self) -> str:
        return f"{self.name!r} has a parameter named {self.argument!r}, which caudal uses itself. Rename the parameter."


class MappingError(CaudalError):
    """Arguments cannot be mapped over."""


class MappingLengthMismatch(MappingError):
    """The iterables given to ``map`` have different lengths.

    Args:
        task: The mapped task.
        lengths: Length of each iterable, by parameter name.
    """

    task: str
    lengths: dict[str, int]

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

    task: str
    given: tuple[str, ...]

    def __init__(self, task: str, given: tuple[str, ...]) -> None:
        super().__init__(task, given)
        self.task, self.given = task, given

    def __str__(self) -> str:
        given = ", ".join(self.given) or "no argument"
        return f"{self.task!r}.map(...) needs at least one iterable argument, and got only {given}."


class MissingContextError(CaudalError, RuntimeError):
    """The call only works inside a flow or task run.

    Args:
        what: The call.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} works only inside a flow run or a task run; call it from a function decorated with @flow or @task."


class ScriptError(CaudalError):
    """A flow file cannot be loaded.

    Args:
        path: The file.
        reason: What went wrong in it.
    """

    path: str
    reason: str

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot load flows from {self.path!r}: {self.reason}"


class UnsupportedImportError(CaudalError, ImportError):
    """A pipeline that was written for Prefect imports a name that caudal does not have.

    Args:
        symbol: The name, with its module.
    """

    symbol: str

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol

    def __str__(self) -> str:
        return (
            f"caudal has nothing that stands for {self.symbol!r}. The page 'Coming from Prefect' of the documentation lists what there is "
            "and what takes the place of the rest."
        )


class UnsupportedIntegrationError(UnsupportedImportError):
    """A pipeline that was written for Prefect imports a package of integrations that is not installed."""

    def __str__(self) -> str:
        return (
            f"caudal has nothing that stands for {self.symbol!r}: packages of integrations for Prefect are not part of it, and this one is not "
            "installed. Call the library that it wraps from a task, and keep its credentials in a block of your own."
        )


class UnsupportedNameError(CaudalError, AttributeError):
    """A pipeline that was written for Prefect uses a name of a module that caudal does not have.

    Args:
        symbol: The name, with its module.
    """

    symbol: str

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol

    def __str__(self) -> str:
        return str(UnsupportedImportError(self.symbol))


class MissingFlowError(ScriptError):
    """The file does not hold the flow that was asked for."""


class UnspecifiedFlowError(ScriptError):
    """The file holds several flows and none was named."""


class FlowVisualizationError(CaudalError):
    """The graph of a flow cannot be drawn.

    Args:
        flow: The flow.
        reason: What its code raised.
    """

    flow: str
    reason: str

    def __init__(self, flow: str, reason: str) -> None:
        super().__init__(flow, reason)
        self.flow, self.reason = flow, reason

    def __str__(self) -> str:
        return (
            f"flow {self.flow!r} cannot be drawn: its code raised {self.reason} when it was run without its tasks. If it works with "
            "what a task returns, give that task an example: @task(viz_return_value=[1, 2, 3])."
        )


class GraphvizExecutableNotFoundError(CaudalError):
    """Graphviz, which draws graphs, is not installed.

    Args:
        path: The file that was to be drawn.
    """

    path: str

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be drawn: there is no program 'dot'. Install Graphviz with the system's package manager, or use "
            "flow.generate_mermaid_graph(), which needs nothing."
        )
