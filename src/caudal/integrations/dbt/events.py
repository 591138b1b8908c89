"""What dbt's JSON log lines say, as values. Pure: a line goes in, an event comes out.

With ``--log-format json`` dbt writes one object a line: ``info`` (name, level, msg, ...) and ``data``, whose fields depend on
``info.name``. Nodes are announced by ``NodeStart`` (skipped ones too), begin to run with ``LogStartLine``, and end with
``NodeFinished``. Field names: https://docs.getdbt.com/reference/events-logging.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

_LEVELS = {"info": logging.DEBUG, "warn": logging.WARNING, "error": logging.ERROR}
#: Events that a node has once it really runs.
_RUNNING = frozenset({"LogStartLine", "NodeCompiling", "NodeExecuting"})
#: Events that repeat, for people, what ``NodeFinished`` says of a node.
_REPEATS = frozenset(
    {
        "LogFreshnessResult",
        "LogModelResult",
        "LogNodeNoOpResult",
        "LogNodeResult",
        "LogSeedResult",
        "LogSnapshotResult",
        "LogTestResult",
        "RunResultError",
        "RunResultErrorNoMessage",
        "RunResultFailure",
        "RunResultWarning",
        "RunResultWarningMessage",
        "SkippingDetails",
    }
)
#: Fields of a database's answer that ``message`` and ``rows`` tell.
_TOLD = frozenset({"_message", "code", "rows_affected"})
_NO_DATA = msgspec.Raw(b"{}")


class Relation(msgspec.Struct, frozen=True):
    """A node's table or view, as the log names it."""

    relation_name: str | None = None


class NodeInfo(msgspec.Struct, frozen=True):
    """The node that a line is about."""

    unique_id: str
    node_name: str = ""
    resource_type: str = ""
    materialized: str = ""
    node_relation: Relation | None = None

    @property
    def name(self) -> str:
        """Type and name: ``model.stg_orders``."""
        kind, _, rest = self.unique_id.partition(".")
        name = rest.partition(".")[2] or rest  # without the package
        if kind == "test" and self.node_name:  # without the hash
            name = self.node_name
        return f"{kind}.{name}"

    @property
    def relation(self) -> str | None:
        """The quoted name of its table or view."""
        return (self.node_relation and self.node_relation.relation_name) or None


class NodeAnnounced(msgspec.Struct, frozen=True):
    """dbt took a node up; whether it runs or is skipped is not said yet."""

    node: NodeInfo


class NodeRunning(msgspec.Struct, frozen=True):
    """A node runs."""

    node: NodeInfo


class NodeEnded(msgspec.Struct, frozen=True):
    """A node ended."""

    node: NodeInfo
    #: dbt's word: success, pass, warn, fail, error, skipped, ...
    status: str
    message: str | None = None
    duration_seconds: float | None = None
    #: Rows that a test found.
    failures: int = 0
    #: What the database said: ``rows_affected``, ``query_id``, ...
    adapter_response: dict[str, Any] = {}

    @property
    def rows(self) -> int | None:
        """Rows that were written, where the database says so."""
        count = self.adapter_response.get("rows_affected")
        # Snowflake answers a CREATE TABLE AS with "SUCCESS 1": one row of status, not of data.
        if self.adapter_response.get("code") == "SUCCESS":
            return None
        return int(count) if isinstance(count, int | float) and count >= 0 else None

    @property
    def facts(self) -> dict[str, Any]:
        """What else the database said, such as ``query_id``."""
        answer = self.adapter_response
        return {name: answer[name] for name in answer if name not in _TOLD}


class LogLine(msgspec.Struct, frozen=True):
    """Anything else that dbt said."""

    #: The standard library's level number; dbt's info is our debug.
    level: int
    text: str
    #: dbt's name of the event; None for a line that is not one of dbt's.
    event: str | None = None
    #: The node it is about.
    unique_id: str | None = None

    @property
    def is_repeat(self) -> bool:
        """Whether the line tells people what ``NodeEnded`` says."""
        return self.event in _REPEATS


Event = NodeAnnounced | NodeRunning | NodeEnded | LogLine


class _Info(msgspec.Struct):
    name: str
    level: str = "info"
    msg: str = ""


class _Line(msgspec.Struct):
    info: _Info
    data: msgspec.Raw = _NO_DATA


class _RunResult(msgspec.Struct):
    status: str
    message: str | None = None
    execution_time: float | None = None
    num_failures: int | None = None
    adapter_response: dict[str, Any] | None = None


class _NodeData(msgspec.Struct):
    node_info: NodeInfo


class _FinishedData(msgspec.Struct):
    node_info: NodeInfo
    run_result: _RunResult


_line = msgspec.json.Decoder(_Line)
_node_data = msgspec.json.Decoder(_NodeData)
_finished_data = msgspec.json.Decoder(_FinishedData)


def parse_line(line: bytes) -> Event | None:
    """Return what a line of dbt's output says, or None when it says nothing that is kept.

    A line that is no JSON of dbt's shape is kept as it is: as a ``LogLine`` without an event.

    Args:
        line: One line, with or without its end.
    """
    text = line.strip()
    if not text:
        return None
    try:
        return _event(_line.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return LogLine(logging.INFO, text.decode("utf-8", "replace"))


def _event(line: _Line) -> Event | None:
    name = line.info.name
    if name == "NodeStart":
        return NodeAnnounced(_node_data.decode(line.data).node_info)
    if name in _RUNNING:
        return NodeRunning(_node_data.decode(line.data).node_info)
    if name == "NodeFinished":
        return _ended(_finished_data.decode(line.data))
    level = _LEVELS.get(line.info.level)
    text = line.info.msg.strip()
    if level is None or not text:
        return None
    return LogLine(level, text, name, _unique_id(line.data))


def _ended(data: _FinishedData) -> NodeEnded:
    result = data.run_result
    return NodeEnded(
        data.node_info,
        result.status.lower(),
        (result.message or "").strip() or None,
        result.execution_time,
        result.num_failures or 0,
        result.adapter_response or {},
    )


def _unique_id(data: msgspec.Raw) -> str | None:
    try:
        return _node_data.decode(data).node_info.unique_id
    except msgspec.MsgspecError:
        return None
