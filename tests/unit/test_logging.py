"""Logging: what runs log is kept with them, wherever their code executes."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_run_logger, task
from caudal.context import FlowRunContext, get_run_context
from caudal.engine import logs
from caudal.exceptions import MissingContextError
from caudal.logging import (
    LogEavesdropper,
    disable_run_logger,
    flow_run_logger,
    get_logger,
    task_run_logger,
)
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caudal.model.runs import LogRow
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@task(name="say")
def say(text: str) -> None:
    """Log a text."""
    get_run_logger().info("say %s", text, extra={"size": len(text)})


@task
async def asay(text: str) -> None:
    """Log a text, later."""
    await asyncio.sleep(0)
    get_run_logger().warning("asay %s", text)


@task
def show(text: str) -> None:
    """Print a text."""
    print("show", text)  # noqa: T201 - that is what is tested


def rows(record: Record, start: str = "") -> list[LogRow]:
    """Return the kept lines that start with a text."""
    return [
        row for _, row in record.client.read_logs() if row.message.startswith(start)
    ]


def run(body: Callable[[], Any], **options: Any) -> Any:
    """Run a function as a flow."""
    return flow(**{"name": "around", **options})(body)()


def test_a_line_belongs_to_the_run_that_logged_it(record: Record) -> None:
    """Flow, task, submitted task and coroutine each have their own lines."""

    @flow
    async def around() -> None:
        get_run_logger().info("here")
        say("a")
        say.submit("b")
        await asay("c")
        asay.submit("d")

    asyncio.run(around())
    flow_run = record.flow()
    tasks = {each.id.bytes: name for name, each in record.tasks().items()}
    (here,) = rows(record, "here")
    assert (here.flow_run_id, here.task_run_id) == (flow_run.id.bytes, None)
    assert (here.level, here.logger) == (logging.INFO, "caudal.flow_runs")
    said = {tasks[row.task_run_id or b""]: row.message for row in (*rows(record, "say"), *rows(record, "asay"))}  # fmt: skip
    assert said == {"say-0": "say a", "say-1": "say b", "asay-0": "asay c", "asay-1": "asay d"}  # fmt: skip
    assert {row.flow_run_id for row in rows(record)} == {flow_run.id.bytes}
    assert {row.level for row in rows(record, "asay")} == {logging.WARNING}


def test_extra_fields_are_kept_beside_the_message(record: Record) -> None:
    """What JSON knows is kept as it is, the rest as text."""
    endless: list[Any] = []
    endless.append(endless)

    def body() -> None:
        say("four")
        odd = {"rows": [1], "kind": threading.Lock, "pairs": {(1, 2): 3}, "nan": float("nan"), "endless": endless}  # fmt: skip
        get_run_logger().info("mixed", extra=odd)

    run(body)
    assert rows(record, "say")[0].extra == {"size": 4}
    extra = rows(record, "mixed")[0].extra
    assert extra is not None
    assert (extra["rows"], extra["pairs"], extra["nan"]) == ([1], {"(1, 2)": 3}, "nan")
    assert "lock" in extra["kind"]


def test_lines_of_tasks_outside_flows_are_kept(record: Record) -> None:
    """A task run without a flow run has its lines too."""
    say("alone")
    assert record.logs(record.task("say")) == ["say alone"]


def test_other_loggers_below_caudal_are_kept_within_runs(record: Record) -> None:
    """`get_logger` gives library code a logger; outside runs it only prints."""
    log = get_logger("shop")
    assert log.name == "caudal.shop"
    assert get_logger().name == "caudal"

    @task
    def work() -> None:
        log.info("from a library")

    log.info("outside")
    run(lambda: work())
    (row,) = rows(record, "from a library")
    assert row.task_run_id == record.tasks()["work-0"].id.bytes
    assert rows(record, "outside") == []


def test_there_is_no_run_logger_outside_runs() -> None:
    """The error says where it works."""
    with pytest.raises(MissingContextError, match="only inside a flow run or a task"):
        get_run_logger()


def test_levels_below_the_setting_are_not_kept(record: Record) -> None:
    """By default DEBUG lines are neither shown nor kept."""
    run(lambda: get_run_logger().debug("quiet"))
    assert rows(record, "quiet") == []


def test_a_failure_is_logged_once_with_its_traceback(record: Record) -> None:
    """The task's line shows where in the user's code it happened."""

    @task
    def breaks() -> None:
        raise ValueError("no")

    flow(lambda: breaks(return_state=True), name="around")(return_state=True)
    failures = [row for row in rows(record) if row.task_run_id and row.level == logging.ERROR]  # fmt: skip
    assert len(failures) == 1
    assert 'raise ValueError("no")' in failures[0].message
    assert "caudal/engine/" not in failures[0].message


def test_what_a_flow_raises_is_logged_with_its_traceback(record: Record) -> None:
    """Each failed attempt has its line, which begins at the user's code."""

    @flow(retries=1)
    def breaks() -> None:
        raise ValueError("no")

    breaks(return_state=True)
    failures = [row.message for row in rows(record, "Encountered exception")]
    assert len(failures) == 2
    for message in failures:
        first, head, where, *_ = message.splitlines()
        assert first == "Encountered exception during execution: ValueError: no"
        assert head == "Traceback (most recent call last):"
        assert "test_logging.py" in where
        assert "caudal/engine/" not in message


def test_tasks_that_complete_log_nothing_by_themselves(record: Record) -> None:
    """A flow says when it begins and ends; ten thousand tasks do not."""
    quiet = task(lambda: None, name="quiet")
    run(lambda: [quiet() for _ in range(5)])
    lines = [row.message for row in rows(record)]
    name = record.flow().name
    assert lines == [
        f"Beginning flow run {name!r} for flow 'around'",
        "Finished in state Completed()",
    ]


def test_prints_become_lines_where_asked(record: Record) -> None:
    """The flow decides for its tasks and nested flows, a task for itself."""
    inner = flow(lambda: show("inner"), name="inner")

    def body() -> None:
        print("flow", 1, None, sep="-")  # noqa: T201
        show("called")
        show.submit("submitted").wait()
        show.with_options(log_prints=False)("silent")
        print("error", file=sys.stderr)  # noqa: T201
        inner()

    run(body, log_prints=True)
    run(body, name="plain")
    found = [row.message for row in rows(record) if row.message[:4] in {"flow", "show", "erro"}]  # fmt: skip
    assert found == ["flow-1-None", "show called", "show submitted", "show inner"]
    assert {row.level for row in rows(record, "show")} == {logging.INFO}


def test_prints_of_coroutines_become_lines(record: Record) -> None:
    """Also on the event loop's thread."""

    @task(log_prints=True)
    async def ashow() -> None:
        print("ashow")  # noqa: T201

    run(lambda: ashow.submit().result())
    (row,) = rows(record, "ashow")
    assert row.task_run_id == record.tasks()["ashow-0"].id.bytes


def test_prints_elsewhere_stay_prints(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside runs, and in runs that do not ask, `print` prints."""
    run(lambda: show("in a flow"))
    print("outside", end="!\n")  # noqa: T201
    assert capsys.readouterr().out == "show in a flow\noutside!\n"
    assert rows(record, "show") == []


def test_lines_and_prints_come_from_worker_processes(record: Record) -> None:
    """A task in a process logs to the same run, with level and fields."""
    with ProcessPoolTaskRunner(max_workers=1) as runner:

        @task(log_prints=True)
        def remote(text: str) -> None:
            from caudal import get_run_logger  # noqa: PLC0415 - in the worker

            get_run_logger().warning("remote %s", text, extra={"n": 1})
            print("printed", text)  # noqa: T201

        run(lambda: remote.map(["a", "b"]).result(), task_runner=runner)
    tasks = {each.id.bytes: name for name, each in record.tasks().items()}
    found = {(tasks[row.task_run_id or b""], row.message) for row in (*rows(record, "remote"), *rows(record, "printed"))}  # fmt: skip
    assert found == {
        ("remote-0", "remote a"), ("remote-0", "printed a"),
        ("remote-1", "remote b"), ("remote-1", "printed b"),
    }  # fmt: skip
    assert rows(record, "remote")[0].level == logging.WARNING
    assert rows(record, "remote")[0].extra == {"n": 1}


def test_long_lines_are_cut(record: Record) -> None:
    """A line longer than the limit is kept as far as the limit."""
    run(lambda: get_run_logger().info("x" * 200_000))
    assert len(rows(record, "xxx")[0].message) == logs.MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("runner", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_a_line_that_cannot_be_formatted_is_kept_as_it_was_given(
    runner: Any,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Text and arguments are there, on the console too, in one line."""
    monkeypatch.setattr(logging, "raiseExceptions", False)  # for pytest's own handler

    @task
    def step() -> None:
        get_run_logger().info("bad %d", "no number")

    flow(lambda: step.submit().result(), name="f", task_runner=runner(max_workers=1))()
    expected = "bad %d % ('no number',) (not formatted: TypeError: %d format: a real number is required, not str)"
    assert [row.message for row in rows(record, "bad")] == [expected]
    if runner is ThreadPoolTaskRunner:
        printed = capsys.readouterr().err
        assert [line for line in printed.splitlines() if expected in line]
        assert "Traceback" not in printed


def test_a_value_without_a_text_does_not_lose_the_line(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text alone is kept."""
    monkeypatch.setattr(logging, "raiseExceptions", False)  # for pytest's own handler

    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError

    run(lambda: get_run_logger().info("bad %s", Mute()))
    assert [row.message for row in rows(record, "bad")] == ["bad %s (not formatted: RuntimeError: )"]  # fmt: skip


@pytest.fixture
def line() -> Iterator[Callable[[logging.Formatter], str]]:
    """Format a record of a task run."""
    made: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.append(record)

    handler = Keep()
    logging.getLogger("caudal").addHandler(handler)

    def formatted(formatter: logging.Formatter) -> str:
        run(lambda: say("hello"))
        return next(formatter.format(each) for each in made if each.getMessage() == "say hello")  # fmt: skip

    yield formatted
    logging.getLogger("caudal").removeHandler(handler)


def test_people_read_lines(line: Callable[[logging.Formatter], str]) -> None:
    """On a terminal: time, level, run, message."""
    text = line(logs.ConsoleFormatter())
    assert text.endswith("| INFO    | Task run 'say-0' - say hello")


def test_programs_read_json(
    line: Callable[[logging.Formatter], str], record: Record
) -> None:
    """With the JSON format a line is an object."""
    fields = json.loads(line(logs.JsonFormatter()))
    at = datetime.fromisoformat(fields.pop("at"))
    assert at.utcoffset() == timedelta(0)
    flow_run, task_run = record.flow(), record.task("say")
    assert flow_run.created <= at
    assert fields == {
        "level": "INFO",
        "logger": "caudal.task_runs",
        "message": "say hello",
        "flow_run": flow_run.name,
        "flow_run_id": str(flow_run.id),
        "task_run": "say-0",
        "task_run_id": str(task_run.id),
        "size": 5,
    }


def test_fields_of_the_user_hide_none_of_a_line_in_json() -> None:
    """Those whose names are taken stand apart."""
    record = logging.makeLogRecord({"msg": "hello", "level": 3, "at": "noon", "size": 5})  # fmt: skip
    fields = json.loads(logs.JsonFormatter().format(record))
    assert (fields["level"], fields["size"]) == (record.levelname, 5)
    assert fields["extra"] == {"at": "noon", "level": 3}
    record.extra = "mine"
    fields = json.loads(logs.JsonFormatter().format(record))
    assert fields["extra"] == {"at": "noon", "level": 3, "extra": "mine"}


def test_the_console_follows_a_redirected_stderr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lines go to whatever stderr is at the time."""
    run(lambda: None)
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    run(lambda: get_run_logger().info("hello"))
    assert "Flow run" in elsewhere.getvalue()
    assert "hello" in elsewhere.getvalue()


def test_fields_of_a_logger_stand_on_every_line(record: Record) -> None:
    """Those given to the logger, to its child and to the call are kept together."""

    def body() -> None:
        logger = get_run_logger(part="head")
        logger.info("first")
        child = logger.getChild("inner", {"depth": 2})  # type: ignore[call-arg]
        child.info("second", extra={"size": 3})

    run(body)
    first, second = rows(record, "first")[0], rows(record, "second")[0]
    assert first.extra == {"part": "head"}
    assert second.extra == {"part": "head", "depth": 2, "size": 3}
    assert second.logger == "caudal.flow_runs.inner"
    assert second.flow_run_id == first.flow_run_id is not None


def test_a_logger_is_had_for_a_context(record: Record) -> None:
    """A line can be logged for the flow run from a task, and for the task from its helpers."""

    @task
    def step() -> None:
        around = FlowRunContext.get()
        get_run_logger(around).info("for the flow")
        get_run_logger(get_run_context()).info("for the task")

    run(lambda: step())
    assert rows(record, "for the flow")[0].task_run_id is None
    assert rows(record, "for the flow")[0].flow_run_id == record.flow().id.bytes
    assert rows(record, "for the task")[0].task_run_id == record.task("step").id.bytes


def test_hooks_log_for_their_runs(record: Record) -> None:
    """The loggers of a flow run and a task run are made of what hooks are given."""

    @task
    def step() -> int:
        return 1

    @step.on_completion
    def task_ended(ended: Any, task_run: Any, _state: Any) -> None:
        task_run_logger(task_run, ended, by="hook").info("task hook")

    def body() -> None:
        step()

    def flow_ended(ended: Any, flow_run: Any, _state: Any) -> None:
        flow_run_logger(flow_run, ended).info("flow hook")

    run(body, on_completion=[flow_ended])
    (line,) = rows(record, "task hook")
    assert (line.task_run_id, line.extra) == (
        record.task("step").id.bytes,
        {"by": "hook"},
    )
    assert rows(record, "flow hook")[0].flow_run_id == record.flow().id.bytes


def test_a_flow_run_can_be_logged_for_by_its_id(record: Record) -> None:
    """Where the run itself is not at hand."""
    run(lambda: None)
    flow_run_logger(flow_run_id=record.flow().id).info("from outside")
    assert rows(record, "from outside")[0].flow_run_id == record.flow().id.bytes
    with pytest.raises(TypeError, match="needs a flow run, or a flow_run_id"):
        flow_run_logger()


def test_the_function_of_a_task_can_be_tried_without_a_run() -> None:
    """Within the block its logger is there and silent."""
    with disable_run_logger():
        assert say.fn("hello") is None
    with pytest.raises(MissingContextError):
        say.fn("hello")


def test_loggers_are_named_below_caudal() -> None:
    """A name that is below already stays."""
    assert get_logger().name == get_logger("caudal").name == "caudal"
    assert get_logger("pump").name == get_logger("caudal.pump").name == "caudal.pump"


def test_an_eavesdropper_collects_lines() -> None:
    """What one logger logs is text afterwards."""
    with LogEavesdropper("caudal.pump", level=logging.WARNING) as heard:
        get_logger("pump").warning("one")
        get_logger("pump").info("two")
        get_logger("other").warning("three")
    assert heard.text() == "[WARNING]: one"
