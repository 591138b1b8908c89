"""The ledger, and what is not in it."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError

#: The commands that list things of a kind.
_LISTS = {
    "flow run": "caudal flow-run ls",
    "task run": "caudal task-run ls",
    "concurrency limit": "caudal global-concurrency-limit ls",
    "limit on the tag": "caudal concurrency-limit ls",
    "artifact": "caudal artifact ls",
    "variable": "caudal variable ls",
    "block": "caudal block ls",
    "asset": "caudal asset ls",
}


class ObjectNotFound(CaudalError):
    """Nothing is recorded under the id or name that was given.

    Args:
        kind: What was looked for: flow run, task run, artifact, variable, block, asset, result.
        name: The id or name given.
        flow_run: Name of the flow run in which it was looked for, where it was one.
    """

    kind: str
    name: str
    flow_run: str | None

    def __init__(self, kind: str, name: str, flow_run: str | None = None) -> None:
        super().__init__(kind, name, flow_run)
        self.kind, self.name, self.flow_run = kind, name, flow_run

    def __str__(self) -> str:
        where = f" in flow run {self.flow_run!r}" if self.flow_run else ""
        command = _LISTS.get(self.kind, "")
        if command and self.flow_run:
            command += f" --flow-run {self.flow_run}"
        hint = f" `{command}` lists what is there." if command else ""
        return f"there is no {self.kind} {self.name!r}{where}.{hint}"


class ObjectAlreadyExists(CaudalError, ValueError):
    """Something of this name is there already.

    Args:
        kind: What was to be made: variable, block, concurrency limit.
        name: The name given.
    """

    kind: str
    name: str

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name

    def __str__(self) -> str:
        change = "change the one that is there"
        if self.kind in {"variable", "block"}:
            change = "replace it with overwrite=True"
        return f"there is a {self.kind} {self.name!r} already. Choose another name, or {change}."


class AmbiguousNameError(CaudalError):
    """A short id or a name fits more than one run.

    Args:
        kind: What was looked for.
        name: The id or name given.
        matches: Ids that fit.
    """

    kind: str
    name: str
    matches: tuple[str, ...]

    def __init__(self, kind: str, name: str, matches: tuple[str, ...]) -> None:
        super().__init__(kind, name, matches)
        self.kind, self.name, self.matches = kind, name, matches

    def __str__(self) -> str:
        advice = "Give the whole id."
        if self.kind == "task run":
            advice = "Give the whole id, or say which flow run it belongs to with --flow-run."
        return f"{self.name!r} fits more than one {self.kind}: {', '.join(self.matches)}. {advice}"


class LedgerError(CaudalError):
    """The durable record of runs cannot be opened, read or written.

    Args:
        path: The ledger.
        reason: What happened.
        advice: What to do.
    """

    path: str
    reason: str
    advice: str

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
