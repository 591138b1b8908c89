"""Artifacts: what each kind keeps, for which run, and how it is found again."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest

from caudal import flow, get_client, task
from caudal.artifacts import (
    Artifact,
    TableArtifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from caudal.exceptions import InvalidNameError, InvalidValueError, ObjectNotFound
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


@pytest.mark.parametrize(
    ("create", "type_", "data"),
    [
        (lambda: create_markdown_artifact("# Hi"), "markdown", "# Hi"),
        (lambda: create_link_artifact("https://a.example"), "markdown", "[https://a.example](https://a.example)"),
        (lambda: create_link_artifact("https://a.example", "A"), "markdown", "[A](https://a.example)"),
        (lambda: create_table_artifact([{"a": 1}, {"a": None}]), "table", '[{"a": 1}, {"a": null}]'),
        (lambda: create_table_artifact([[1, "x"]]), "table", '[[1, "x"]]'),
        (lambda: create_table_artifact({"a": [1.5, float("nan")]}), "table", '{"a": [1.5, null]}'),
        (lambda: create_progress_artifact(12), "progress", 12.0),
        (lambda: create_image_artifact("https://a.example/a.png"), "image", "https://a.example/a.png"),
        (lambda: Artifact(type="own", data={"a": [1]}).create().id, "own", '{"a": [1]}'),
    ],
)  # fmt: skip
def test_each_kind_keeps_what_is_shown(
    create: Callable[[], UUID], type_: str, data: Any
) -> None:
    """Type and data are those of Prefect's artifacts."""
    read = get_client().read_artifact(create())

    assert (read.type, read.data) == (type_, data)


def test_an_artifact_belongs_to_the_run_that_makes_it(record: Record) -> None:
    """In a task it has the ids of task and flow run, in a flow that of the flow run, outside none."""

    @task
    def report() -> None:
        create_markdown_artifact("task", key="report", description="d")

    @flow
    def nightly() -> None:
        report()
        create_markdown_artifact("flow", key="report")

    nightly()
    outside = create_markdown_artifact("outside", key="report")

    client, run = record.client, record.flow()
    of_run = client.read_artifacts(flow_run_id=run.id)
    assert [each.data for each in of_run] == ["flow", "task"]
    (of_task,) = client.read_artifacts(task_run_id=record.task("report").id)
    assert (of_task.flow_run_id, of_task.description) == (run.id, "d")
    assert client.read_artifact(outside).flow_run_id is None


def test_a_key_joins_versions() -> None:
    """The newest one counts; older ones stay."""
    for day in (1, 2, 3):
        create_markdown_artifact(f"day {day}", key="report")
    create_markdown_artifact("other", key="another")
    create_markdown_artifact("without a key")

    newest = Artifact.get("report")
    assert newest is not None
    assert newest.data == "day 3"
    client = get_client()
    latest = [(each.key, each.data) for each in client.read_latest_artifacts()]
    assert latest == [("another", "other"), ("report", "day 3")]
    versions = client.read_artifacts(key="report", limit=2)
    assert [each.data for each in versions] == ["day 3", "day 2"]
    (rest,) = client.read_artifacts(key="report", before=versions[-1].id)
    assert rest.data == "day 1"
    found = Artifact.get()
    assert found is not None
    assert found.data == "without a key"


def test_an_artifact_is_made_once_where_it_is_asked_for_so() -> None:
    """The second caller gets the first one's."""
    first, made = Artifact.get_or_create("report", data=1, type="own")
    second, made_again = Artifact.get_or_create("report", data=2, type="own")

    assert (made, made_again) == (True, False)
    assert second == first
    assert Artifact.get("other") is None


def test_a_deleted_artifact_is_gone() -> None:
    """Its versions stay; a second deletion finds nothing."""
    create_markdown_artifact("1", key="report")
    create_markdown_artifact("2", key="report")
    newest = Artifact.get("report")
    assert newest is not None

    assert newest.delete() is True
    assert newest.delete() is False

    left = Artifact.get("report")
    assert left is not None
    assert left.data == "1"
    assert left.id is not None
    get_client().delete_artifact(left.id)
    assert Artifact.get("report") is None
    for call in (get_client().delete_artifact, get_client().read_artifact):
        with pytest.raises(ObjectNotFound, match="caudal artifact ls"):
            call(left.id)


def test_progress_moves() -> None:
    """Progress and description change on their own; what was not given stays."""
    artifact_id = create_progress_artifact(0.0, key="load", description="start")

    assert update_progress_artifact(artifact_id, 50) == artifact_id
    update_progress_artifact(artifact_id, description="half")
    update_progress_artifact(artifact_id)

    read = get_client().read_artifact(artifact_id)
    assert (read.data, read.description) == (50.0, "half")


def test_progress_stays_within_a_hundred_per_cent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is outside is cut, with a warning; what is no number is refused."""
    artifact_id = create_progress_artifact(-3)
    assert get_client().read_artifact(artifact_id).data == 0.0
    update_progress_artifact(artifact_id, 120)
    assert get_client().read_artifact(artifact_id).data == 100.0
    assert len([line for line in caplog.messages if "is cut" in line]) == 2
    for wrong in ("many", None, float("nan")):
        with pytest.raises(InvalidValueError, match="percentage"):
            create_progress_artifact(wrong)  # type: ignore[arg-type]


def test_only_progress_can_be_updated() -> None:
    """An id of something else is an error, not a change of it."""
    table = create_table_artifact([{"a": 1}])
    for wrong in (table, uuid4()):
        with pytest.raises(ObjectNotFound, match="progress artifact"):
            update_progress_artifact(wrong, 5)


@pytest.mark.parametrize("key", ["", "Report", "a_b", "a b", "ä", "a\n"])
def test_keys_are_plain(key: str) -> None:
    """Keys are made of lower-case letters, numbers and dashes, as Prefect's."""
    with pytest.raises(InvalidNameError, match="lower-case letters"):
        create_markdown_artifact("text", key=key)


@pytest.mark.parametrize("table", ["text", 3, {"a": 1}, [1, 2], [[1], {"a": 1}], None])
def test_what_is_no_table_is_refused(table: Any) -> None:
    """The message says what to give."""
    with pytest.raises(InvalidValueError, match="list of dicts"):
        create_table_artifact(table)


@pytest.mark.parametrize(
    "create",
    [create_markdown_artifact, create_link_artifact, create_image_artifact],
)
def test_what_is_no_text_is_refused(create: Any) -> None:
    """A number is no Markdown and no address."""
    with pytest.raises(InvalidValueError, match=r"cannot hold 5\. It takes a text"):
        create(5)


def test_cells_that_json_does_not_know_become_text() -> None:
    """A table never fails for a date, a NumPy number or infinity."""
    row = {
        "day": date(2024, 5, 1),
        "n": np.int64(3),
        "x": np.float32(0.5),
        ("a", 1): float("inf"),
    }
    shown = json.loads(TableArtifact(table=[row]).format())

    assert shown == [{"day": "2024-05-01", "n": 3, "x": 0.5, "('a', 1)": "inf"}]


def test_twins_are_awaited() -> None:
    """The names with an ``a`` return awaitables, the others do where the caller can await."""

    @flow
    async def nightly() -> list[Any]:
        first = await acreate_markdown_artifact("1", key="report")
        second = await create_markdown_artifact("2", key="report")  # type: ignore[misc]
        newest = await Artifact.aget("report")
        assert newest is not None
        assert newest.id == second
        progress = await acreate_progress_artifact(1)
        await aupdate_progress_artifact(progress, 2)
        assert await newest.adelete()
        return [first, progress]

    first, progress = asyncio.run(nightly())  # type: ignore[arg-type]
    client = get_client()
    assert [each.id for each in client.read_artifacts(key="report")] == [first]
    assert client.read_artifact(progress).data == 2.0


@task
def report_in_process(number: int) -> None:
    """Keep an artifact."""
    create_markdown_artifact(f"from a process: {number}", key="process")


def test_tasks_in_processes_keep_artifacts(record: Record) -> None:
    """They are linked to the same runs as in this process."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def nightly() -> None:
        report_in_process.submit(7).wait()

    nightly()

    (kept,) = record.client.read_artifacts(flow_run_id=record.flow().id)
    assert kept.data == "from a process: 7"
    assert kept.task_run_id == record.task("report_in_process").id


def test_a_wide_map_keeps_an_artifact_each(record: Record) -> None:
    """Artifacts ride in the journal's batches, so that a thousand cost little."""

    @task
    def report(number: int) -> None:
        create_table_artifact([[number]], key=f"part-{number}")

    @flow
    def nightly() -> None:
        report.map(range(1000)).wait()

    nightly()
    kept = record.client.read_latest_artifacts(limit=2000)
    assert len({each.task_run_id for each in kept}) == 1000
