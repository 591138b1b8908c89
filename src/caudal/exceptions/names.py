"""Names and values that cannot be kept."""

from __future__ import annotations

from caudal.exceptions.root import CaudalError


class InvalidNameError(CaudalError, ValueError):
    """A name or key has characters that are not permitted.

    Args:
        kind: What was to be named.
        name: The name given.
        rule: What names of this kind may be, as a sentence.
    """

    kind: str
    name: str
    rule: str

    def __init__(self, kind: str, name: str, rule: str) -> None:
        super().__init__(kind, name, rule)
        self.kind, self.name, self.rule = kind, name, rule

    def __str__(self) -> str:
        if not self.name:
            return f"{self.kind} needs a name. {self.rule}"
        return f"{self.name!r} cannot be the name of {self.kind}. {self.rule}"


class InvalidValueError(CaudalError, ValueError):
    """A value cannot be kept where it was to be kept.

    Args:
        what: What was to hold it.
        given: The value, as text.
        rule: What it takes, as a sentence.
    """

    what: str
    given: str
    rule: str

    def __init__(self, what: str, given: str, rule: str) -> None:
        super().__init__(what, given, rule)
        self.what, self.given, self.rule = what, given, rule

    def __str__(self) -> str:
        return f"{self.what} cannot hold {self.given}. {self.rule}"
