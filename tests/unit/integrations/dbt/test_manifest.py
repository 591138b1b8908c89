"""Reading dbt's manifest, and what it says of tests and skipped nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caudal.integrations.dbt.checks import check_result
from caudal.integrations.dbt.events import parse_line
from caudal.integrations.dbt.manifest import Manifest, parse_manifest
from caudal.model.checks import CheckStatus, Severity


def read(manifest: dict[str, Any]) -> Manifest:
    """Return a manifest given as JSON values."""
    return parse_manifest(json.dumps(manifest).encode())


def test_parents_pass_through_ephemeral_models(lines: Any) -> None:
    """A model that is no table stands for what it reads."""
    content = lines.manifest(raw=[], between=["raw"], mart=["between"])
    content["nodes"]["model.shop.between"]["config"]["materialized"] = "ephemeral"

    assert list(read(content).parents("model.shop.mart")) == ["model.shop.raw"]


def test_a_skipped_node_names_what_failed_further_up(lines: Any) -> None:
    """Skipped nodes on the way are not the cause."""
    manifest = read(lines.manifest(a=[], b=["a"], c=["b"]))

    causes = manifest.causes("model.shop.c", ["model.shop.a"], ["model.shop.b"])

    assert causes == ["model.shop.a"]


def test_a_failed_test_of_a_parent_is_a_cause(lines: Any) -> None:
    """A model is skipped when a test of what it reads failed."""
    manifest = read(lines.manifest(a=[], b=["a"]))
    test = "test.shop.not_null_a_id.0a1b2c"

    assert manifest.causes("model.shop.b", [test], []) == [test]


def test_a_failed_unit_test_is_the_cause_for_its_own_model(lines: Any) -> None:
    """Unit tests are run before the model they test."""
    content = lines.manifest(a=[])
    unit_test = "unit_test.shop.a.adds_up"
    content["parent_map"][unit_test] = ["model.shop.a"]

    assert read(content).causes("model.shop.a", [unit_test], []) == [unit_test]


def test_a_singular_test_belongs_to_the_first_model_it_reads(lines: Any) -> None:
    """A test of one's own has no attached node."""
    content = lines.manifest(a=[])
    content["sources"]["source.shop.raw.t"] = {
        "name": "t",
        "schema": "raw",
        "identifier": "t_2026",
    }
    reads = ["source.shop.raw.t", "model.shop.a"]
    content["nodes"]["test.shop.sums"] = {"depends_on": {"nodes": reads}}
    content["nodes"]["test.shop.rows"] = {"depends_on": {"nodes": reads[:1]}}
    content["nodes"]["test.shop.none"] = {}
    manifest = read(content)

    assert manifest.tested("test.shop.sums") == "model.shop.a"
    assert manifest.tested("test.shop.rows") == "source.shop.raw.t"
    assert manifest.tested("test.shop.none") is None
    assert manifest.tested("test.shop.unknown") is None
    source = manifest.find("source.shop.raw.t")
    assert source is not None
    assert source.asset == "raw.t_2026"


@pytest.mark.parametrize(
    ("status", "expected", "failures", "rows"),
    [
        ("pass", CheckStatus.PASS, 0, 0),
        ("warn", CheckStatus.WARN, 2, 2),
        ("fail", CheckStatus.FAIL, 2, 2),
        ("error", CheckStatus.ERROR, 0, None),
        ("skipped", CheckStatus.SKIPPED, 0, None),
        ("runtime error", CheckStatus.ERROR, 0, None),
    ],
)
def test_a_data_test_becomes_a_check_of_its_table(
    lines: Any, status: str, expected: CheckStatus, failures: int, rows: int | None
) -> None:
    """A check says which table, which column and how many rows; one that was not run counted none."""
    line = lines.finish("test.shop.not_null_a_id.0a1b2c", status, num_failures=failures)
    ended: Any = parse_line(line.encode())

    check = check_result(ended, read(lines.manifest(a=[])), "Got 2 results")

    assert (check.asset, check.check) == ("main.a", "not_null_a_id")
    assert (check.kind, check.column, check.engine) == ("not_null", "id", "dbt")
    assert (check.status, check.failed_rows) == (expected, rows)
    assert check.severity is Severity.ERROR
    assert check.message == "Got 2 results"


def test_severity_is_what_the_test_declares(lines: Any) -> None:
    """A test of severity warn is one, whether it passed or not."""
    content = lines.manifest(a=[])
    test = "test.shop.not_null_a_id.0a1b2c"
    content["nodes"][test]["config"]["severity"] = "warn"
    ended: Any = parse_line(lines.finish(test, "pass").encode())

    assert check_result(ended, read(content), None).severity is Severity.WARN


@pytest.mark.parametrize(
    ("status", "severity"), [("fail", Severity.ERROR), ("warn", Severity.WARN)]
)
def test_without_a_manifest_a_check_is_named_by_the_test(
    lines: Any, status: str, severity: Severity
) -> None:
    """What the log alone says is enough for a check."""
    test = "test.shop.sums"
    ended: Any = parse_line(lines.finish(test, status, num_failures=1).encode())

    check = check_result(ended, Manifest(), None)

    assert (check.asset, check.check, check.kind) == (test, "sums", "singular")
    assert (check.severity, check.observed) == (severity, "1 row")
