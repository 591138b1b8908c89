"""What every ledger must do with the inputs that flow runs are given."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any

from caudal.exceptions import ObjectNotFound
from caudal.ledger.replay import rebuild
from caudal.model.inputs import RunInputChange
from caudal.testing.samples import SampleRun, moment, raised

if TYPE_CHECKING:
    from caudal.ledger.port import Ledger


class InputConformance:
    """A flow run has one input of each key, in the order in which they were given."""

    def test_inputs_are_found_by_prefix_in_order(self, ledger: Ledger) -> None:
        """A cursor goes on behind the last one, and other runs' inputs are not among them."""
        run, other = SampleRun().start(ledger), SampleRun().start(ledger)
        for number, key in enumerate(("int-a", "text-a", "int-b", "int-c")):
            self._put(ledger, run, key, number)
        self._put(ledger, other, "int-d", 9)
        found = ledger.inputs.find(run.id, "int-")
        assert [row.key for row in found] == ["int-a", "int-b", "int-c"]
        assert [row.value for row in found] == [{"value": n} for n in (0, 2, 3)]
        later = ledger.inputs.find(run.id, "int-", since=found[0].seq, limit=1)
        assert list(later) == [found[1]]
        assert [row.key for row in ledger.inputs.find(run.id)][1] == "text-a"

    def test_an_input_replaces_one_of_its_key(self, ledger: Ledger) -> None:
        """The last one given counts, and stands last."""
        run = SampleRun().start(ledger)
        self._put(ledger, run, "a", 1)
        self._put(ledger, run, "b", 2)
        self._put(ledger, run, "a", 3, sender="tests")
        row = ledger.inputs.get(run.id, "a")
        assert row is not None
        assert (row.value, row.sender) == ({"value": 3}, "tests")
        assert [each.key for each in ledger.inputs.find(run.id)] == ["b", "a"]

    def test_an_input_that_is_taken_away_is_gone(self, ledger: Ledger) -> None:
        """To take away what is not there leaves no event."""
        run = SampleRun().start(ledger)
        self._put(ledger, run, "a", 1)
        assert ledger.inputs.put(run.id, RunInputChange("a"), moment()) is None
        assert ledger.inputs.get(run.id, "a") is None
        before = ledger.events()
        ledger.inputs.put(run.id, RunInputChange("a"), moment())
        assert ledger.events() == before

    def test_inputs_are_what_the_events_add_up_to(self, ledger: Ledger) -> None:
        """A replay of the events gives the same inputs."""
        run = SampleRun().start(ledger)
        for key in ("a", "b", "a"):
            self._put(ledger, run, key, key)
        ledger.inputs.put(run.id, RunInputChange("b"), moment())
        events = ledger.events()
        assert [each.kind for each in events] == ["flow_run"] + ["run_input"] * 4
        inputs = rebuild(events).inputs
        assert list(inputs.values()) == list(ledger.inputs.find(run.id))

    def test_an_unknown_run_gets_no_input(self, ledger: Ledger) -> None:
        """Nobody would read it."""
        change = RunInputChange("a", {"value": 1})
        raised(ObjectNotFound, lambda: ledger.inputs.put(urandom(16), change, moment()))
        assert not ledger.events()

    def _put(
        self,
        ledger: Ledger,
        run: SampleRun,
        key: str,
        value: Any,
        sender: str | None = None,
    ) -> None:
        change = RunInputChange(key, {"value": value}, sender)
        row = ledger.inputs.put(run.id, change, moment())
        assert row == ledger.inputs.get(run.id, key)
