"""Assets: which are recorded, with what, and what they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, get_client, task
from caudal.assets import (
    Asset,
    AssetProperties,
    MaterializingTask,
    add_asset_metadata,
    materialize,
)
from caudal.cache_policies import INPUTS
from caudal.exceptions import (
    AssetNotMadeError,
    InvalidNameError,
    InvalidValueError,
    MissingContextError,
    ObjectNotFound,
)
from caudal.task_runners import ProcessPoolTaskRunner

if TYPE_CHECKING:
    from caudal.model.views import AssetMaterialization
    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")

RAW = Asset(
    "s3://lake/raw.csv",
    AssetProperties(name="Raw sales", owners=["ops"], description="As they came."),
)
CLEAN, MART, OTHER = "s3://lake/clean.csv", "db://shop/mart", "s3://lake/other.csv"


@materialize(RAW, by="fetcher")
def fetch() -> list[int]:
    """Make the raw asset."""
    add_asset_metadata(RAW, {"rows": 3})
    return [1, 2, 3]


@materialize(CLEAN)
def clean(rows: list[int]) -> list[int]:
    """Make an asset out of rows."""
    return rows[1:]


@materialize(MART)
def total(rows: list[int]) -> int:
    """Make an asset out of rows."""
    return sum(rows)


@task
def double(rows: list[int]) -> list[int]:
    """Make no asset."""
    return [2 * row for row in rows]


def recorded(key: str | Asset) -> AssetMaterialization:
    """Return the newest materialization of an asset."""
    text = key if isinstance(key, str) else key.key
    return get_client().read_asset_materializations(text)[0]


def upstream() -> dict[str, list[str]]:
    """Return what each asset was made of, by key."""
    return {each.key: each.upstream for each in get_client().read_assets()}


def test_a_materialization_tells_of_its_asset_and_run(record: Record) -> None:
    """Properties, metadata, tool and runs are on record."""

    @flow
    def nightly() -> None:
        fetch()

    nightly()

    made = recorded(RAW)
    assert (made.key, made.status, made.by) == (RAW.key, "succeeded", "fetcher")
    assert made.properties == {
        "name": "Raw sales",
        "description": "As they came.",
        "owners": ["ops"],
    }
    assert made.metadata == {"rows": 3}
    assert made.upstream == []
    assert made.flow_run_id == record.flow().id
    assert made.task_run_id == record.task("fetch").id


def test_what_assets_were_made_of_comes_through_futures() -> None:
    """Runs that make no asset pass on what they were given."""

    @flow
    def nightly() -> None:
        raw = fetch.submit()
        doubled = double.submit(clean.submit(raw))
        total.submit(double.submit(doubled)).wait()

    nightly()

    assert upstream() == {RAW.key: [], CLEAN: [RAW.key], MART: [CLEAN]}


def test_it_comes_through_results_and_waits_too() -> None:
    """Results passed on as plain values, and futures that are waited for, tell the same."""

    @flow
    def nightly() -> None:
        cleaned = clean(fetch())
        other = materialize(OTHER, name="other")(lambda: 1)
        total(cleaned, wait_for=[other.submit()])

    nightly()

    assert upstream() == {RAW.key: [], CLEAN: [RAW.key], MART: [CLEAN, OTHER], OTHER: []}  # fmt: skip


def test_dependencies_can_be_declared() -> None:
    """``asset_deps`` adds to what the inputs tell, for tasks that make assets and for those that only read them."""

    @task(asset_deps=[OTHER])
    def read() -> list[int]:
        return [1]

    @materialize(MART, asset_deps=[RAW])
    def make(rows: list[int]) -> None:
        del rows

    @flow
    def nightly() -> None:
        make(read())

    nightly()

    assert upstream() == {MART: [OTHER, RAW.key]}


def test_one_task_may_make_several_assets() -> None:
    """Each has its own metadata, and all have the same upstream."""

    @materialize(CLEAN, OTHER)
    def split(rows: list[int]) -> None:
        Asset(CLEAN).add_metadata({"rows": len(rows)})
        add_asset_metadata(CLEAN, {"size": {"kB"}})

    @flow
    def nightly() -> None:
        split(fetch())

    nightly()

    assert upstream() == {RAW.key: [], CLEAN: [RAW.key], OTHER: [RAW.key]}
    assert recorded(CLEAN).metadata == {"rows": 3, "size": ["kB"]}
    assert recorded(OTHER).metadata == {}


def test_a_failed_run_says_so_once() -> None:
    """Of a run that is retried only its end counts; what failed stays on record after a success."""
    fails = [True, True, True, False]

    @materialize(RAW, retries=1)
    def shaky() -> None:
        if fails.pop(0):
            raise ValueError("not yet")

    @flow
    def nightly() -> None:
        shaky()

    with pytest.raises(ValueError, match="not yet"):
        nightly()
    nightly()

    history = get_client().read_asset_materializations(RAW.key)
    assert [each.status for each in history] == ["succeeded", "failed"]


def test_a_cached_run_makes_no_asset() -> None:
    """Nothing was made, but what follows still knows what it was made of."""

    @materialize(RAW, cache_policy=INPUTS)
    def cached(day: int) -> list[int]:
        return [day]

    @flow
    def nightly() -> None:
        clean(cached.submit(1))

    nightly()
    nightly()

    client = get_client()
    assert len(client.read_asset_materializations(RAW.key)) == 1
    history = client.read_asset_materializations(CLEAN)
    assert [each.upstream for each in history] == [[RAW.key]] * 2


def test_runs_that_do_not_end_well_or_badly_make_nothing() -> None:
    """A run whose input failed was not started, so it is not on record as a materialization."""

    @task
    def broken() -> list[int]:
        raise ValueError("no")

    @flow
    def nightly() -> None:
        clean.submit(broken.submit()).wait()

    nightly()

    assert upstream() == {}


def test_a_mapped_task_makes_its_asset_each_time() -> None:
    """Every run counts."""

    @flow
    def nightly() -> None:
        total.map([[1], [2], [3]]).wait()

    nightly()
    assert len(get_client().read_asset_materializations(MART)) == 3


def test_tasks_outside_of_flows_make_assets() -> None:
    """They are linked to no flow run."""
    total([1])
    assert recorded(MART).flow_run_id is None
    assert recorded(MART).task_run_id is not None


@materialize(RAW)
def fetch_in_process() -> list[int]:
    """Make an asset, in a worker process."""
    add_asset_metadata(RAW.key, {"rows": 4})
    return [1, 2, 3, 4]


def test_tasks_in_processes_make_assets() -> None:
    """Metadata travels back to the process of the flow."""

    @flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
    def nightly() -> None:
        clean.submit(fetch_in_process.submit()).wait()

    nightly()

    assert recorded(RAW).metadata == {"rows": 4}
    assert upstream() == {RAW.key: [], CLEAN: [RAW.key]}


def test_async_tasks_make_assets() -> None:
    """A coroutine function can be decorated like any other."""

    @materialize(RAW)
    async def make() -> None:
        add_asset_metadata(RAW, {"rows": 1})

    @flow
    def nightly() -> None:
        make.submit().wait()

    nightly()
    assert recorded(RAW).metadata == {"rows": 1}


@pytest.mark.parametrize(
    "key",
    ["", "raw", "S3://lake/raw", "s3:/lake", "s3://", "s3://a b", "s3://a?b", "s3://a\n", "s3://" + "x" * 508],
)  # fmt: skip
def test_keys_are_addresses(key: str) -> None:
    """The rules are Prefect's."""
    with pytest.raises(InvalidNameError, match="s3://bucket/folder"):
        Asset(key)
    with pytest.raises(InvalidNameError):
        materialize(key)(fetch.fn)
    with pytest.raises(InvalidNameError):
        task(asset_deps=[key])(fetch.fn)


def test_misuse_is_said_where_it_is_written() -> None:
    """A decorator without assets, and a description without end, are refused."""
    with pytest.raises(TypeError, match="needs the assets"):
        materialize()
    with pytest.raises(TypeError, match="needs the assets"):
        materialize(double.fn)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="2500"):
        AssetProperties(description="x" * 2501)


def test_metadata_belongs_to_assets_that_the_task_makes() -> None:
    """Elsewhere the call is an error that names what the task makes."""

    @materialize(RAW)
    def wrong() -> None:
        add_asset_metadata(OTHER, {})

    @task
    def none() -> None:
        add_asset_metadata(RAW, {})

    @flow
    def nightly(which: Any) -> None:
        which()

    with pytest.raises(AssetNotMadeError, match=r"s3://lake/raw\.csv"):
        nightly(wrong)
    with pytest.raises(AssetNotMadeError, match="makes no assets"):
        nightly(none)
    with pytest.raises(MissingContextError):
        add_asset_metadata(RAW, {})


def test_a_materializing_task_is_a_task() -> None:
    """Options change it like any other, and its assets stay unless others are given."""
    renamed = fetch.with_options(name="other", retries=2)
    moved = fetch.with_options(assets=[OTHER])

    assert isinstance(renamed, MaterializingTask)
    assert renamed.spec.assets == fetch.spec.assets
    assert list(moved.spec.assets.made) == [OTHER]
    assert (moved.assets, moved.materialized_by) == ([Asset(OTHER)], "fetcher")


def test_assets_are_values() -> None:
    """They can be kept in sets, and show their key."""
    assert {Asset(OTHER), Asset(OTHER)} == {Asset(key=OTHER)}
    assert repr(RAW) == "Asset(key='s3://lake/raw.csv')"


def test_a_client_lists_assets_by_key() -> None:
    """The newest materialization of each; history is newest first; what is not there is an error."""
    for _ in range(2):
        total([1])
    fetch()
    client = get_client()

    assert [each.key for each in client.read_assets()] == [MART, RAW.key]
    assert [each.key for each in client.read_assets(after=MART)] == [RAW.key]
    newest, older = client.read_asset_materializations(MART)
    assert newest.created > older.created
    (rest,) = client.read_asset_materializations(MART, before=newest.id)
    assert rest == older
    with pytest.raises(ObjectNotFound, match="caudal asset ls"):
        client.read_asset_materializations(OTHER)


def test_metadata_are_facts_by_name() -> None:
    """Anything but a dict is refused where it is given."""

    @materialize(RAW)
    def make() -> None:
        add_asset_metadata(RAW, 5)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="a dict of facts by name, not 5"):
        make()


def test_the_tool_is_an_option_like_others() -> None:
    """It can be changed, and stays when others are."""
    changed = fetch.with_options(by="me")
    assert (fetch.materialized_by, changed.materialized_by) == ("fetcher", "me")
    assert changed.with_options(retries=1).materialized_by == "me"
