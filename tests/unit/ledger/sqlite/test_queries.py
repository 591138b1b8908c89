"""Every statement is valid and used, and the hot ones walk an index."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caudal.ledger.documents import DocumentFilter
from caudal.ledger.port import RunFilter
from caudal.ledger.sqlite import SqliteLedger
from caudal.ledger.sqlite import ledger as ledger_module
from caudal.ledger.sqlite.queries import load_queries, split_script
from caudal.model.search import Condition, Order, Relation, Where
from caudal.testing.samples import SampleRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ID = bytes(16)

#: Reads, and for each statement they run the index that serves it.
PLANS: list[tuple[Callable[[SqliteLedger], object], list[str]]] = [
    (lambda it: it.flow_run(ID), ["SEARCH flow_run USING INDEX sqlite_autoindex_flow_run_1 (id=?)"]),
    (lambda it: it.inputs.get(ID, "k"), ["SEARCH run_input USING INDEX run_input_by_key (flow_run_id=? AND key=?)"]),
    (lambda it: it.inputs.find(ID, "k", since=5), ["SEARCH run_input USING INDEX run_input_by_flow_run (flow_run_id=? AND rowid>?)"]),
    (lambda it: it.control.asked(ID), ["SEARCH flow_run USING INDEX flow_run_asked (owner=?)"]),
    (lambda it: it.search.flow_runs(Where(), Order("started_at")), ["SCAN flow_run USING INDEX flow_run_by_start"]),
    (lambda it: it.search.flow_runs(Where(), Order(), after=ID), ["SEARCH flow_run USING INDEX sqlite_autoindex_flow_run_1 (id<?)"]),
    (
        lambda it: it.search.flow_runs(Where((Condition("state_type", Relation.IN, ("FAILED",)),)), Order(), after=ID),
        ["SEARCH flow_run USING INDEX flow_run_by_state (state_type=? AND id<?)"],
    ),
    (lambda it: it.search.task_runs(Where((Condition("name", Relation.CONTAINS, "x"),)), Order(descending=False)), ["SCAN task_run"]),
    (lambda it: it.task_run(ID), ["SEARCH task_run USING PRIMARY KEY (id=?)"]),
    (lambda it: it.flow_runs(RunFilter()), ["SCAN flow_run USING INDEX sqlite_autoindex_flow_run_1"]),
    (lambda it: it.flow_runs(RunFilter(), before=ID), ["SEARCH flow_run USING INDEX sqlite_autoindex_flow_run_1 (id<?)"]),
    (lambda it: it.flow_runs(RunFilter(of="f")), ["SEARCH flow_run USING INDEX flow_run_by_flow (flow_name=?)"]),
    (lambda it: it.flow_runs(RunFilter(of="f"), before=ID), ["SEARCH flow_run USING INDEX flow_run_by_flow (flow_name=? AND id<?)"]),
    (lambda it: it.flow_runs(RunFilter(name="n")), ["SEARCH flow_run USING INDEX flow_run_by_name (name=?)"]),
    (lambda it: it.flow_runs(RunFilter(flow_run_id=ID)), ["SEARCH flow_run USING INDEX flow_run_by_parent (parent_flow_run_id=?)"]),
    (lambda it: it.flow_runs(RunFilter(("FAILED", "CRASHED"))), ["SEARCH flow_run USING INDEX flow_run_by_state (state_type=?)"] * 2),
    (lambda it: it.flow_runs(RunFilter(("FAILED",)), before=ID), ["SEARCH flow_run USING INDEX flow_run_by_state (state_type=? AND id<?)"]),
    (lambda it: it.flow_runs(RunFilter((), ("Failed",))), ["SEARCH flow_run USING INDEX flow_run_by_state_name (state_name=?)"]),
    (lambda it: it.unfinished(), ["SEARCH flow_run USING INDEX flow_run_by_durable_key (durable_key>?)"]),
    (lambda it: it.unfinished("k"), ["SEARCH flow_run USING INDEX flow_run_by_durable_key (durable_key=?)"]),
    (lambda it: it.task_runs(RunFilter()), ["SCAN task_run"]),
    (lambda it: it.task_runs(RunFilter(), after=ID), ["SEARCH task_run USING PRIMARY KEY (id<?)"]),
    (lambda it: it.task_runs(RunFilter(flow_run_id=ID)), ["SEARCH task_run USING PRIMARY KEY (id>? AND id<?)"]),
    (lambda it: it.task_runs(RunFilter(flow_run_id=ID), after=ID), ["SEARCH task_run USING PRIMARY KEY (id>? AND id<?)"]),
    (lambda it: it.task_runs(RunFilter(of="t")), ["SCAN task_run"]),
    (lambda it: it.task_runs(RunFilter(name="n")), ["SCAN task_run"]),
    (lambda it: it.task_runs(RunFilter(("FAILED",))), ["SEARCH task_run USING INDEX task_run_by_state (state_type=?)"]),
    (lambda it: it.task_runs(RunFilter(("COMPLETED",))), ["SCAN task_run"]),
    (lambda it: it.task_runs(RunFilter((), ("TimedOut",))), ["SEARCH task_run USING INDEX task_run_by_state_name (state_name=?)"]),
    (
        lambda it: it.task_runs(RunFilter(("FAILED", "RUNNING"), flow_run_id=ID), after=ID),
        ["SEARCH task_run USING INDEX task_run_by_flow_run_and_state (flow_run_id=? AND state_type=? AND id>?)"] * 2,
    ),
    (
        lambda it: it.find_flow_runs("0198"),
        [
            "SEARCH flow_run USING INDEX flow_run_by_name (name=?)",
            "SEARCH flow_run USING INDEX sqlite_autoindex_flow_run_1 (id>? AND id<?)",
        ],
    ),
    (
        lambda it: it.find_task_runs("0198"),
        [
            "SEARCH task_run USING PRIMARY KEY (id>?)",
            "SCALAR SUBQUERY 2",
            "CO-ROUTINE (subquery-1)",
            "SCAN task_run",
            "SEARCH (subquery-1)",
            "SEARCH task_run USING PRIMARY KEY (id>? AND id<?)",
        ],
    ),
    (lambda it: it.events(since=5), ["SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"]),
    (lambda it: it.events(flow_run_id=ID), ["SEARCH event USING INDEX event_by_flow_run (flow_run_id=? AND rowid>?)"]),
    (lambda it: it.changes(ID), ["SEARCH event USING INDEX event_by_flow_run (flow_run_id=?)"]),
    (lambda it: it.changes(None, ID), ["SEARCH event USING INDEX event_by_flow_run (flow_run_id=?)"]),
    (lambda it: it.logs(), ["SEARCH log USING INTEGER PRIMARY KEY (rowid>?)"]),
    (lambda it: it.logs(flow_run_id=ID), ["SEARCH log USING INDEX log_by_flow_run (flow_run_id=? AND rowid>?)"]),
    (lambda it: it.logs(task_run_id=ID), ["SEARCH log USING INDEX log_by_task_run (task_run_id=? AND rowid>?)"]),
    (lambda it: it.logs(flow_run_id=ID, task_run_id=ID), ["SEARCH log USING INDEX log_by_task_run (task_run_id=? AND rowid>?)"]),
    (lambda it: it.checks(ID), ["SEARCH check_result USING INDEX check_result_by_flow_run (flow_run_id=?)"]),
    (lambda it: it.documents.get(ID), ["SEARCH document USING INDEX sqlite_autoindex_document_1 (id=?)"]),
    (lambda it: it.documents.find(DocumentFilter("artifact")), ["SEARCH document USING INDEX document_by_kind (kind=?)"]),
    (lambda it: it.documents.find(DocumentFilter("artifact", "k"), before=ID), ["SEARCH document USING INDEX document_by_key (kind=? AND key=? AND id<?)"]),
    (lambda it: it.documents.find(DocumentFilter("artifact", flow_run_id=ID)), ["SEARCH document USING INDEX document_by_flow_run (flow_run_id=?)"]),
    (lambda it: it.documents.find(DocumentFilter("artifact", task_run_id=ID)), ["SEARCH document USING INDEX document_by_task_run (task_run_id=?)"]),
    (lambda it: it.result("k"), ["SEARCH result USING INDEX sqlite_autoindex_result_1 (key=?)"]),
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """An empty ledger."""
    with closing(SqliteLedger(tmp_path / "caudal.db")) as ledger:
        yield ledger


@pytest.mark.parametrize(("read", "expected"), PLANS)
def test_reads_walk_an_index_and_never_sort(
    ledger: SqliteLedger,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[SqliteLedger], object],
    expected: list[str],
) -> None:
    """Each statement is served by the index meant for it, in order, whatever the size of the history."""
    plans: list[str] = []
    run = ledger._database.read

    def explain(statement: str, values: Any = ()) -> list[Any]:
        plans.extend(row[3] for row in run(f"EXPLAIN QUERY PLAN {statement}", values))
        return []

    monkeypatch.setattr(ledger._database, "read", explain)
    read(ledger)
    assert expected == plans


def test_the_newest_of_each_key_is_found_by_jumps(ledger: SqliteLedger) -> None:
    """Neither finding the keys nor the newest document of each walks over the documents of a key."""
    rows = ledger._database._writer.execute(
        f"EXPLAIN QUERY PLAN {load_queries()['latest_documents']}",
        ("artifact", "", "artifact", 10, "artifact"),
    )
    plan = [row[3] for row in rows]

    assert [step for step in plan if step.startswith("SCAN document")] == []
    assert [step for step in plan if "document_by_key" in step] == [
        "SEARCH document USING COVERING INDEX document_by_key (kind=? AND key>?)",
        "SEARCH document USING COVERING INDEX document_by_key (kind=? AND key>?)",
        "SEARCH newest USING COVERING INDEX document_by_key (kind=? AND key=?)",
    ]


def test_a_sweep_and_a_claim_search(ledger: SqliteLedger) -> None:
    """Finding runs in hand and open task runs walks the small indexes made for it."""
    queries = load_queries()
    writer = ledger._database._writer

    def plan(name: str, *values: Any) -> str:
        rows = writer.execute(f"EXPLAIN QUERY PLAN {queries[name]}", values)
        return "; ".join(row[3] for row in rows)

    assert "USING INDEX flow_run_in_hand" in plan("flow_runs_in_hand")
    assert "USING INDEX task_run_by_flow_run_and_state" in plan("open_task_runs", ID)
    assert "USING INDEX limit_holder_by_name" in plan("holders_of_limits", "[]")
    assert "USING INDEX sqlite_autoindex_flow_run_1 (id=?)" in plan("fences", ID)
    assert "USING INDEX sqlite_autoindex_flow_run_1 (id=?)" in plan(
        "add_counts", ID, 1, 1, 1, 1
    )


def test_every_statement_is_valid_and_used(ledger: SqliteLedger) -> None:
    """Each one compiles against the schema, and the code names it."""
    sources = Path(ledger_module.__file__).parent.glob("*.py")
    text = "".join(source.read_text() for source in sources)
    names = set(re.findall(r'"([a-z_]+)"', text))
    queries = load_queries()
    assert queries.keys() <= names
    for text in queries.values():
        statement = text.format(
            where="TRUE", order="ASC", terms="id", direction="ASC", table="flow_run"
        )
        nothing = [None] * statement.count("?")
        ledger._database._writer.execute(f"EXPLAIN {statement}", nothing)


def test_a_batch_of_a_thousand_task_runs_is_a_handful_of_statements(
    ledger: SqliteLedger,
) -> None:
    """The number of statements, each of which gives up the interpreter lock, does not follow the number of rows."""
    run = SampleRun().start(ledger)
    statements: list[str] = []
    ledger._database._writer.set_trace_callback(statements.append)
    ledger.commit(run.batch(*(run.task("COMPLETED") for _ in range(1000))))
    ledger._database._writer.set_trace_callback(None)
    assert len(statements) <= 8


def test_a_sweep_with_nothing_to_do_takes_no_lock(ledger: SqliteLedger) -> None:
    """Looking for runs to close costs the writers nothing."""
    SampleRun().start(ledger, "COMPLETED")
    statements: list[str] = []
    ledger._database._writer.set_trace_callback(statements.append)
    assert not ledger.sweep(0.0, lambda _: True)
    assert not statements


def test_a_script_is_split_into_its_statements() -> None:
    """Comments are left out."""
    script = "-- one\nCREATE TABLE a (\n  b -- two; three\n);\n\nDROP TABLE a;\n"
    assert split_script(script) == ["CREATE TABLE a (\n  b\n)", "DROP TABLE a"]
