"""JSON of what the ledger keeps: changes, details, parameters, check results and documents.

One value that cannot be written must not cost a batch with the work of many runs: an object that JSON has no form for is
kept as its ``repr``, and text that is not valid Unicode with question marks in place of the broken characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from caudal.model.checks import CheckResult, CheckStatus, Severity
from caudal.model.inputs import RunInputChange
from caudal.model.runs import FlowRunChange, TaskRunChange

if TYPE_CHECKING:
    from collections.abc import Callable

_encode = msgspec.json.Encoder(enc_hook=repr).encode

#: Reads any JSON document.
decode: Callable[[bytes | str], Any] = msgspec.json.Decoder().decode
#: Reads the payload of a ``flow_run`` event.
decode_flow_change: Callable[[bytes | str], FlowRunChange] = msgspec.json.Decoder(
    FlowRunChange
).decode
#: Reads the payload of a ``task_run`` event.
decode_task_change: Callable[[bytes | str], TaskRunChange] = msgspec.json.Decoder(
    TaskRunChange
).decode

#: Reads the payload of a ``run_input`` event.
decode_input: Callable[[bytes | str], RunInputChange] = msgspec.json.Decoder(
    RunInputChange
).decode


def encode(value: Any) -> bytes:
    """Return the JSON of a value."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_clean(msgspec.to_builtins(value, enc_hook=repr)))


def decode_check(payload: bytes) -> CheckResult:
    """Return the check result of a ``check`` event."""
    fields = decode(payload)
    fields["severity"] = Severity(fields["severity"])
    fields["status"] = CheckStatus(fields["status"])
    fields["sample"] = tuple(fields["sample"])
    return CheckResult(**fields)


def clean_text(text: str) -> str:
    """Return text with a question mark for each character that UTF-8 has no form for."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {_clean(key): _clean(item) for key, item in items}
    return value
