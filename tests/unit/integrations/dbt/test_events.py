"""Reading dbt's log lines."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudal.integrations.dbt.events import (
    LogLine,
    NodeAnnounced,
    NodeEnded,
    NodeRunning,
    parse_line,
)

MODEL = "model.shop.stg_orders"
TEST = "test.shop.not_null_stg_orders_id.8cf5724805"


def parse(line: str) -> Any:
    """Parse a line given as text."""
    return parse_line(line.encode())


def test_a_node_is_announced_runs_and_ends(lines: Any) -> None:
    """The three moments of a node become three events about it."""
    announced, running = map(parse, lines.start(MODEL))
    ended = parse(lines.finish(MODEL, message="OK", execution_time=1.5))

    assert isinstance(announced, NodeAnnounced)
    assert isinstance(running, NodeRunning)
    assert isinstance(ended, NodeEnded)
    assert announced.node == running.node == ended.node
    assert announced.node.name == "model.stg_orders"
    assert announced.node.relation == '"shop"."main"."stg_orders"'
    assert (ended.status, ended.message, ended.duration_seconds) == (
        "success",
        "OK",
        1.5,
    )


def test_a_test_tells_its_failures(lines: Any) -> None:
    """The end of a test has the number of rows it found; an empty message is none."""
    failed = parse(lines.finish(TEST, "fail", num_failures=2, message="Got 2 results"))
    passed = parse(lines.finish(TEST, "pass"))

    assert (failed.status, failed.failures, failed.message) == (
        "fail",
        2,
        "Got 2 results",
    )
    assert (passed.status, passed.failures, passed.message) == ("pass", 0, None)
    assert failed.node.name == "test.not_null_stg_orders_id"
    assert failed.node.relation is None


@pytest.mark.parametrize(
    ("unique_id", "name"),
    [
        ("model.shop.orders.v2", "model.orders.v2"),
        ("seed.shop.countries", "seed.countries"),
        ("unit_test.shop.totals.adds_up", "unit_test.totals.adds_up"),
        ("operation.shop.shop-on-run-end-0", "operation.shop-on-run-end-0"),
    ],
)
def test_a_node_is_named_by_type_and_name(
    lines: Any, unique_id: str, name: str
) -> None:
    """The package is left out of a node's name, its version is not."""
    assert parse(lines.finish(unique_id)).node.name == name


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        ({"_message": "INSERT 3", "code": "INSERT", "rows_affected": 3.0}, 3),
        ({"_message": "OK"}, None),
        ({"_message": "SUCCESS 1", "code": "SUCCESS", "rows_affected": 1}, None),
        ({"rows_affected": -1}, None),
        ({"rows_affected": 0}, 0),
        ({"rows_affected": "many"}, None),
    ],
)
def test_rows_are_those_that_the_database_counts(
    lines: Any, answer: dict[str, Any], rows: int | None
) -> None:
    """A number that does not count rows of data is not taken for one."""
    assert parse(lines.finish(MODEL, adapter_response=answer)).rows == rows


def test_what_else_the_database_says_is_kept(lines: Any) -> None:
    """Facts beside rows and message, such as a query's id, are kept."""
    answer = {
        "_message": "SUCCESS 1",
        "code": "SUCCESS",
        "rows_affected": 1,
        "query_id": "q-7",
    }

    assert parse(lines.finish(MODEL, adapter_response=answer)).facts == {
        "query_id": "q-7"
    }


@pytest.mark.parametrize(
    ("level", "expected"),
    [("info", logging.DEBUG), ("warn", logging.WARNING), ("error", logging.ERROR)],
)
def test_other_lines_become_log_lines(lines: Any, level: str, expected: int) -> None:
    """A line keeps its event and the node it is about; dbt's info is for debugging here."""
    about = parse(lines.event("Note", level, "mind this", node_info=lines.node(MODEL)))
    general = parse(lines.event("Note", level, "mind this"))

    assert about == LogLine(expected, "mind this", "Note", MODEL)
    assert general == LogLine(expected, "mind this", "Note", None)


def test_debug_lines_and_empty_ones_say_nothing(lines: Any) -> None:
    """What dbt logs for its own developers is in its log file."""
    assert parse(lines.event("SQLQuery", "debug", "select 1")) is None
    assert parse(lines.event("Formatting", "info", " ")) is None
    assert parse_line(b"\r\n") is None


def test_lines_that_repeat_a_result_are_known(lines: Any) -> None:
    """A failure is told once, not three times."""
    repeat = parse(lines.event("RunResultError", "error", "Binder Error"))
    other = parse(lines.event("MainEncounteredError", "error", "no profile"))

    assert repeat.is_repeat
    assert not other.is_repeat


@pytest.mark.parametrize(
    "line",
    [
        b"Usage: dbt build [OPTIONS]",
        b'{"info": {"name": "NodeStart", "lev',
        b'{"answer": 42}',
        b"[1, 2]",
        b'{"info": {"name": "NodeStart"}, "data": {}}',
        b'{"info": {"name": "NodeFinished"}, "data": {"node_info": {"unique_id": 7}}}',
        b'{"info": {"name": 7}}',
    ],
)
def test_a_line_of_another_shape_is_kept_as_it_is(line: bytes) -> None:
    """Nothing that dbt or its database driver writes is lost."""
    assert parse_line(line) == LogLine(logging.INFO, line.decode())


def test_bytes_that_are_no_text_are_kept_legibly() -> None:
    """A line in another encoding does not end the run."""
    broken = b'{"info": {"name": "A", "level": "warn", "msg": "caf\xe9"}}'

    assert parse_line(b"caf\xe9\n") == LogLine(logging.INFO, "caf\ufffd")
    assert isinstance(parse_line(broken), LogLine)


@given(st.binary())
def test_no_line_stops_the_reader(line: bytes) -> None:
    """Whatever is written to the pipe, reading goes on."""
    parse_line(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(["NodeStart", "LogStartLine", "NodeFinished", "Note"]), json_values
)
def test_no_data_stops_the_reader(name: str, data: Any) -> None:
    """A known event with data of another shape is kept as a line."""
    line = json.dumps(
        {"info": {"name": name, "level": "warn", "msg": "m"}, "data": data}
    )

    assert isinstance(parse(line), LogLine)
