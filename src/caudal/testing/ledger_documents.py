"""What every ledger must do with artifacts, variables, blocks and assets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import urandom
from typing import TYPE_CHECKING, Any

from caudal.exceptions import LeaseLostError
from caudal.ledger.documents import DocumentFilter
from caudal.ledger.port import Batch
from caudal.ledger.replay import decode_document_change
from caudal.model.documents import DocumentChange, DocumentWrite
from caudal.model.ids import new_id
from caudal.model.runs import Fence
from caudal.testing.samples import SampleRun, moment, raised

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger
    from caudal.model.documents import Document, DocumentKind


def creation(
    kind: DocumentKind, key: str | None, data: Any = None, **facts: Any
) -> DocumentWrite:
    """Return the change that creates a document; facts are its type and the runs that make it."""
    at = moment()
    document_id = new_id(at, urandom(8)).hex()
    change = DocumentChange(
        document_id, "create", facts.pop("type", ""), key, "words", data, ["a", "b"]
    )
    return DocumentWrite(at, kind, change, **facts)


def next_of(
    write: DocumentWrite, action: Any = "change", **facts: Any
) -> DocumentWrite:
    """Return a later change of the document that a change creates."""
    change = DocumentChange(write.change.id, action, **facts)
    return DocumentWrite(moment(), write.kind, change)


def id_of(write: DocumentWrite) -> bytes:
    """Return the document that a change is about."""
    return bytes.fromhex(write.change.id)


def commit(ledger: Ledger, *writes: DocumentWrite) -> None:
    """Write changes in one batch."""
    batch = Batch()
    batch.documents.extend(writes)
    assert not ledger.commit(batch).refused


def keys(rows: Any) -> list[str | None]:
    """Return the keys of documents."""
    return [row.key for row in rows]


class DocumentConformance:
    """Documents are what their changes add up to, names are unique, and a process that lost a run changes nothing for it."""

    def test_a_document_holds_what_its_changes_say(self, ledger: Ledger) -> None:
        """A document has the fields of its creation, changed by what came later; every change is an event."""
        run = SampleRun().start(ledger)
        task_run_id = urandom(16)
        made = creation(
            "artifact", "report", {"größe": [1, None]}, type="table",
            flow_run_id=run.id, task_run_id=task_run_id,
        )  # fmt: skip
        changed = next_of(made, data=2.5, description=None)
        commit(ledger, made)
        commit(ledger, changed)
        row = ledger.documents.get(id_of(made))
        assert row is not None
        assert (row.kind, row.type, row.key) == ("artifact", "table", "report")
        assert (row.description, row.data, row.tags) == (None, 2.5, ["a", "b"])
        assert (row.flow_run_id, row.task_run_id) == (run.id, task_run_id)
        assert (row.created_at, row.updated_at) == (made.at, changed.at)
        events = [event for event in ledger.events() if event.kind == "artifact"]
        told = [decode_document_change(event.payload) for event in events]
        assert told == [made.change, changed.change]
        assert [event.flow_run_id for event in events] == [run.id, None]

    def test_one_batch_may_create_change_and_delete(self, ledger: Ledger) -> None:
        """The changes of a batch apply in order, and those of a document that is not there leave nothing."""
        kept, gone = creation("artifact", "kept", 1), creation("artifact", "gone", 1)
        missing = creation("artifact", "missing")
        commit(
            ledger, next_of(kept, data=0), kept, next_of(kept, data=2), gone,
            next_of(gone, "delete"), next_of(gone, data=3), next_of(missing, "delete"),
        )  # fmt: skip
        found = ledger.documents.find(DocumentFilter("artifact"))
        assert [(row.key, row.data) for row in found] == [("kept", 2)]
        told = [decode_document_change(event.payload) for event in ledger.events()]
        assert [change.action for change in told] == [
            "create",
            "change",
            "create",
            "delete",
        ]

    def test_a_document_of_a_lost_run_is_refused(self, ledger: Ledger) -> None:
        """What a process with an old fence sends for a flow run is left out; the rest of its batch is written."""
        run = SampleRun().start(ledger)
        stale = Fence(urandom(16), 1)
        batch = Batch()
        batch.add_document(creation("artifact", "stale", flow_run_id=run.id), stale)
        batch.add_document(creation("artifact", "free"), None)
        assert set(ledger.commit(batch).refused) == {run.id}
        assert keys(ledger.documents.find(DocumentFilter("artifact"))) == ["free"]

    def test_a_name_is_kept_once(self, ledger: Ledger) -> None:
        """A second document of a name changes the first when it may overwrite, and is nothing when it may not."""
        first = creation("variable", "limit", 1)
        second = creation("variable", "limit", 2)
        third = creation("variable", "limit", [3])
        made = ledger.documents.keep(first, overwrite=False)
        assert made == ledger.documents.get(id_of(first))
        assert ledger.documents.keep(second, overwrite=False) is None
        changed = ledger.documents.keep(third, overwrite=True)
        assert changed == ledger.documents.get(id_of(first))
        assert changed is not None
        assert (changed.data, changed.created_at) == ([3], first.at)
        assert ledger.documents.get(id_of(second)) is None
        assert [event.seq for event in ledger.events()] == [1, 2]

    def test_names_belong_to_a_kind_and_a_type(self, ledger: Ledger) -> None:
        """Blocks of two types and a variable may share a name."""
        writes = [
            creation("block", "shared", type="secret"),
            creation("block", "shared", type="webhook"),
            creation("variable", "shared"),
        ]
        for write in writes:
            assert ledger.documents.keep(write, overwrite=False) is not None
        found = ledger.documents.find(DocumentFilter("block", type="webhook"))
        assert [row.id for row in found] == [id_of(writes[1])]
        blocks = ledger.documents.find(DocumentFilter("block", "shared"))
        assert [row.type for row in blocks] == ["webhook", "secret"]

    def test_of_many_that_keep_a_name_one_succeeds(self, ledger: Ledger) -> None:
        """Without ``overwrite`` the first caller wins and the others learn that it did."""

        def keep(value: int) -> Document | None:
            write = creation("variable", "winner", value)
            return ledger.documents.keep(write, overwrite=False)

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(keep, range(16)))
        won = [row for row in outcomes if row is not None]
        assert won == list(ledger.documents.find(DocumentFilter("variable")))
        assert len(won) == 1

    def test_a_discarded_document_is_gone_and_its_name_free(
        self, ledger: Ledger
    ) -> None:
        """Deleting says whether there was something, and is an event that tells what went."""
        write = creation("variable", "limit", 1)
        ledger.documents.keep(write, overwrite=False)
        removal = next_of(write, "delete")
        assert ledger.documents.discard(removal) is True
        assert ledger.documents.discard(removal) is False
        assert ledger.documents.get(id_of(write)) is None
        told = decode_document_change(ledger.events()[-1].payload)
        assert (told.action, told.key) == ("delete", "limit")
        assert ledger.documents.keep(creation("variable", "limit"), overwrite=False)

    def test_a_process_that_lost_its_run_keeps_and_discards_nothing(
        self, ledger: Ledger
    ) -> None:
        """The fence of the flow run in charge counts for named documents too."""
        run = SampleRun().start(ledger)
        stale = Fence(urandom(16), run.attempt)
        write = creation("variable", "limit", 1, flow_run_id=run.id)
        documents = ledger.documents
        raised(
            LeaseLostError, lambda: documents.keep(write, overwrite=True, fence=stale)
        )
        assert documents.keep(write, overwrite=False, fence=run.fence) is not None
        removal = DocumentWrite(
            moment(), "variable", next_of(write, "delete").change, run.id
        )
        raised(LeaseLostError, lambda: documents.discard(removal, fence=stale))
        assert documents.get(id_of(write)) is not None
        assert documents.discard(removal, fence=run.fence)

    def test_lists_are_newest_first_and_filtered(self, ledger: Ledger) -> None:
        """Filters restrict a list, and a page continues after the last row of the one before."""
        run, task_run_id = SampleRun().start(ledger), urandom(16)
        writes = [
            creation("artifact", "a", type="table", flow_run_id=run.id),
            creation("artifact", "b", flow_run_id=run.id, task_run_id=task_run_id),
            creation("artifact", None, type="table"),
            creation("asset", "a"),
        ]
        commit(ledger, *writes)
        find = ledger.documents.find
        assert keys(find(DocumentFilter("artifact"))) == [None, "b", "a"]
        assert keys(find(DocumentFilter("artifact"), limit=2)) == [None, "b"]
        before = id_of(writes[1])
        assert keys(find(DocumentFilter("artifact"), before=before)) == ["a"]
        assert keys(find(DocumentFilter("artifact", "a"))) == ["a"]
        assert keys(find(DocumentFilter("artifact", type="table"))) == [None, "a"]
        of_run = DocumentFilter("artifact", flow_run_id=run.id)
        assert keys(find(of_run)) == ["b", "a"]
        of_task = DocumentFilter("artifact", task_run_id=task_run_id)
        assert keys(find(of_task)) == ["b"]

    def test_the_newest_of_each_key_is_listed_by_key(self, ledger: Ledger) -> None:
        """Older documents of a key, those without one, and other kinds are left out."""
        names = ["c", "a", "b", "a", "c", "d", None]
        writes = [creation("artifact", key, n) for n, key in enumerate(names)]
        commit(ledger, *writes, creation("asset", "e"))
        latest = ledger.documents.latest
        newest = [(row.key, row.data) for row in latest("artifact")]
        assert newest == [("a", 3), ("b", 2), ("c", 4), ("d", 5)]
        assert keys(latest("artifact", limit=2)) == ["a", "b"]
        assert keys(latest("artifact", limit=2, after="b")) == ["c", "d"]
        assert keys(latest("artifact", after="d")) == []
        assert keys(latest("asset")) == ["e"]
