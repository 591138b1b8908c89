"""``caudal artifact`` and ``caudal variable``: what was kept beside the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow
from caudal.artifacts import Artifact, create_markdown_artifact, create_table_artifact
from caudal.assets import Asset, AssetProperties, add_asset_metadata, materialize
from caudal.blocks.system import Secret
from caudal.exceptions import BlockNotFound, ObjectNotFound, SettingError
from caudal.settings import load_settings
from caudal.variables import Variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

pytestmark = pytest.mark.usefixtures("engine")

Succeed = Callable[..., str] if TYPE_CHECKING else Any


def test_variables_are_set_listed_read_and_unset(succeed: Succeed) -> None:
    """Values are read as JSON where they are JSON; lists are by name."""
    succeed("variable", "set", "limit", "7", "--tag", "ops", "--tag", "dev")
    succeed("variable", "set", "city", "Köln")
    succeed("variable", "set", "factor", "NaN")

    assert Variable.get("limit") == 7
    assert succeed("variable", "get", "city") == "Köln\n"
    assert succeed("variable", "get", "limit") == "7\n"
    assert Variable.get("factor") == "NaN"
    lines = succeed("variable", "ls").splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "city", "factor", "limit"]
    listed = json.loads(succeed("variable", "ls", "--output", "json"))
    assert [(each["name"], each["value"]) for each in listed] == [
        ("city", "Köln"),
        ("factor", "NaN"),
        ("limit", 7),
    ]
    inspected = json.loads(succeed("variable", "inspect", "limit", "-o", "json"))
    assert inspected == listed[2]
    assert inspected["tags"] == ["ops", "dev"]
    assert inspected["created_at"].endswith("+00:00")
    assert "ops, dev" in succeed("variable", "inspect", "limit")
    succeed("variable", "unset", "limit")
    assert Variable.get("limit") is None


def test_a_variable_is_replaced_only_with_overwrite(
    invoke: Callable[..., Result], succeed: Succeed
) -> None:
    """The message names the option, not the function's argument."""
    succeed("variable", "set", "limit", "1")

    refused = invoke("variable", "set", "limit", "2")

    assert refused.exit_code == 2
    assert "--overwrite" in refused.output
    succeed("variable", "set", "limit", "[2]", "--overwrite")
    assert Variable.get("limit") == [2]


def test_long_values_are_cut_in_lists_alone(succeed: Succeed) -> None:
    """A list stays readable; ``get`` prints everything."""
    Variable.set("text", "x" * 500)

    assert "x" * 57 + "..." in succeed("variable", "ls")
    assert succeed("variable", "get", "text") == "x" * 500 + "\n"


@pytest.mark.parametrize(
    "command",
    [
        ("variable", "get", "nothing"),
        ("variable", "inspect", "nothing"),
        ("variable", "unset", "nothing"),
        ("artifact", "inspect", "nothing"),
        ("artifact", "delete", "nothing"),
    ],
)
def test_what_is_not_there_is_an_error(
    invoke: Callable[..., Result], command: tuple[str, ...]
) -> None:
    """The error says what was looked for."""
    with pytest.raises(ObjectNotFound, match="nothing"):
        invoke(*command)


def test_lists_are_empty_at_first(invoke: Callable[..., Result]) -> None:
    """Nothing is an empty list for programs and a sentence for people."""
    for group in ("variable", "artifact"):
        assert "There are no" in invoke(group, "ls").stderr
        assert json.loads(invoke(group, "ls", "-o", "json").stdout) == []


def test_artifacts_are_listed_and_inspected(succeed: Succeed) -> None:
    """A list has the newest version of each key; ``--all`` has every one."""
    create_markdown_artifact("day 1", key="report")
    create_markdown_artifact("day 2", key="report", description="the second")
    create_table_artifact([{"a": 1}])

    (latest,) = json.loads(succeed("artifact", "ls", "--output", "json"))
    assert (latest["key"], latest["data"]) == ("report", "day 2")
    every = json.loads(succeed("artifact", "ls", "--all", "-o", "json"))
    assert [each["key"] for each in every] == [None, "report", "report"]
    assert "report" in succeed("artifact", "ls")
    shown = succeed("artifact", "inspect", "report")
    assert shown.index("day 2") < shown.index("day 1")
    assert "the second" in shown
    (newest,) = json.loads(
        succeed("artifact", "inspect", "report", "--limit", "1", "-o", "json")
    )
    assert newest == latest


def test_artifacts_are_deleted_by_key_and_by_id(
    invoke: Callable[..., Result], succeed: Succeed
) -> None:
    """A key means all its versions, an id one; neither or both is wrong usage."""
    create_markdown_artifact("day 1", key="report")
    second = create_markdown_artifact("day 2", key="report")
    create_markdown_artifact("other", key="other")

    succeed("artifact", "delete", "--id", second)
    left = Artifact.get("report")
    assert left is not None
    assert left.data == "day 1"
    succeed("artifact", "delete", "report")
    assert Artifact.get("report") is None
    assert Artifact.get("other") is not None
    assert invoke("artifact", "delete").exit_code == 2
    assert invoke("artifact", "delete", "other", "--id", str(second)).exit_code == 2


def test_blocks_are_listed_and_inspected_without_their_secrets(
    succeed: Succeed, invoke: Callable[..., Result]
) -> None:
    """Nothing that the command line prints shows a secret."""
    assert "There are no blocks" in invoke("block", "ls").stderr
    block_id = Secret(value="geheimes-wort").save("api-key")

    listed = json.loads(succeed("block", "ls", "--output", "json"))
    assert [(each["type"], each["name"]) for each in listed] == [("secret", "api-key")]
    by_name = succeed("block", "inspect", "secret/api-key", "-o", "json")
    assert json.loads(by_name) == listed[0]
    assert listed[0]["data"] == {"value": "********"}
    shown = succeed("block", "inspect", "--id", block_id)
    assert "********" in shown
    assert "secret/api-key" in succeed("block", "ls")
    assert "geheim" not in shown + by_name
    types = json.loads(succeed("block", "type", "ls", "-o", "json"))
    assert {each["slug"]: each["blocks"] for each in types} == {
        "local-file-system": 0, "remote-file-system": 0, "secret": 1,
    }  # fmt: skip
    assert succeed("block", "type", "ls").split()[-2:] == ["secret", "1"]


def test_blocks_are_deleted_by_name_and_by_id(
    succeed: Succeed, invoke: Callable[..., Result]
) -> None:
    """Neither or both is wrong usage; what is not there is an error."""
    Secret(value="x").save("a")
    second = Secret(value="x").save("b")

    succeed("block", "delete", "secret/a")
    succeed("block", "delete", "--id", second)

    assert json.loads(succeed("block", "ls", "-o", "json")) == []
    assert invoke("block", "delete").exit_code == 2
    with pytest.raises(BlockNotFound, match="secret/a"):
        invoke("block", "delete", "secret/a")


@materialize(Asset("s3://lake/raw.csv", AssetProperties(name="Raw", owners=["ops"])))
def fetch() -> list[int]:
    """Make an asset."""
    add_asset_metadata("s3://lake/raw.csv", {"rows": 2})
    return [1, 2]


@materialize("db://shop/mart", by="dbt")
def build(rows: list[int]) -> None:
    """Make an asset, or fail."""
    if not rows:
        raise ValueError("no rows")


def test_assets_are_listed_and_inspected(
    succeed: Succeed, invoke: Callable[..., Result]
) -> None:
    """A list has the last materialization of each asset; an asset shows all of them."""
    assert "There are no assets" in invoke("asset", "ls").stderr

    @flow
    def nightly() -> None:
        build(fetch())

    nightly()
    build([], return_state=True)

    listed = json.loads(succeed("asset", "ls", "--output", "json"))
    assert [(each["key"], each["status"]) for each in listed] == [
        ("db://shop/mart", "failed"),
        ("s3://lake/raw.csv", "succeeded"),
    ]
    text = succeed("asset", "ls")
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        each["key"] for each in listed
    ]
    history = json.loads(succeed("asset", "inspect", "db://shop/mart", "-o", "json"))
    assert [each["upstream"] for each in history] == [[], ["s3://lake/raw.csv"]]
    assert history[0] == listed[0]
    shown = succeed("asset", "inspect", "s3://lake/raw.csv")
    for part in ("Raw", '["ops"]', '{"rows": 2}', "succeeded"):
        assert part in shown
    assert "dbt" in succeed("asset", "inspect", "db://shop/mart", "--limit", "1")
    with pytest.raises(ObjectNotFound, match="s3://lake/none"):
        invoke("asset", "inspect", "s3://lake/none")


def test_the_key_for_secrets_is_masked_and_kept_out_of_profiles(
    succeed: Succeed, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lists the settings does not see it, and no file that is shown holds it."""
    key = "x3dVJ1mBMeZ7fP0Wn3cGvFm2Fq8yq4eVZ4m1wK3H4bA="
    with pytest.raises(SettingError, match="CAUDAL_ENCRYPTION_KEY") as caught:
        invoke("config", "set", f"encryption_key={key}")
    assert key not in str(caught.value)
    monkeypatch.setenv("CAUDAL_ENCRYPTION_KEY", key)

    for shown in (succeed("config", "view"), succeed("config", "view", "-o", "json")):
        assert key not in shown
        assert "********" in shown
    assert key not in repr(load_settings())
