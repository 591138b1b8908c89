"""Variables: what they hold, who sees them, and what is refused."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from caudal import flow, get_client, runtime, task
from caudal.app import open_ledger
from caudal.exceptions import (
    InvalidNameError,
    InvalidValueError,
    LeaseLostError,
    ObjectAlreadyExists,
    ObjectNotFound,
)
from caudal.ledger.replay import decode_document_change
from caudal.variables import Variable

if TYPE_CHECKING:
    from caudal.engine.engine import Engine
    from tests.conftest import Record


@pytest.mark.parametrize(
    "value",
    ["text", "", "grüße", 7, 2.5, True, None, [1, "a", None], {"a": {"b": [True]}}, 2**70],
)  # fmt: skip
@pytest.mark.usefixtures("engine")
def test_a_variable_comes_back_as_it_was_set(value: Any) -> None:
    """What JSON holds exactly is kept with its type."""
    made = Variable.set("limit", value, tags=["ops"])

    assert made == Variable("limit", value, ["ops"])
    kept = Variable.get("limit", default="nothing")
    assert (kept, type(kept)) == (value, type(value))


@pytest.mark.usefixtures("engine")
def test_a_missing_variable_is_its_default() -> None:
    """Without a default it is None."""
    assert Variable.get("limit") is None
    assert Variable.get("limit", 5) == 5
    assert Variable.unset("limit") is False


@pytest.mark.usefixtures("engine")
def test_a_variable_is_replaced_only_when_asked() -> None:
    """Overwriting changes value and tags; without it the value that is there stays."""
    Variable.set("limit", 1, tags=["a"])
    with pytest.raises(ObjectAlreadyExists, match="overwrite=True"):
        Variable.set("limit", 2)
    assert Variable.get("limit") == 1

    Variable.set("limit", 3, overwrite=True)

    (read,) = get_client().read_variables()
    assert (read.value, read.tags) == (3, [])
    assert read.created is not None
    assert read.updated is not None
    assert read.created < read.updated


@pytest.mark.usefixtures("engine")
def test_an_unset_variable_is_gone() -> None:
    """Its name is free again."""
    Variable.set("limit", 1)
    assert Variable.unset("limit") is True
    assert Variable.get("limit") is None
    Variable.set("limit", 2)
    assert Variable.get("limit") == 2


@pytest.mark.parametrize("name", ["", "Limit", "a b", "größe", "a/b", "x" * 256, "a\n"])
@pytest.mark.usefixtures("engine")
def test_names_are_plain(name: str) -> None:
    """Names never need quoting anywhere; what is wrong with one is said."""
    with pytest.raises(InvalidNameError, match="lower-case letters"):
        Variable.set(name, 1)


@pytest.mark.parametrize(
    "value", [(1, 2), {1: 2}, float("nan"), float("inf"), b"x", {"a": {3}}, object()]
)
@pytest.mark.usefixtures("engine")
def test_values_that_json_would_change_are_refused(value: object) -> None:
    """A tuple would come back as a list, and NaN is no JSON."""
    with pytest.raises(InvalidValueError, match="what JSON holds exactly"):
        Variable.set("limit", value)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidValueError):
        Variable.set("limit", circle)


@pytest.mark.usefixtures("engine")
def test_of_many_that_set_a_variable_one_succeeds() -> None:
    """Without ``overwrite`` it is a way to be the first."""

    def claim(number: int) -> int:
        try:
            Variable.set("leader", number)
        except ObjectAlreadyExists:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(24))) == 1


def test_flows_and_tasks_share_variables(record: Record) -> None:
    """What a task sets is seen by its flow, and its event names the run that set it."""

    @task
    def choose() -> None:
        Variable.set("limit", 4)

    @flow
    def ask() -> Any:
        choose.submit().wait()
        return Variable.get("limit")

    assert ask() == 4
    (event,) = [
        event for event in record._engine.ledger.events() if event.kind == "variable"
    ]
    assert event.flow_run_id == record.flow().id.bytes
    assert event.task_run_id == record.task("choose").id.bytes
    assert decode_document_change(event.payload).data == 4


def test_a_variable_is_durable_when_it_was_set(engine: Engine) -> None:
    """Another process sees it at once, before the flow that set it has ended."""
    seen: list[Any] = []

    @flow
    def set_limit() -> None:
        Variable.set("limit", 9)
        other = open_ledger(engine.settings)
        seen.extend(row.data for row in other.documents.latest("variable"))
        other.close()

    set_limit()
    assert seen == [9]


def test_a_run_that_was_taken_over_sets_nothing(engine: Engine) -> None:
    """A process that lost its flow run changes no variable for it."""

    @flow
    def set_limit() -> None:
        engine.journal.barrier().wait()
        engine.ledger.claim(
            UUID(str(runtime.flow_run.id)).bytes, bytes(16), 0.0, lambda _: False
        )
        Variable.set("limit", 9)

    with pytest.raises(LeaseLostError):
        set_limit()
    assert Variable.get("limit") is None


@pytest.mark.usefixtures("engine")
def test_twins_are_awaited() -> None:
    """The names with an ``a`` always return awaitables, the others where the caller can await."""

    async def use() -> list[Any]:
        await Variable.aset("limit", 1)
        await Variable.set("limit", 2, overwrite=True)  # type: ignore[misc]
        found = [await Variable.aget("limit"), await Variable.get("limit")]  # type: ignore[misc]
        return [*found, await Variable.aunset("limit"), await Variable.aget("limit", 0)]

    assert asyncio.run(use()) == [2, 2, True, 0]


@pytest.mark.usefixtures("engine")
def test_a_client_lists_variables_by_name() -> None:
    """Pages continue after a name, and what is not there is an error."""
    for name in "cab":
        Variable.set(name, name)
    client = get_client()

    assert [each.name for each in client.read_variables()] == ["a", "b", "c"]
    assert [each.name for each in client.read_variables(1, after="a")] == ["b"]
    found = client.read_variable_by_name("c")
    assert found is not None
    assert found.value == "c"
    client.delete_variable_by_name("c")
    assert client.read_variable_by_name("c") is None
    with pytest.raises(ObjectNotFound, match="caudal variable ls"):
        client.delete_variable_by_name("c")
